//! The progress of the committer, for the watchdog.

use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of the batch, for the watchdog.
#[derive(Default)]
pub(super) struct CommitProgress(AtomicU64);

/// What the committer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitStage {
    Idle = 0,
    /// Reads or writes the store.
    Disk = 1,
    /// Publishes what is stored.
    Publishing = 2,
}

impl CommitProgress {
    /// Called only with the committer locked.
    pub(super) fn enter(&self, stage: CommitStage) {
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
