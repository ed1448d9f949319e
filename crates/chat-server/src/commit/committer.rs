//! Commits a batch of submissions: assigns ids, stores everything in one commit, then applies it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chat_proto::event::MessageStamp;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;

use super::account;
use super::admin;
use super::change::{FULL, add_change, slot_of_change, slot_of_channel, stored_name};
use super::conversation_index::{ConversationIndex, IndexFull};
use super::moderation::PlannedModAction;
use super::plan::{BatchItem, Plan};
use super::progress::{CommitProgress, CommitStage};
use super::proposal::{NewConversation, entry, names};
use super::recovery;
use super::retention::{Retention, RetentionSweep};
use crate::hub::Hub;
use crate::hub::admin::command::AdminCommand;
use crate::hub::channel::Channel;
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::{ConversationKey, UserId};
use crate::hub::proposal::{
    AccountUpdate, CommitOutcome, Payload, Proposal, Recipient, StateChange, Submission,
};
use crate::hub::recovered::RecoveredState;
use crate::store::{AccountOp, StoreError, Writer};
use crate::util::clock::on_the_wall;

/// How long a key of `/once` prevents duplicates, in milliseconds: a day.
const ONCE_MILLIS: i64 = 24 * 3_600_000;

/// Changes kept while the store fails. Beyond it the oldest is dropped: a name hold, or a channel
/// without messages.
const MAX_OWED: usize = 100_000;

/// Names with pending purges; beyond it another purge is refused.
const MAX_PURGES: usize = 256;

/// Assigns ids and writes; the only place that does.
pub(crate) struct Committer {
    writer: Writer,
    index: ConversationIndex,
    sweep: RetentionSweep,
    /// The batch in progress.
    batch: VecDeque<BatchItem>,
    /// Deleted accounts, for which nothing more is written.
    forgotten: HashSet<UserId>,
    /// Recorded changes that are not stored yet.
    pending: VecDeque<StateChange>,
    /// The last commit failed.
    failing: bool,
    progress: Arc<CommitProgress>,
}

impl Committer {
    /// Takes the store over; returns the recovered state.
    pub(crate) fn open(
        writer: Writer,
        retention: Retention,
    ) -> Result<(Self, RecoveredState), StoreError> {
        let (index, past) = recovery::load(&writer)?;
        let mut sweep = RetentionSweep::new(retention);
        sweep.erase(writer.pending_redactions()?, writer.last_row());
        sweep.purge(writer.pending_purges()?);
        let committer = Self {
            writer,
            index,
            sweep,
            batch: VecDeque::new(),
            forgotten: HashSet::new(),
            pending: VecDeque::new(),
            failing: false,
            progress: Arc::default(),
        };
        Ok((committer, past))
    }

    /// Commits a batch atomically. Every proposal gets an outcome, even on failure.
    ///
    /// A moderation action and a command of a server operator are batches of their own: they
    /// concern earlier messages, and later ones depend on them.
    pub(crate) fn run(&mut self, items: impl IntoIterator<Item = Submission>, hub: &Arc<Hub>) {
        let items = items.into_iter();
        let mut batch = Vec::with_capacity(items.size_hint().0);
        for item in items {
            let is_act = matches!(
                &item,
                Submission::Proposal(Proposal { what: Payload::ModAction(_), .. })
                    | Submission::Admin(_)
            );
            if is_act {
                if !batch.is_empty() {
                    self.run_batch(std::mem::take(&mut batch), hub);
                }
                self.run_batch(vec![item], hub);
            } else {
                batch.push(item);
            }
        }
        if !batch.is_empty() {
            self.run_batch(batch, hub);
        }
    }

    fn run_batch(&mut self, items: Vec<Submission>, hub: &Arc<Hub>) {
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.progress.enter(CommitStage::Disk);
            self.plan_batch(items, hub);
            let kept = self.keep();
            self.progress.enter(CommitStage::Publishing);
            self.apply(&kept, hub);
        }));
        if done.is_err() {
            // The panic hook has logged it.
            self.progress.enter(CommitStage::Disk);
            self.recover(hub);
        }
        self.progress.enter(CommitStage::Idle);
    }

    /// The progress.
    pub(super) fn progress(&self) -> Arc<CommitProgress> {
        Arc::clone(&self.progress)
    }

    /// Writes pending changes, and checkpoints the store.
    pub(super) fn close(&mut self) {
        self.progress.enter(CommitStage::Disk);
        if self.keep().is_err() {
            tracing::warn!(changes = self.pending.len(), "the last changes are not stored");
        }
        if let Err(error) = self.writer.checkpoint() {
            tracing::warn!("{error}");
        }
    }

    fn plan_batch(&mut self, items: Vec<Submission>, hub: &Hub) {
        let mut sent_in_batch = HashMap::new();
        for change in &self.pending {
            slot_of_change(&mut self.index, change);
        }
        for item in items {
            match item {
                Submission::Proposal(proposal) => {
                    let plan = self.plan(&proposal, &mut sent_in_batch, hub);
                    self.batch.push_back(BatchItem::Proposal(proposal, plan));
                }
                Submission::Account(update) => {
                    let refusal = self.may_do(&update.what).err();
                    self.batch.push_back(BatchItem::Account(*update, refusal));
                }
                Submission::Admin(command) => {
                    let refusal = self.may_be(&command).err();
                    self.batch.push_back(BatchItem::Admin(command, refusal));
                }
                Submission::Change(change) => {
                    slot_of_change(&mut self.index, &change);
                    self.queue_change(change);
                }
            }
        }
    }

    /// Queues a change for the next commit.
    pub(super) fn queue_change(&mut self, change: StateChange) {
        self.pending.push_back(change);
        if self.pending.len() > MAX_OWED {
            self.pending.pop_front();
        }
    }

    /// An account that is deleted in this batch can't change.
    fn may_do(&mut self, what: &AccountUpdate) -> Result<(), Refusal> {
        if let AccountUpdate::Enter { channel, .. } = what {
            slot_of_channel(&mut self.index, channel);
        }
        let user_id = what.user_id();
        if self.forgotten.contains(&user_id) {
            return Err(Refusal::account_gone());
        }
        if let AccountUpdate::Forget { .. } = what {
            self.forgotten.insert(user_id);
        }
        Ok(())
    }

    fn may_be(&mut self, command: &AdminCommand) -> Result<(), Refusal> {
        match admin::user_id(command) {
            Some(user_id) if self.forgotten.contains(&user_id) => Err(Refusal::account_gone()),
            _ => {
                command.check_policy()?;
                self.forgotten.extend(command.forgets());
                Ok(())
            }
        }
    }

    /// The author or the recipient may have deleted their account since the submission.
    fn may_send(&self, proposal: &Proposal) -> Result<(), Refusal> {
        if proposal.account.is_some_and(|account| self.forgotten.contains(&account)) {
            return Err(Refusal::account_gone());
        }
        match &proposal.to {
            Ok(Recipient::Private(to)) if self.forgotten.contains(&to.user_id) => {
                Err(Refusal::gone_from_chat(&to.to, false))
            }
            _ => Ok(()),
        }
    }

    fn plan(
        &mut self,
        proposal: &Proposal,
        sent_in_batch: &mut HashMap<(UserName, Box<str>), (u32, MessageStamp)>,
        hub: &Hub,
    ) -> Plan {
        let once =
            proposal.once.as_ref().map(|key| (proposal.from.clone(), Box::from(key.as_str())));
        if let Some(once) = &once {
            if let Some((number, stamp)) = sent_in_batch.get(once) {
                return Plan::Duplicate { number: *number, stamp: *stamp };
            }
            // A wall clock that was set doesn't allow duplicates.
            let now = proposal.time.min(on_the_wall(proposal.time));
            let since = now.0.saturating_sub(ONCE_MILLIS);
            match self.writer.said_once(once.0.key(), &once.1, since) {
                Ok(Some(said)) => {
                    let stamp = MessageStamp { id: MessageId(said.id), time: Timestamp(said.time) };
                    return self.duplicate(said.number, stamp, proposal);
                }
                Ok(None) => {}
                Err(failure) => {
                    self.report_failure(&failure);
                    return Plan::Decided(CommitOutcome::Refused(Refusal::not_stored()));
                }
            }
        }
        let to = match &proposal.to {
            Ok(to) => to,
            Err(refusal) => return Plan::Decided(CommitOutcome::Refused(refusal.clone())),
        };
        if let Err(refusal) = proposal.check_policy().and_then(|()| self.may_send(proposal)) {
            return Plan::Decided(CommitOutcome::Refused(refusal));
        }
        let key = to.key(proposal.user_id);
        match &proposal.what {
            Payload::ModAction(_) => self.act(proposal, &key),
            Payload::Topic(_) => match self.index.slot(&key, None) {
                Ok(slot) => Plan::Topic { slot },
                Err(IndexFull) => full(),
            },
            Payload::Message { .. } => {
                let names = names(proposal, &key);
                let by_other = matches!(key, ConversationKey::Private(_, other)
                    if other == proposal.user_id);
                if matches!(key, ConversationKey::Private(..))
                    && self.index.entry(&key).is_none()
                    && let Err(refusal) =
                        hub.throttle(&proposal.author, ThrottledOp::WritePrivate, proposal.time)
                {
                    return Plan::Decided(CommitOutcome::Refused(refusal));
                }
                let slot = self.index.next_place(&key, names, on_the_wall(proposal.time));
                let Ok(slot) = slot else { return full() };
                if let Some(once) = once {
                    sent_in_batch.insert(once, (slot.number, slot.stamp()));
                }
                Plan::Message { slot, by_other, hidden: !proposal.is_kept() }
            }
        }
    }

    fn act(&mut self, proposal: &Proposal, key: &ConversationKey) -> Plan {
        if proposal.purges() && self.sweep.pending_purges() >= MAX_PURGES {
            return Plan::Decided(CommitOutcome::Refused(Refusal::purges_pending()));
        }
        let slot = self.index.act_place(key, on_the_wall(proposal.time));
        let Ok(slot) = slot else { return full() };
        let written = proposal.kept().map(|mut kept| {
            if let Some(logged) = &mut kept.logged {
                logged.time = slot.time;
            }
            PlannedModAction::of(kept, slot.number, slot.id, &self.writer)
        });
        match written {
            Some(Ok(written)) => Plan::ModAction { slot, written },
            Some(Err(failure)) => {
                self.report_failure(&failure);
                Plan::Decided(CommitOutcome::Refused(Refusal::not_stored()))
            }
            None => Plan::Decided(CommitOutcome::Refused(Refusal::internal())),
        }
    }

    fn duplicate(&self, number: u32, stamp: MessageStamp, proposal: &Proposal) -> Plan {
        let place = self.index.place(number, proposal.user_id);
        let place = place.unwrap_or_else(|| proposal.place.clone());
        Plan::Decided(CommitOutcome::Duplicate(place, stamp))
    }

    /// Commits the batch and the pending changes.
    fn keep(&mut self) -> Result<(), Refusal> {
        let mut entries = Vec::with_capacity(self.batch.len() + self.pending.len());
        let names: Vec<String> = self.pending.iter().map(stored_name).collect();
        for (change, name) in self.pending.iter().zip(&names) {
            add_change(change, name, &self.index, &mut entries);
        }
        let lines = self.batch.iter().filter_map(BatchItem::line);
        let news: Vec<NewConversation> =
            lines.map(|(proposal, plan)| NewConversation::of(proposal, plan)).collect();
        let mut news = news.iter();
        let mut read = HashMap::new();
        for batch_item in &self.batch {
            match batch_item {
                BatchItem::Proposal(proposal, plan) => {
                    entries.extend(news.next().and_then(|new| new.entry(proposal, plan)));
                    entries.extend(entry(proposal, plan));
                    if let Plan::ModAction { slot, written } = plan {
                        written.add_to(slot.number, slot.id, &mut entries);
                    }
                    if let (Some(account), Plan::Message { slot, .. }) = (proposal.account, plan) {
                        read.insert((account, slot.number), slot.id);
                    }
                }
                BatchItem::Account(update, None) => {
                    account::add_entries(&update.what, &self.index, &mut entries);
                }
                BatchItem::Admin(command, None) => admin::add_entries(command, &mut entries),
                BatchItem::Account(_, Some(_)) | BatchItem::Admin(_, Some(_)) => {}
            }
        }
        // A message also moves its author's read marker.
        for ((UserId(user_id), number), marker) in read {
            entries.push(AccountOp::Marker { user_id, number, marker }.into());
        }
        let floors = self.sweep.add_floors(&self.index, &mut entries);
        if entries.is_empty() {
            self.index.keep();
            self.pending.clear();
            return Ok(());
        }
        let kept = self.writer.commit(&entries);
        drop(entries);
        match kept {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("messages are stored again");
                }
                self.index.keep();
                self.sweep.raise(&mut self.index, floors);
                for change in std::mem::take(&mut self.pending) {
                    match change {
                        StateChange::UserGone(user_id) => self.sweep.over(self.index.end(user_id)),
                        StateChange::ChannelDropped(name) => self.forget_lines(&name),
                        StateChange::ChannelForgotten(name, _) => {
                            self.sweep.over(self.index.give_up(&name).into_iter().collect());
                        }
                        StateChange::ChannelCreated(name, ..) => self.index.show_as(&name),
                        _ => {}
                    }
                }
                let lines = self.batch.iter().filter_map(BatchItem::line);
                let purges = lines.filter_map(|(_, plan)| match plan {
                    Plan::ModAction { written, .. } => Some(written.purges()),
                    _ => None,
                });
                self.sweep.purge(purges.sum());
                for user_id in self.batch.iter().filter_map(BatchItem::forgets) {
                    self.sweep.erase([user_id.0], self.writer.last_row());
                    self.sweep.over(self.index.end(user_id));
                }
                self.forget_ended();
                Ok(())
            }
            Err(failure) => {
                self.report_failure(&failure);
                self.index.roll_back();
                for user_id in self.batch.iter().filter_map(BatchItem::forgets) {
                    self.forgotten.remove(&user_id);
                }
                Err(Refusal::not_stored())
            }
        }
    }

    /// Messages of channels dropped in this batch are deleted in steps.
    fn forget_ended(&mut self) {
        let lines = self.batch.iter().filter_map(BatchItem::line);
        let ended = lines.filter_map(|(proposal, plan)| match (plan, &proposal.to) {
            (Plan::ModAction { written, .. }, Ok(Recipient::Channel(channel)))
                if written.ends() =>
            {
                Some(channel.name.clone())
            }
            _ => None,
        });
        for name in ended.collect::<Vec<_>>() {
            self.forget_lines(&name);
        }
    }

    fn forget_lines(&mut self, name: &ChannelName) {
        let key = ConversationKey::Channel(name.clone());
        if let Some(last) = self.index.entry(&key).map(|entry| entry.last) {
            self.sweep.raise(&mut self.index, vec![(key, last)]);
        }
    }

    fn apply(&mut self, kept: &Result<(), Refusal>, hub: &Arc<Hub>) {
        hub.publish_batch(|| self.apply_each(kept, hub));
    }

    fn apply_each(&mut self, kept: &Result<(), Refusal>, hub: &Arc<Hub>) {
        loop {
            if kept.is_ok() && self.apply_run(hub) {
                continue;
            }
            let Some(batch_item) = self.batch.pop_front() else { return };
            let (proposal, plan) = match batch_item {
                BatchItem::Proposal(proposal, plan) => (proposal, plan),
                BatchItem::Account(update, refusal) => {
                    let kept = refusal.map_or_else(|| kept.clone(), Err);
                    hub.apply_account_update(update, kept);
                    continue;
                }
                BatchItem::Admin(command, refusal) => {
                    let kept = refusal.map_or_else(|| kept.clone(), Err);
                    hub.apply_admin_command(command, kept);
                    continue;
                }
            };
            let settled = match (plan, kept) {
                (Plan::Decided(settled), _) => settled,
                (_, Err(refusal)) => CommitOutcome::Failed(refusal.clone()),
                (Plan::Message { slot, .. }, Ok(())) => CommitOutcome::MessageStored(slot.stamp()),
                (Plan::Topic { .. }, Ok(())) => CommitOutcome::TopicStored,
                (Plan::ModAction { mut written, .. }, Ok(())) => {
                    CommitOutcome::ModActionStored(written.hidden(), written.take_recorded())
                }
                (Plan::Duplicate { number, stamp }, Ok(())) => {
                    match self.duplicate(number, stamp, &proposal) {
                        Plan::Decided(settled) => settled,
                        _ => CommitOutcome::Refused(Refusal::internal()),
                    }
                }
            };
            hub.apply(proposal, settled);
        }
    }

    /// Applies consecutive messages of one channel together. Returns whether there were any.
    fn apply_run(&mut self, hub: &Arc<Hub>) -> bool {
        let mut said = self.batch.iter().map_while(BatchItem::said).peekable();
        let Some((channel, ..)) = said.peek().copied() else { return false };
        let is_of_run = |(other, ..): &(&Arc<Channel>, _, _)| Arc::ptr_eq(other, channel);
        let run: Vec<_> =
            said.take_while(is_of_run).map(|(_, proposal, stamp)| (proposal, stamp)).collect();
        let length = run.len();
        hub.apply_run(channel, run);
        // Not before it is applied: after a panic the rest still gets an outcome.
        self.batch.drain(..length);
        true
    }

    /// After a panic: refuses what has no outcome, and reads the index again.
    fn recover(&mut self, hub: &Arc<Hub>) {
        match recovery::load(&self.writer) {
            Ok((index, _)) => self.index = index,
            Err(failure) => self.report_failure(&failure),
        }
        while let Some(batch_item) = self.batch.pop_front() {
            match batch_item {
                BatchItem::Proposal(proposal, _) => {
                    hub.apply(proposal, CommitOutcome::Refused(Refusal::internal()));
                }
                BatchItem::Account(update, _) => {
                    hub.apply_account_update(update, Err(Refusal::internal()));
                }
                BatchItem::Admin(command, _) => {
                    hub.apply_admin_command(command, Err(Refusal::internal()));
                }
            }
        }
    }

    /// Logs the first failure in a row.
    fn report_failure(&mut self, failure: &StoreError) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!("{failure}; until then messages are refused, and history can be read");
        }
    }

    /// Starts deleting what has expired, in steps.
    pub(super) fn begin_sweep(&mut self, now: Timestamp) {
        // A wall clock that was set makes nothing expire early.
        self.sweep.begin(now.min(on_the_wall(now)), ONCE_MILLIS);
    }

    /// Messages waiting for the tables; none while the store fails.
    pub(super) fn waiting(&self) -> usize {
        if self.failing { 0 } else { self.writer.waiting().max(usize::from(self.sweep.waits())) }
    }

    /// The last row of the journal.
    pub(super) fn last_row(&self) -> i64 {
        self.writer.last_row()
    }

    /// Whether the tables have what was stored up to this row of the journal. If not, the flushing
    /// thread hurries.
    pub(super) fn may_erase(&self, row: i64) -> bool {
        let is_put = self.writer.is_put(row);
        if !is_put {
            self.writer.hurry();
        }
        is_put
    }

    /// Whether the sweep has work.
    pub(super) fn has_sweep(&self) -> bool {
        !self.failing && self.sweep.has_more(&self.writer)
    }

    /// Takes the result of the last chore, and starts the next.
    pub(super) fn sweep_step(&mut self, hub: &Hub) {
        self.progress.enter(CommitStage::Disk);
        if let Err(failure) = self.sweep.step(&mut self.writer, &mut self.index, hub) {
            tracing::warn!("can't delete expired messages now: {failure}");
            self.sweep.rest();
        }
        self.progress.enter(CommitStage::Idle);
    }
}

fn full() -> Plan {
    tracing::error!("{FULL}");
    Plan::Decided(CommitOutcome::Refused(Refusal::no_number_left()))
}
