//! The number of lines that may wait to be sent, shared by the editor and the session.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::session::MAX_OUTBOX;

/// Permits for lines. The editor takes one for each line that it submits; a line without a permit
/// stays in the editor.
#[derive(Debug, Default)]
pub(crate) struct LinePermits {
    taken: AtomicUsize,
}

impl LinePermits {
    /// Takes a permit, if one is left.
    pub(crate) fn take(&self) -> bool {
        let one_more = |taken| (taken < MAX_OUTBOX).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// Takes a permit even if none is left: commands are always accepted.
    pub(crate) fn force(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    /// Adjusts the number of permits in use from `before` to `after`.
    pub(crate) fn settle(&self, before: usize, after: usize) {
        let change = |taken: usize| Some((taken + after).saturating_sub(before));
        // The closure always returns a value, so the update can't fail.
        let _ = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_taken_up_to_the_bound_and_returned() {
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
