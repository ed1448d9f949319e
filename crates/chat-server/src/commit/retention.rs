//! Deletes expired messages without delaying commits.
//!
//! The floor of a conversation hides them at once. They are deleted later, by chores of the
//! flushing thread; so are the messages of deleted accounts and of purges. The committer starts the
//! chores, one at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::time::Timestamp;

use super::conversation_index::{ConversationEntry, ConversationIndex};
use crate::hub::Hub;
use crate::hub::id::ConversationKey;
use crate::store::{AccountOp, Chore, ChoreReport, Progress, StoreError, WriteOp, Writer};

/// Conversations checked by one step.
const CONVERSATIONS_A_STEP: usize = 32;

/// When the journal can't be wiped yet, it is tried again after this time.
const WIPE_AGAIN: Duration = Duration::from_millis(200);

/// Pause after a failure.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// How long messages are kept; without a bound, forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionRule {
    /// Days until a message expires.
    pub days: Option<u32>,
    /// Messages of each conversation; the oldest expire first.
    pub lines: Option<u64>,
}

/// The retention of each conversation.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// The default.
    pub usual: RetentionRule,
    /// Channels with rules of their own.
    pub channels: HashMap<ChannelName, RetentionRule>,
}

impl Retention {
    fn of(&self, key: &ConversationKey) -> RetentionRule {
        match key {
            ConversationKey::Channel(name) => {
                self.channels.get(name).copied().unwrap_or(self.usual)
            }
            ConversationKey::Private(..) => self.usual,
        }
    }
}

/// A chore in progress, and what it is for.
enum Running {
    /// So many purges were pending.
    Purge(usize),
    Redact,
    /// Up to this row.
    Wipe(i64),
    /// Up to this floor.
    Sweep(ConversationKey, u64),
    Forget,
    ForgetOnce,
    FindOld(ConversationKey),
}

/// The pending work of the sweep.
pub(super) struct RetentionSweep {
    retention: Retention,
    now: Timestamp,
    /// Conversations from this number on are still to be checked.
    aged_from: Option<u32>,
    /// These are checked first.
    aged: VecDeque<ConversationKey>,
    /// Conversations with messages below their floor.
    low: VecDeque<ConversationKey>,
    low_known: HashSet<ConversationKey>,
    /// Ended conversations without messages, each with the last journal row that may have one.
    swept: VecDeque<(ConversationKey, i64)>,
    /// Deleted accounts whose messages are redacted, each with the last journal row that may have
    /// one.
    erased: VecDeque<(u64, i64)>,
    /// Those without messages, of which the journal's files may still have something.
    redacted: Vec<(u64, i64)>,
    wipe_at: Option<Instant>,
    /// After a failure.
    rests_until: Option<Instant>,
    /// Numbers of deleted conversations of which something is left.
    forgotten: VecDeque<u32>,
    /// The chore in progress.
    running: Option<Running>,
    /// Purges with messages to be marked as hidden, at most.
    purges: usize,
    /// Keys of `/once` before this moment expire.
    once_before: Option<i64>,
}

impl RetentionSweep {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            now: Timestamp(0),
            aged_from: None,
            aged: VecDeque::new(),
            low: VecDeque::new(),
            low_known: HashSet::new(),
            swept: VecDeque::new(),
            erased: VecDeque::new(),
            redacted: Vec::new(),
            wipe_at: None,
            rests_until: None,
            forgotten: VecDeque::new(),
            running: None,
            purges: 0,
            once_before: None,
        }
    }

    /// Starts a sweep over everything.
    pub(super) fn begin(&mut self, now: Timestamp, once_millis: i64) {
        self.now = now;
        self.aged_from = Some(0);
        self.once_before = Some(now.0.saturating_sub(once_millis));
    }

    /// Whether [`RetentionSweep::step`] has something to do now.
    pub(super) fn has_more(&self, writer: &Writer) -> bool {
        if self.running.is_some() {
            return writer.has_report();
        }
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        self.purges > 0
            || self.may_wipe()
            || !self.forgotten.is_empty()
            || self.erased.front().is_some_and(|(_, row)| writer.is_put(*row))
            || self.swept.front().is_some_and(|(_, row)| writer.is_put(*row))
            || !self.aged.is_empty()
            || self.aged_from.is_some()
            || !self.low.is_empty()
            || self.once_before.is_some()
    }

    /// Whether work waits for something: earlier messages must be in the tables, or a failure is
    /// over.
    pub(super) fn waits(&self) -> bool {
        self.purges > 0
            || !self.erased.is_empty()
            || !self.swept.is_empty()
            || !self.redacted.is_empty()
    }

    fn may_wipe(&self) -> bool {
        !self.redacted.is_empty() && self.wipe_at.is_none_or(|at| Instant::now() >= at)
    }

    /// Drops the pending work until the next sweep; what it can't find again waits for a moment.
    pub(super) fn rest(&mut self) {
        self.rests_until = Some(Instant::now() + AFTER_A_FAILURE);
        self.aged_from = None;
        self.aged.clear();
        self.low.clear();
        self.low_known.clear();
        self.swept.clear();
        self.forgotten.clear();
        self.once_before = None;
    }

    /// Deleted accounts of which the journal has nothing after this row.
    pub(super) fn erase(&mut self, accounts: impl IntoIterator<Item = u64>, row: i64) {
        self.erased.extend(accounts.into_iter().map(|user_id| (user_id, row)));
    }

    /// Adds pending purges.
    pub(super) fn purge(&mut self, purges: usize) {
        self.purges += purges;
    }

    pub(super) fn pending_purges(&self) -> usize {
        self.purges
    }

    /// Conversations that no one can read any more.
    pub(super) fn over(&mut self, keys: Vec<ConversationKey>) {
        for key in keys {
            self.lower(key);
        }
    }

    fn lower(&mut self, key: ConversationKey) {
        if self.low_known.insert(key.clone()) {
            self.low.push_back(key);
        }
    }

    /// Raises floors for messages pushed out by this batch, in the same commit. Once it is stored,
    /// [`RetentionSweep::raise`] takes the result.
    pub(super) fn add_floors(
        &self,
        index: &ConversationIndex,
        entries: &mut Vec<WriteOp<'_>>,
    ) -> Vec<(ConversationKey, u64)> {
        let mut raised = Vec::new();
        let bounded = self.retention.usual.lines.is_some()
            || self.retention.channels.values().any(|keep| keep.lines.is_some());
        if !bounded {
            return raised;
        }
        for key in index.touched() {
            let Some(most) = self.retention.of(&key).lines else { continue };
            let Some(entry) = index.entry(&key) else { continue };
            let (number, floor) = (entry.number, entry.last.saturating_sub(most));
            if floor > entry.floor {
                entries.push(WriteOp::Floor { number, floor });
                raised.push((key, floor));
            }
        }
        raised
    }

    /// These floors are stored.
    pub(super) fn raise(
        &mut self,
        index: &mut ConversationIndex,
        floors: Vec<(ConversationKey, u64)>,
    ) {
        for (key, floor) in floors {
            index.raise(&key, floor);
            self.lower(key);
        }
    }

    /// Takes the result of the last chore, and starts the next.
    pub(super) fn step(
        &mut self,
        writer: &mut Writer,
        index: &mut ConversationIndex,
        hub: &Hub,
    ) -> Result<(), StoreError> {
        if let Some(running) = self.running.take() {
            let Some(report) = writer.take_report() else {
                self.running = Some(running);
                return Ok(());
            };
            self.finish(running, report?, writer, index, hub)?;
        }
        if let Some((chore, running)) = self.next(writer, index)? {
            writer.start_chore(chore);
            self.running = Some(running);
        }
        Ok(())
    }

    fn next(
        &mut self,
        writer: &mut Writer,
        index: &mut ConversationIndex,
    ) -> Result<Option<(Chore, Running)>, StoreError> {
        if self.purges > 0 {
            return Ok(Some((Chore::Purge, Running::Purge(self.purges))));
        }
        if let Some((user_id, row)) = self.erased.front().copied()
            && writer.is_put(row)
        {
            return Ok(Some((Chore::Redact { user_id }, Running::Redact)));
        }
        if self.may_wipe() {
            let row = self.redacted.iter().map(|(_, row)| *row).max().unwrap_or_default();
            return Ok(Some((Chore::Wipe { row }, Running::Wipe(row))));
        }
        if let Some((key, row)) = self.swept.front().cloned()
            && writer.is_put(row)
        {
            let left = forget(&key, writer, index)?;
            self.forgotten.extend(left);
            self.swept.pop_front();
            self.low_known.remove(&key);
        }
        if let Some(number) = self.forgotten.front().copied() {
            return Ok(Some((Chore::Forget { number }, Running::Forget)));
        }
        if let Some(key) = self.low.front().cloned() {
            let Some(entry) = index.entry(&key) else {
                self.low.pop_front();
                self.low_known.remove(&key);
                return Ok(None);
            };
            let (number, last) = (entry.number, entry.last);
            if entry.is_over() && entry.floor < last {
                writer.raise_floor(number, last)?;
                index.raise(&key, last);
            }
            let floor = index.entry(&key).map_or(0, |entry| entry.floor);
            return Ok(Some((Chore::Sweep { number }, Running::Sweep(key, floor))));
        }
        if self.aged.is_empty()
            && let Some(number) = self.aged_from
        {
            let some: Vec<_> = index.from(number).take(CONVERSATIONS_A_STEP).collect();
            self.aged_from = some.last().map(|(last, _)| last.saturating_add(1));
            self.aged.extend(some.into_iter().map(|(_, key)| key.clone()));
        }
        if !self.aged.is_empty() {
            return self.look_at_some(writer, index);
        }
        Ok(self.once_before.map(|before| (Chore::ForgetOnce { before }, Running::ForgetOnce)))
    }

    fn finish(
        &mut self,
        running: Running,
        ChoreReport { progress, value }: ChoreReport,
        writer: &mut Writer,
        index: &mut ConversationIndex,
        hub: &Hub,
    ) -> Result<(), StoreError> {
        let is_done = progress == Progress::Done;
        match running {
            // Some names had nothing to hide, or were pending already.
            Running::Purge(before) => {
                let new = self.purges.saturating_sub(before);
                self.purges = usize::try_from(value).unwrap_or(usize::MAX).saturating_add(new);
            }
            Running::FindOld(key) => {
                if progress == Progress::Later {
                    self.aged.push_back(key.clone());
                }
                self.raise_floors(vec![(key, value)], writer, index)?;
            }
            Running::Wipe(_) if progress == Progress::Later => {
                self.wipe_at = Some(Instant::now() + WIPE_AGAIN);
            }
            Running::Sweep(key, floor) if is_done => self.is_swept(key, floor, writer, index, hub),
            Running::Redact if is_done => self.redacted.extend(self.erased.pop_front()),
            Running::Wipe(row) if is_done => {
                let done = |(_, last): &(u64, i64)| *last <= row;
                let parties =
                    self.redacted.iter().filter(|one| done(one)).map(|(user_id, _)| *user_id);
                let entries: Vec<_> =
                    parties.map(|user_id| AccountOp::Redacted { user_id }.into()).collect();
                writer.commit(&entries)?;
                self.redacted.retain(|one| !done(one));
            }
            Running::Forget if is_done => drop(self.forgotten.pop_front()),
            Running::ForgetOnce if is_done => self.once_before = None,
            Running::Sweep(..)
            | Running::Redact
            | Running::Wipe(_)
            | Running::Forget
            | Running::ForgetOnce => {}
        }
        Ok(())
    }

    /// Looks at some conversations. Returns the chore for one whose messages expire by their age.
    fn look_at_some(
        &mut self,
        writer: &mut Writer,
        index: &mut ConversationIndex,
    ) -> Result<Option<(Chore, Running)>, StoreError> {
        let mut floors = Vec::new();
        let mut chore = None;
        for _ in 0..CONVERSATIONS_A_STEP {
            let Some(key) = self.aged.pop_front() else { break };
            let Some(entry) = index.entry(&key) else { continue };
            let keep = self.retention.of(&key);
            let mut floor = entry.floor;
            if let Some(most) = keep.lines {
                floor = floor.max(entry.last.saturating_sub(most));
            }
            if let Some(days) = keep.days {
                let oldest = self.now.0.saturating_sub(i64::from(days).saturating_mul(DAY_MILLIS));
                let find = Chore::FindOld { number: entry.number, after: floor, before: oldest };
                chore = Some((find, Running::FindOld(key)));
                break;
            }
            floors.push((key, floor));
        }
        self.raise_floors(floors, writer, index)?;
        Ok(chore)
    }

    /// Raises floors of conversations, in one commit.
    fn raise_floors(
        &mut self,
        floors: Vec<(ConversationKey, u64)>,
        writer: &mut Writer,
        index: &mut ConversationIndex,
    ) -> Result<(), StoreError> {
        let mut raised = Vec::new();
        let mut entries = Vec::new();
        for (key, floor) in floors {
            let Some(entry) = index.entry(&key) else { continue };
            let floor = if entry.is_over() { entry.last } else { floor.max(entry.floor) };
            if floor > entry.floor {
                entries.push(WriteOp::Floor { number: entry.number, floor });
            }
            // Also those left over by an earlier process.
            if floor > 0 || entry.is_over() {
                raised.push((key, floor));
            }
        }
        if !entries.is_empty() {
            writer.commit(&entries)?;
        }
        self.raise(index, raised);
        Ok(())
    }

    /// The messages up to this floor of a conversation are deleted; an ended one goes with its last
    /// message.
    fn is_swept(
        &mut self,
        key: ConversationKey,
        floor: u64,
        writer: &Writer,
        index: &ConversationIndex,
        hub: &Hub,
    ) {
        // A failure may have dropped it meanwhile.
        if self.low.front() != Some(&key) {
            return;
        }
        let is_lower = |entry: &ConversationEntry| {
            entry.floor > floor || entry.is_over() && entry.floor < entry.last
        };
        if index.entry(&key).is_some_and(is_lower) {
            // Its floor was raised, or it ended, during the last turn: it is swept again.
            return;
        }
        self.low.pop_front();
        match index.entry(&key) {
            // It stays in the set until it is removed.
            Some(entry) if entry.is_over() => self.swept.push_back((key, writer.last_row())),
            entry => {
                if let (Some(entry), ConversationKey::Channel(name)) = (entry, &key) {
                    hub.forget_lines(name, MessageId(entry.floor));
                }
                self.low_known.remove(&key);
            }
        }
    }
}

/// Removes an ended conversation, unless it is a channel that was created again. Returns its number
/// if something of it is left.
fn forget(
    key: &ConversationKey,
    writer: &mut Writer,
    register: &mut ConversationIndex,
) -> Result<Option<u32>, StoreError> {
    let Some(entry) = register.entry(key).filter(|entry| entry.is_over()) else { return Ok(None) };
    let number = entry.number;
    let is_left = writer.forget_conversation(number)?;
    register.remove(key);
    Ok(is_left.then_some(number))
}
