//! Chores: work on stored lines that the flushing thread does in small steps, so that commits go on
//! between two of them.

use crate::store::StoreError;

/// A chore. Each is done in turns, and may be given up after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Marks the lines of pending purges as hidden.
    Purge,
    /// Redacts the lines of a deleted account, and deletes what else belongs to it.
    Redact {
        /// The account.
        user_id: u64,
    },
    /// Overwrites what the files of the journal have of rows up to this one.
    Wipe {
        /// The row.
        row: i64,
    },
    /// Deletes lines below the floor of a conversation.
    Sweep {
        /// The conversation.
        number: u32,
    },
    /// Deletes what belonged to a deleted conversation.
    Forget {
        /// The conversation.
        number: u32,
    },
    /// Deletes idempotency keys from before a time.
    ForgetOnce {
        /// The time.
        before: i64,
    },
    /// Finds the last of the lines after an id that are all older than a time.
    FindOld {
        /// The conversation.
        number: u32,
        /// The id.
        after: u64,
        /// The time.
        before: i64,
    },
}

/// How far a turn came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left.
    Done,
    /// There may be more.
    More,
    /// There is more, but not in this turn: a read must end first, or the chore changes.
    Later,
}

impl Progress {
    pub(in crate::store) fn more(is_more: bool) -> Self {
        if is_more { Self::More } else { Self::Done }
    }
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChoreReport {
    /// How far it came.
    pub progress: Progress,
    /// Of [`Chore::Purge`]: the pending purges. Of [`Chore::FindOld`]: the id of the line.
    pub value: u64,
}

impl From<Progress> for ChoreReport {
    fn from(progress: Progress) -> Self {
        Self { progress, value: 0 }
    }
}

/// The chore that the commits asked for.
#[derive(Default)]
pub(super) enum ChoreSlot {
    #[default]
    Empty,
    Waiting(Chore),
    Running,
    Ended(Result<ChoreReport, StoreError>),
}
