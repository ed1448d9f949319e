//! A commit log for tests whose clock stands still: a submission is committed before the call
//! returns.

use std::sync::Arc;

use crate::commit::committer::Committer;
use crate::commit::retention::Retention;
use crate::hub::Hub;
use crate::hub::ports::CommitLog;
use crate::hub::proposal::Submission;
use crate::hub::recovered::RecoveredState;
use crate::store::{StoreError, Writer};
use crate::util::sync::{Rank, RankedMutex, lock};

/// Commits on the thread that submits.
pub(super) struct InlineLog {
    committer: RankedMutex<{ Rank::Commit as u8 }, Committer>,
    /// Changes that wait for the next submission.
    pending: RankedMutex<{ Rank::Pending as u8 }, Vec<Submission>>,
}

impl InlineLog {
    /// Takes a store over; returns what it held.
    pub(super) fn new(
        writer: Writer,
        retention: Retention,
    ) -> Result<(Self, RecoveredState), StoreError> {
        let (committer, recovered) = Committer::open(writer, retention)?;
        let committer = RankedMutex::new(committer);
        Ok((Self { committer, pending: RankedMutex::default() }, recovered))
    }
}

impl CommitLog for InlineLog {
    fn submit(&self, submission: Submission, hub: &Arc<Hub>) {
        if let Submission::Change(_) = submission {
            // The caller may hold a lock of the hub, or the committer's.
            lock(&self.pending).push(submission);
            return;
        }
        let pending = std::mem::take(&mut *lock(&self.pending));
        lock(&self.committer).run(pending.into_iter().chain([submission]), hub);
    }
}
