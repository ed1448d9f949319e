//! The order of events over all channels and private chats.

use std::sync::atomic::{AtomicU64, Ordering};

/// Rising numbers. An effect has a higher number than its cause, so a receiver that takes events by
/// number never sees an effect before its cause, whichever queues they come from.
#[derive(Debug, Default)]
pub(crate) struct Sequence(AtomicU64);

impl Sequence {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }
}
