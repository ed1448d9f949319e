//! How a batch of drafts is carried out: places given, everything kept in one commit, then told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_proto::event::MessageStamp;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::account;
use super::admin;
use super::conversation_index::{ConversationIndex, IndexFull, Slot};
use super::moderation::{self, PlannedModAction};
use super::retention::{Retention, RetentionSweep};
use crate::history::stored;
use crate::hub::Hub;
use crate::hub::admin::command::AdminCommand;
use crate::hub::channel::Channel;
use crate::hub::client::UserId;
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::ports::{
    AccountProposal, AccountUpdate, ChannelChange, CommitOutcome, ConversationKey, Payload,
    Proposal, Recipient, RecoveredState, StateChange,
};
use crate::store::{AccountEntry, Book, Entry, FORGOTTEN, Failure, Rule};
use crate::util::clock::on_the_wall;

/// For how long a key says a line once, in milliseconds: a day.
const ONCE_MILLIS: i64 = 24 * 3_600_000;

/// Facts that wait for a store which fails. Past it the oldest are given up: a name that a private chat was had
/// under, or a channel without lines.
const MAX_OWED: usize = 100_000;

/// Names whose purges have lines to be marked as hidden. Past it another purge waits.
const MAX_PURGES: usize = 256;

/// What comes to the desk.
pub(super) enum Submission {
    Proposal(Proposal),
    Account(Box<AccountProposal>),
    Admin(Box<AdminCommand>),
    Change(StateChange),
}

/// The one place where lines get their ids and are written.
pub(super) struct Committer {
    book: Book,
    register: ConversationIndex,
    tidying: RetentionSweep,
    /// The batch that is being carried out.
    batch: VecDeque<BatchItem>,
    /// Accounts that were erased: nothing of theirs is written any more.
    forgotten: HashSet<UserId>,
    /// Facts that are not kept yet.
    owed: VecDeque<StateChange>,
    /// The last commit failed.
    failing: bool,
    progress: Arc<CommitProgress>,
}

/// How far the batch is that is being carried out, for the watchdog.
#[derive(Default)]
pub(super) struct CommitProgress(AtomicU64);

/// What the desk is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitStage {
    Idle = 0,
    /// It reads or writes the store.
    Disk = 1,
    /// It tells what is kept.
    Publishing = 2,
}

impl CommitProgress {
    /// Called only with the lock of the desk held.
    fn enter(&self, stage: CommitStage) {
        let step = self.0.load(Ordering::Relaxed) | 3;
        self.0.store(step.wrapping_add(1) | stage as u64, Ordering::Release);
    }

    /// A number that changes with every stage, and the stage.
    pub(super) fn now(&self) -> (u64, CommitStage) {
        let step = self.0.load(Ordering::Acquire);
        let stage = match step & 3 {
            0 => CommitStage::Idle,
            1 => CommitStage::Disk,
            _ => CommitStage::Publishing,
        };
        (step, stage)
    }
}

/// One of a batch.
enum BatchItem {
    Proposal(Proposal, Plan),
    /// With why it isn't done, if that is known already.
    Account(AccountProposal, Option<Refusal>),
    Admin(Box<AdminCommand>, Option<Refusal>),
}

/// What is to become of one draft of a batch.
enum Plan {
    Message {
        seat: Slot,
        by_other: bool,
        hidden: bool,
    },
    Topic {
        seat: Slot,
    },
    ModAction {
        seat: Slot,
        written: PlannedModAction,
    },
    /// The same as another line of this batch, which came first.
    Duplicate {
        number: u32,
        stamp: MessageStamp,
    },
    Decided(CommitOutcome),
}

impl Committer {
    /// Takes the store over; tells what was kept in it.
    pub(super) fn open(
        book: Book,
        retention: Retention,
    ) -> Result<(Self, RecoveredState), Failure> {
        let (register, past) = ConversationIndex::load(&book)?;
        let mut tidying = RetentionSweep::new(retention);
        tidying.erase(book.erasing()?);
        tidying.purge(book.pending_purges()?);
        let desk = Self {
            book,
            register,
            tidying,
            batch: VecDeque::new(),
            forgotten: HashSet::new(),
            owed: VecDeque::new(),
            failing: false,
            progress: Arc::default(),
        };
        Ok((desk, past))
    }

    /// Carries a batch out: all of it is kept and told, or nothing of it. Whatever happens, every draft is
    /// settled.
    ///
    /// An act of those who run a channel, or the server, is a batch of its own: it is about what was said before, and
    /// what may be said, or decided, after it depends on it.
    pub(super) fn carry_out(
        &mut self,
        items: impl IntoIterator<Item = Submission>,
        hub: &Arc<Hub>,
    ) {
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
                    self.carry_out_together(std::mem::take(&mut batch), hub);
                }
                self.carry_out_together(vec![item], hub);
            } else {
                batch.push(item);
            }
        }
        if !batch.is_empty() {
            self.carry_out_together(batch, hub);
        }
    }

    fn carry_out_together(&mut self, items: Vec<Submission>, hub: &Arc<Hub>) {
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.progress.enter(CommitStage::Disk);
            self.plan(items, hub);
            let kept = self.keep();
            self.progress.enter(CommitStage::Publishing);
            self.apply(&kept, hub);
        }));
        if done.is_err() {
            // The panic hook has logged where it happened.
            self.progress.enter(CommitStage::Disk);
            self.recover(hub);
        }
        self.progress.enter(CommitStage::Idle);
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Arc<CommitProgress> {
        Arc::clone(&self.progress)
    }

    /// Writes what is owed, and makes the file whole.
    pub(super) fn close(&mut self) {
        self.progress.enter(CommitStage::Disk);
        if self.keep().is_err() {
            tracing::warn!(
                facts = self.owed.len(),
                "some of what was to be remembered is not kept"
            );
        }
        if let Err(error) = self.book.checkpoint() {
            tracing::warn!("{error}");
        }
    }

    fn plan(&mut self, items: Vec<Submission>, hub: &Hub) {
        let mut said_now = HashMap::new();
        for fact in &self.owed {
            seat_fact(&mut self.register, fact);
        }
        for item in items {
            match item {
                Submission::Proposal(draft) => {
                    let step = self.step(&draft, &mut said_now, hub);
                    self.batch.push_back(BatchItem::Proposal(draft, step));
                }
                Submission::Account(deed) => {
                    let refusal = self.may_do(&deed.what).err();
                    self.batch.push_back(BatchItem::Account(*deed, refusal));
                }
                Submission::Admin(decree) => {
                    let refusal = self.may_be(&decree).err();
                    self.batch.push_back(BatchItem::Admin(decree, refusal));
                }
                Submission::Change(fact) => {
                    seat_fact(&mut self.register, &fact);
                    self.owe(fact);
                }
            }
        }
    }

    /// Takes something to be written with the next commit.
    pub(super) fn owe(&mut self, fact: StateChange) {
        self.owed.push_back(fact);
        if self.owed.len() > MAX_OWED {
            self.owed.pop_front();
        }
    }

    /// Nothing becomes of an account that was erased.
    fn may_do(&mut self, what: &AccountUpdate) -> Result<(), Refusal> {
        if let AccountUpdate::Enter { channel, .. } = what {
            seat_channel(&mut self.register, channel);
        }
        let party = what.party();
        if self.forgotten.contains(&party) {
            return Err(Refusal::account_gone());
        }
        if let AccountUpdate::Forget { .. } = what {
            self.forgotten.insert(party);
        }
        Ok(())
    }

    fn may_be(&mut self, decree: &AdminCommand) -> Result<(), Refusal> {
        match admin::party(decree) {
            Some(party) if self.forgotten.contains(&party) => Err(Refusal::account_gone()),
            _ => {
                decree.check_policy()?;
                self.forgotten.extend(decree.forgets());
                Ok(())
            }
        }
    }

    /// Whoever says something, or is to hear it privately, may have erased their account since.
    fn may_say(&self, draft: &Proposal) -> Result<(), Refusal> {
        if draft.account.is_some_and(|account| self.forgotten.contains(&account)) {
            return Err(Refusal::account_gone());
        }
        match &draft.to {
            Ok(Recipient::Private(to)) if self.forgotten.contains(&to.party) => {
                Err(Refusal::gone_from_chat(&to.to, false))
            }
            _ => Ok(()),
        }
    }

    fn step(
        &mut self,
        draft: &Proposal,
        said_now: &mut HashMap<(UserName, Box<str>), (u32, MessageStamp)>,
        hub: &Hub,
    ) -> Plan {
        let once = draft.once.as_ref().map(|key| (draft.from.clone(), Box::from(key.as_str())));
        if let Some(once) = &once {
            if let Some((number, stamp)) = said_now.get(once) {
                return Plan::Duplicate { number: *number, stamp: *stamp };
            }
            // Also where the wall clock was set, nothing is said again.
            let now = draft.time.min(on_the_wall(draft.time));
            let since = now.0.saturating_sub(ONCE_MILLIS);
            match self.book.said_once(once.0.key(), &once.1, since) {
                Ok(Some(said)) => {
                    let stamp = MessageStamp { id: MessageId(said.id), time: Timestamp(said.time) };
                    return self.said_before(said.number, stamp, draft);
                }
                Ok(None) => {}
                Err(failure) => {
                    self.fails(&failure);
                    return Plan::Decided(CommitOutcome::Refused(Refusal::not_stored()));
                }
            }
        }
        let to = match &draft.to {
            Ok(to) => to,
            Err(refusal) => return Plan::Decided(CommitOutcome::Refused(refusal.clone())),
        };
        if let Err(refusal) = draft.check_policy().and_then(|()| self.may_say(draft)) {
            return Plan::Decided(CommitOutcome::Refused(refusal));
        }
        let key = to.key(draft.party);
        match &draft.what {
            Payload::ModAction(_) => self.act(draft, &key),
            Payload::Topic(_) => match self.register.seat(&key, None) {
                Ok(seat) => Plan::Topic { seat },
                Err(IndexFull) => full(),
            },
            Payload::Message { .. } => {
                let names = names(draft, &key);
                let by_other = matches!(key, ConversationKey::Private(_, other)
                    if other == draft.party);
                if matches!(key, ConversationKey::Private(..))
                    && self.register.entry(&key).is_none()
                    && let Err(refusal) =
                        hub.throttle(&draft.author, ThrottledOp::WritePrivate, draft.time)
                {
                    return Plan::Decided(CommitOutcome::Refused(refusal));
                }
                let seat = self.register.next_place(&key, names, on_the_wall(draft.time));
                let Ok(seat) = seat else { return full() };
                if let Some(once) = once {
                    said_now.insert(once, (seat.number, seat.stamp()));
                }
                Plan::Message { seat, by_other, hidden: !draft.is_kept() }
            }
        }
    }

    fn act(&mut self, draft: &Proposal, key: &ConversationKey) -> Plan {
        if draft.purges() && self.tidying.pending_purges() >= MAX_PURGES {
            return Plan::Decided(CommitOutcome::Refused(Refusal::purges_pending()));
        }
        let seat = self.register.act_place(key, on_the_wall(draft.time));
        let Ok(seat) = seat else { return full() };
        let written = draft.kept().map(|mut kept| {
            if let Some(logged) = &mut kept.logged {
                logged.time = seat.time;
            }
            PlannedModAction::of(kept, seat.number, seat.id, &self.book)
        });
        match written {
            Some(Ok(written)) => Plan::ModAction { seat, written },
            Some(Err(failure)) => {
                self.fails(&failure);
                Plan::Decided(CommitOutcome::Refused(Refusal::not_stored()))
            }
            None => Plan::Decided(CommitOutcome::Refused(Refusal::internal())),
        }
    }

    fn said_before(&self, number: u32, stamp: MessageStamp, draft: &Proposal) -> Plan {
        let place = self.register.place(number, draft.party);
        let place = place.unwrap_or_else(|| draft.place.clone());
        Plan::Decided(CommitOutcome::Duplicate(place, stamp))
    }

    /// Commits the batch and what is owed.
    fn keep(&mut self) -> Result<(), Refusal> {
        let mut entries = Vec::with_capacity(self.batch.len() + self.owed.len());
        let names: Vec<String> = self.owed.iter().map(stored_name).collect();
        for (fact, name) in self.owed.iter().zip(&names) {
            add_fact(fact, name, &self.register, &mut entries);
        }
        let lines = self.batch.iter().filter_map(BatchItem::line);
        let news: Vec<NewConversation> =
            lines.map(|(draft, step)| NewConversation::of(draft, step)).collect();
        let mut news = news.iter();
        let mut read = HashMap::new();
        for job in &self.batch {
            match job {
                BatchItem::Proposal(draft, step) => {
                    entries.extend(news.next().and_then(|new| new.entry(draft, step)));
                    entries.extend(entry(draft, step));
                    if let Plan::ModAction { seat, written } = step {
                        written.add_to(seat.number, seat.id, &mut entries);
                    }
                    if let (Some(account), Plan::Message { seat, .. }) = (draft.account, step) {
                        read.insert((account, seat.number), seat.id);
                    }
                }
                BatchItem::Account(deed, None) => {
                    account::add_entries(&deed.what, &self.register, &mut entries);
                }
                BatchItem::Admin(decree, None) => admin::add_entries(decree, &mut entries),
                BatchItem::Account(_, Some(_)) | BatchItem::Admin(_, Some(_)) => {}
            }
        }
        // What somebody says they have read, and what came before it.
        for ((UserId(party), number), marker) in read {
            entries.push(AccountEntry::Marker { party, number, marker }.into());
        }
        let floors = self.tidying.add_floors(&self.register, &mut entries);
        if entries.is_empty() {
            self.register.keep();
            self.owed.clear();
            return Ok(());
        }
        let kept = self.book.commit(&entries);
        drop(entries);
        match kept {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("lines are stored again");
                }
                self.register.keep();
                self.tidying.raise(&mut self.register, floors);
                for fact in std::mem::take(&mut self.owed) {
                    match fact {
                        StateChange::UserGone(party) => self.tidying.over(self.register.end(party)),
                        StateChange::ChannelDropped(name) => self.forget_lines(&name),
                        StateChange::ChannelForgotten(name, _) => {
                            self.tidying.over(self.register.give_up(&name).into_iter().collect());
                        }
                        StateChange::ChannelCreated(name, ..) => self.register.show_as(&name),
                        _ => {}
                    }
                }
                let lines = self.batch.iter().filter_map(BatchItem::line);
                let purges = lines.filter_map(|(_, step)| match step {
                    Plan::ModAction { written, .. } => Some(written.purges()),
                    _ => None,
                });
                self.tidying.purge(purges.sum());
                for party in self.batch.iter().filter_map(BatchItem::forgets) {
                    self.tidying.erase([party.0]);
                    self.tidying.over(self.register.end(party));
                }
                self.forget_ended();
                Ok(())
            }
            Err(failure) => {
                self.fails(&failure);
                self.register.take_back();
                for party in self.batch.iter().filter_map(BatchItem::forgets) {
                    self.forgotten.remove(&party);
                }
                Err(Refusal::not_stored())
            }
        }
    }

    /// The lines of channels that have just been ended are taken out by and by.
    fn forget_ended(&mut self) {
        let lines = self.batch.iter().filter_map(BatchItem::line);
        let ended = lines.filter_map(|(draft, step)| match (step, &draft.to) {
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
        if let Some(last) = self.register.entry(&key).map(|entry| entry.last) {
            self.tidying.raise(&mut self.register, vec![(key, last)]);
        }
    }

    fn apply(&mut self, kept: &Result<(), Refusal>, hub: &Arc<Hub>) {
        hub.publish_batch(|| self.settle_each(kept, hub));
    }

    fn settle_each(&mut self, kept: &Result<(), Refusal>, hub: &Arc<Hub>) {
        loop {
            if kept.is_ok() && self.apply_run(hub) {
                continue;
            }
            let Some(job) = self.batch.pop_front() else { return };
            let (draft, step) = match job {
                BatchItem::Proposal(draft, step) => (draft, step),
                BatchItem::Account(deed, refusal) => {
                    let kept = refusal.map_or_else(|| kept.clone(), Err);
                    hub.apply_account_update(deed, kept);
                    continue;
                }
                BatchItem::Admin(decree, refusal) => {
                    let kept = refusal.map_or_else(|| kept.clone(), Err);
                    hub.apply_admin_command(decree, kept);
                    continue;
                }
            };
            let settled = match (step, kept) {
                (Plan::Decided(settled), _) => settled,
                (_, Err(refusal)) => CommitOutcome::Failed(refusal.clone()),
                (Plan::Message { seat, .. }, Ok(())) => CommitOutcome::MessageStored(seat.stamp()),
                (Plan::Topic { .. }, Ok(())) => CommitOutcome::TopicStored,
                (Plan::ModAction { mut written, .. }, Ok(())) => {
                    CommitOutcome::ModActionStored(written.hidden(), written.take_recorded())
                }
                (Plan::Duplicate { number, stamp }, Ok(())) => {
                    match self.said_before(number, stamp, &draft) {
                        Plan::Decided(settled) => settled,
                        _ => CommitOutcome::Refused(Refusal::internal()),
                    }
                }
            };
            hub.apply(draft, settled);
        }
    }

    /// Lines that come next and go to one channel are told together. Tells whether there were any.
    fn apply_run(&mut self, hub: &Arc<Hub>) -> bool {
        let mut said = self.batch.iter().map_while(BatchItem::said).peekable();
        let Some((channel, ..)) = said.peek().copied() else { return false };
        let is_of_run = |(other, ..): &(&Arc<Channel>, _, _)| Arc::ptr_eq(other, channel);
        let run: Vec<_> =
            said.take_while(is_of_run).map(|(_, draft, stamp)| (draft, stamp)).collect();
        let length = run.len();
        hub.apply_run(channel, run);
        // Not before it is told: after a fault they are settled still.
        self.batch.drain(..length);
        true
    }

    /// After a fault in the midst of a batch: what isn't settled is refused, and what is true is read again.
    fn recover(&mut self, hub: &Arc<Hub>) {
        match ConversationIndex::load(&self.book) {
            Ok((register, _)) => self.register = register,
            Err(failure) => self.fails(&failure),
        }
        while let Some(job) = self.batch.pop_front() {
            match job {
                BatchItem::Proposal(draft, _) => {
                    hub.apply(draft, CommitOutcome::Refused(Refusal::internal()))
                }
                BatchItem::Account(deed, _) => {
                    hub.apply_account_update(deed, Err(Refusal::internal()))
                }
                BatchItem::Admin(decree, _) => {
                    hub.apply_admin_command(decree, Err(Refusal::internal()));
                }
            }
        }
    }

    /// The first failure in a row is told to the operator.
    fn fails(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!("{failure}; until then lines are refused, and reading goes on");
        }
    }

    /// From now on what retention has ended, and what is too old, is taken out in steps.
    pub(super) fn begin_tidying(&mut self, now: Timestamp) {
        // Nothing is older because the wall clock was set.
        self.tidying.begin(now.min(on_the_wall(now)), ONCE_MILLIS);
    }

    /// How many lines wait to be put into the store's tables; none while the store fails.
    pub(super) fn waiting(&self) -> usize {
        if self.failing { 0 } else { self.book.waiting() }
    }

    /// Whether there is something to take out.
    pub(super) fn has_tidying(&self) -> bool {
        !self.failing && self.tidying.has_more()
    }

    /// One small step of it.
    pub(super) fn tidy(&mut self, hub: &Hub) {
        self.progress.enter(CommitStage::Disk);
        if let Err(failure) = self.tidying.step(&mut self.book, &mut self.register, hub) {
            tracing::warn!("old lines can't be taken out now: {failure}");
            self.tidying.rest();
        }
        self.progress.enter(CommitStage::Idle);
    }
}

impl BatchItem {
    /// A line of a channel, and its place there.
    fn said(&self) -> Option<(&Arc<Channel>, &Proposal, MessageStamp)> {
        match self.line()? {
            (
                draft @ Proposal { to: Ok(Recipient::Channel(channel)), .. },
                Plan::Message { seat, .. },
            ) => Some((channel, draft, seat.stamp())),
            _ => None,
        }
    }

    /// The account that is erased with it.
    fn forgets(&self) -> Option<UserId> {
        match self {
            Self::Account(AccountProposal { what: AccountUpdate::Forget { party }, .. }, None) => {
                Some(*party)
            }
            Self::Admin(decree, None) => decree.forgets(),
            _ => None,
        }
    }

    fn line(&self) -> Option<(&Proposal, &Plan)> {
        match self {
            Self::Proposal(draft, step) => Some((draft, step)),
            Self::Account(..) | Self::Admin(..) => None,
        }
    }
}

/// The names of the two of a private chat now, in the order of the key.
fn names<'a>(draft: &'a Proposal, key: &ConversationKey) -> Option<[&'a UserName; 2]> {
    let (ConversationKey::Private(one, _), Ok(Recipient::Private(to))) = (key, &draft.to) else {
        return None;
    };
    Some(if *one == draft.party { [&draft.from, &to.to] } else { [&to.to, &draft.from] })
}

/// A channel that a fact is about has its number, and one that is made its name as it is shown, before any line that
/// comes after the fact.
fn seat_fact(register: &mut ConversationIndex, fact: &StateChange) {
    let name = match fact {
        StateChange::ChannelCreated(name, ..) | StateChange::ChannelDropped(name) => name,
        StateChange::Moderation(changed) => &changed.channel,
        StateChange::ChannelForgotten(_, last) => {
            register.forget_up_to(last.0);
            return;
        }
        _ => return,
    };
    seat_channel(register, name);
    if let StateChange::ChannelCreated(name, ..) = fact {
        register.show_as(name);
    }
}

/// Without a number nothing of the channel is stored. What is said there is refused then.
fn seat_channel(register: &mut ConversationIndex, name: &ChannelName) {
    if register.seat(&ConversationKey::Channel(name.clone()), None).is_err() {
        tracing::error!(channel = %name, "{FULL}");
    }
}

/// For the log.
const FULL: &str = "there are as many conversations as have numbers; new ones are refused";

fn full() -> Plan {
    tracing::error!("{FULL}");
    Plan::Decided(CommitOutcome::Refused(Refusal::no_number_left()))
}

/// The name under which the store finds the channel that a fact is about.
fn stored_name(fact: &StateChange) -> String {
    match fact {
        StateChange::ChannelCreated(name, ..) | StateChange::ChannelDropped(name) => stored(name),
        _ => String::new(),
    }
}

fn add_fact<'a>(
    fact: &'a StateChange,
    name: &'a str,
    register: &ConversationIndex,
    entries: &mut Vec<Entry<'a>>,
) {
    let seat = |name: &ChannelName| register.entry(&ConversationKey::Channel(name.clone()));
    match fact {
        StateChange::ChannelCreated(channel, topic, by) => {
            let Some(seat) = seat(channel) else { return };
            let (number, shown) = (seat.number, channel.bare());
            let topic = topic.as_ref().map(Text::as_str);
            entries.push(Entry::Channel { number, name, shown, topic, open: true });
            if topic.is_some() {
                entries.push(Entry::Topic { number, topic, by: by.map(|by| by.0) });
            }
        }
        StateChange::ChannelDropped(channel) => {
            let Some(seat) = seat(channel) else { return };
            let (number, shown, floor) = (seat.number, channel.bare(), seat.last);
            entries.push(Entry::Channel { number, name, shown, topic: None, open: false });
            entries.push(Entry::Floor { number, floor });
            entries.push(Entry::Rule { number, rule: Rule::End });
        }
        StateChange::NameHeld(name, party, since) => {
            entries.push(Entry::Hold { name: name.key(), party: party.0, since: since.0 });
        }
        StateChange::NameReleased(name) => entries.push(Entry::Release { name }),
        StateChange::Moderation(changed) => {
            let ChannelChange { channel, keep } = &**changed;
            if let Some(seat) = seat(channel) {
                moderation::add_rule(keep, seat.number, entries);
            }
        }
        StateChange::ChannelForgotten(..) => {
            let Some((number, floor)) = register.forgotten() else { return };
            let (name, shown) = (FORGOTTEN, "");
            entries.push(Entry::Channel { number, name, shown, topic: None, open: false });
            entries.push(Entry::Floor { number, floor });
        }
        StateChange::UserGone(_) => {}
        _ => entries.extend(account::fact_entry(fact, register)),
    }
}

/// A conversation that the store doesn't know yet, or not by its present names.
enum NewConversation {
    Nothing,
    Channel(String, ChannelName),
    Private(u64, u64),
}

impl NewConversation {
    fn of(draft: &Proposal, step: &Plan) -> Self {
        let is_new = match step {
            Plan::Message { seat, .. } | Plan::Topic { seat } | Plan::ModAction { seat, .. } => {
                seat.is_new
            }
            Plan::Duplicate { .. } | Plan::Decided(_) => false,
        };
        match &draft.to {
            Ok(to) if is_new => match to.key(draft.party) {
                ConversationKey::Channel(name) => Self::Channel(stored(&name), name),
                ConversationKey::Private(one, other) => Self::Private(one.0, other.0),
            },
            _ => Self::Nothing,
        }
    }

    fn entry<'a>(&'a self, draft: &'a Proposal, step: &Plan) -> Option<Entry<'a>> {
        let (Plan::Message { seat: Slot { number, .. }, .. }
        | Plan::Topic { seat: Slot { number, .. } }
        | Plan::ModAction { seat: Slot { number, .. }, .. }) = *step
        else {
            return None;
        };
        match self {
            Self::Nothing => None,
            Self::Channel(name, shown) => {
                Some(Entry::Channel { number, name, shown: shown.bare(), topic: None, open: true })
            }
            Self::Private(one, other) => {
                let key = ConversationKey::Private(UserId(*one), UserId(*other));
                let [one_name, other_name] = names(draft, &key)?.map(UserName::as_str);
                let (one, other) = (*one, *other);
                Some(Entry::Private { number, one, other, one_name, other_name })
            }
        }
    }
}

fn entry<'a>(draft: &'a Proposal, step: &Plan) -> Option<Entry<'a>> {
    match (step, &draft.what) {
        (Plan::Message { seat, by_other, hidden }, Payload::Message { text, action }) => {
            Some(Entry::Line {
                number: seat.number,
                id: seat.id,
                time: seat.time.0,
                author: draft.from.as_str(),
                action: *action,
                by_other: *by_other,
                account: draft.account.map(|account| account.0),
                text: text.as_str(),
                once: draft.once.as_ref().map(|key| (draft.from.key(), key.as_str())),
                hidden: *hidden,
            })
        }
        (Plan::Topic { seat }, Payload::Topic(topic)) => {
            let by = draft.account.map(|account| account.0);
            Some(Entry::Topic { number: seat.number, topic: Some(topic.as_str()), by })
        }
        _ => None,
    }
}
