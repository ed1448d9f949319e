//! Passwords hashed before the call returns.

use crate::auth::password::{self, HashMemory};
use crate::auth::pool::{self, HashJob, HashOutcome, Hasher, OnHashed, StillWanted};
use crate::util::fair_queue::FlowId;

/// Hashes on the thread that submits a job.
pub(super) struct InlineHasher;

impl Hasher for InlineHasher {
    fn ask(&self, _: FlowId, job: HashJob, _: StillWanted, done: OnHashed) {
        let outcome = password::dummy_hash()
            .and_then(|dummy_hash| pool::run(&job, &mut HashMemory::default(), &dummy_hash));
        done(outcome.unwrap_or(HashOutcome::Failed));
    }

    fn waiting(&self) -> usize {
        0
    }
}
