//! A commit log for tests whose clock stands still: a submission is committed before the call
//! returns.

use std::sync::Arc;

use crate::commit::committer::Committer;
use crate::commit::retention::Retention;
use crate::commit::submission::Submission;
use crate::hub::Hub;
use crate::hub::admin::command::AdminCommand;
use crate::hub::ports::CommitLog;
use crate::hub::proposal::{AccountProposal, Proposal, StateChange};
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
        book: Writer,
        retention: Retention,
    ) -> Result<(Self, RecoveredState), StoreError> {
        let (committer, recovered) = Committer::open(book, retention)?;
        let committer = RankedMutex::new(committer);
        Ok((Self { committer, pending: RankedMutex::default() }, recovered))
    }

    fn run(&self, item: Submission, hub: &Arc<Hub>) {
        let pending = std::mem::take(&mut *lock(&self.pending));
        lock(&self.committer).run(pending.into_iter().chain([item]), hub);
    }
}

impl CommitLog for InlineLog {
    fn submit(&self, proposal: Proposal, hub: &Arc<Hub>) {
        self.run(Submission::Proposal(proposal), hub);
    }

    fn submit_account_update(&self, update: AccountProposal, hub: &Arc<Hub>) {
        self.run(Submission::Account(Box::new(update)), hub);
    }

    fn submit_admin_command(&self, command: Box<AdminCommand>, hub: &Arc<Hub>) {
        self.run(Submission::Admin(command), hub);
    }

    fn record(&self, change: StateChange, _: &Arc<Hub>) {
        // The caller may hold a lock of the hub, or the committer's.
        lock(&self.pending).push(Submission::Change(change));
    }
}
