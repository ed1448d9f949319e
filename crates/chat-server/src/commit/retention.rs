//! Deletes expired messages without delaying commits.
//!
//! The floor of a conversation hides them at once; they are deleted in small steps between the
//! batches.

use std::collections::{HashMap, HashSet, VecDeque};

use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::time::Timestamp;

use super::conversation_index::ConversationIndex;
use crate::hub::Hub;
use crate::hub::id::ConversationKey;
use crate::store::{AccountOp, StoreError, WriteOp, Writer};

/// Messages deleted by one step, in some milliseconds.
const LINES_A_STEP: usize = 200;

/// Messages marked as hidden by one step, in about a millisecond.
const HIDDEN_A_STEP: usize = 200;

/// Messages redacted by one step: each is overwritten in the index too, which is slow.
const ERASED_A_STEP: usize = 8;

/// Messages whose age one step checks.
const LOOKED_A_STEP: usize = 5_000;

/// Conversations checked by one step.
const CONVERSATIONS_A_STEP: usize = 32;

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

    pub(super) fn has_more(&self, writer: &Writer) -> bool {
        self.purges > 0
            || self.erased.front().is_some_and(|(_, row)| writer.is_put(*row))
            || self.swept.front().is_some_and(|(_, row)| writer.is_put(*row))
            || !self.aged.is_empty()
            || self.aged_from.is_some()
            || !self.low.is_empty()
            || self.once_before.is_some()
    }

    /// Whether work waits until earlier messages are in the tables.
    pub(super) fn waits(&self) -> bool {
        !self.erased.is_empty() || !self.swept.is_empty()
    }

    /// Drops the pending work until the next sweep.
    pub(super) fn rest(&mut self) {
        self.aged_from = None;
        self.aged.clear();
        self.low.clear();
        self.low_known.clear();
        self.swept.clear();
        self.once_before = None;
    }

    /// Deleted accounts of which the journal has nothing after this row.
    pub(super) fn erase(&mut self, accounts: impl IntoIterator<Item = u64>, row: i64) {
        self.erased.extend(accounts.into_iter().map(|party| (party, row)));
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

    /// One step, of some milliseconds.
    pub(super) fn plan(
        &mut self,
        writer: &mut Writer,
        index: &mut ConversationIndex,
        hub: &Hub,
    ) -> Result<(), StoreError> {
        if self.purges > 0 {
            // Some names had nothing to hide, or were pending already.
            self.purges = writer.purge_some(HIDDEN_A_STEP)?;
            return Ok(());
        }
        if let Some((party, row)) = self.erased.front().copied()
            && writer.is_put(row)
        {
            if !writer.redact(party, ERASED_A_STEP)? {
                writer.commit(&[AccountOp::Redacted { party }.into()])?;
                self.erased.pop_front();
            }
            return Ok(());
        }
        if let Some((key, row)) = self.swept.front().cloned()
            && writer.is_put(row)
        {
            forget(&key, writer, index)?;
            self.swept.pop_front();
            self.low_known.remove(&key);
            return Ok(());
        }
        if let Some(key) = self.low.front().cloned() {
            return self.delete(&key, writer, index, hub);
        }
        if self.aged.is_empty()
            && let Some(number) = self.aged_from
        {
            let some: Vec<_> = index.from(number).take(CONVERSATIONS_A_STEP).collect();
            self.aged_from = some.last().map(|(last, _)| last.saturating_add(1));
            self.aged.extend(some.into_iter().map(|(_, key)| key.clone()));
        }
        if !self.aged.is_empty() {
            let some = self.aged.len().min(CONVERSATIONS_A_STEP);
            let some: Vec<_> = self.aged.drain(..some).collect();
            for key in some {
                self.look_at(key, writer, index)?;
            }
            return Ok(());
        }
        if let Some(time) = self.once_before
            && writer.forget_once_before(time, LINES_A_STEP)? < LINES_A_STEP
        {
            self.once_before = None;
        }
        Ok(())
    }

    /// Raises a conversation's floor past messages that are too old or too many.
    fn look_at(
        &mut self,
        key: ConversationKey,
        writer: &mut Writer,
        index: &mut ConversationIndex,
    ) -> Result<(), StoreError> {
        let Some(entry) = index.entry(&key) else { return Ok(()) };
        let keep = self.retention.of(&key);
        let mut floor = entry.floor;
        if let Some(most) = keep.lines {
            floor = floor.max(entry.last.saturating_sub(most));
        }
        if let Some(days) = keep.days {
            let oldest = self.now.0.saturating_sub(i64::from(days).saturating_mul(DAY_MILLIS));
            let (last, more) = writer.last_before(entry.number, floor, oldest, LOOKED_A_STEP)?;
            floor = last;
            if more {
                self.aged.push_back(key.clone());
            }
        }
        if entry.is_over() {
            floor = entry.last;
        }
        if floor > entry.floor {
            writer.raise_floor(entry.number, floor)?;
            index.raise(&key, floor);
        }
        // Also those left over by an earlier process.
        if floor > 0
            || index.entry(&key).is_some_and(super::conversation_index::ConversationEntry::is_over)
        {
            self.lower(key);
        }
        Ok(())
    }

    /// Deletes some messages below the floor; an ended conversation goes with its last message.
    fn delete(
        &mut self,
        key: &ConversationKey,
        writer: &mut Writer,
        index: &mut ConversationIndex,
        hub: &Hub,
    ) -> Result<(), StoreError> {
        if let Some(entry) = index.entry(key) {
            if entry.is_over() && entry.floor < entry.last {
                let last = entry.last;
                writer.raise_floor(entry.number, last)?;
                index.raise(key, last);
                return Ok(());
            }
            if writer.sweep(entry.number, LINES_A_STEP)? == LINES_A_STEP {
                return Ok(());
            }
            if entry.is_over() {
                // It stays in the set until it is removed.
                self.low.pop_front();
                self.swept.push_back((key.clone(), writer.last_row()));
                return Ok(());
            }
            if let ConversationKey::Channel(name) = key {
                hub.forget_lines(name, MessageId(entry.floor));
            }
        }
        self.low.pop_front();
        self.low_known.remove(key);
        Ok(())
    }
}

/// Removes an ended conversation, unless it is a channel that was created again.
fn forget(
    key: &ConversationKey,
    writer: &mut Writer,
    register: &mut ConversationIndex,
) -> Result<(), StoreError> {
    if let Some(entry) = register.entry(key).filter(|entry| entry.is_over()) {
        writer.forget_conversation(entry.number)?;
        register.remove(key);
    }
    Ok(())
}
