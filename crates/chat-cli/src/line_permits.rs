//! How many lines may wait to be said, shared by who types them and who says them.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::session::MAX_OUTBOX;

/// Places for lines. The editor takes one for each line it gives away, so that a line for which
/// there is none stays in the editor.
#[derive(Debug, Default)]
pub(crate) struct LinePermits {
    taken: AtomicUsize,
}

impl LinePermits {
    /// Takes a place, if there is one.
    pub(crate) fn take(&self) -> bool {
        let one_more = |taken| (taken < MAX_OUTBOX).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// Takes a place even if there is none: commands are always taken.
    pub(crate) fn force(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    /// Where `before` places were in use, `after` are now.
    pub(crate) fn settle(&self, before: usize, after: usize) {
        let change = |taken: usize| Some((taken + after).saturating_sub(before));
        // It always changes it.
        let _ = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_up_to_the_bound_and_given_back() {
        let permits = LinePermits::default();
        assert!((0..MAX_OUTBOX).all(|_| permits.take()));
        assert!(!permits.take());
        permits.force();
        permits.settle(2, 1);
        assert!(!permits.take());
        permits.settle(1, 0);
        assert!(permits.take() && !permits.take());
    }
}
