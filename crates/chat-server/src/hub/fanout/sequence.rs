//! The order in which things happen, over all channels and private chats.

use std::sync::atomic::{AtomicU64, Ordering};

/// Gives numbers that grow. Whatever somebody causes after they have seen something has a higher
/// number than what they saw, so a receiver who takes things out by their numbers sees no effect
/// before its cause, wherever the two come in.
#[derive(Debug, Default)]
pub(crate) struct Sequence(AtomicU64);

impl Sequence {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }
}
