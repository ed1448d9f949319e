//! Wakes one connection's task, and marks the sources that have something for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::hub::fanout::wake_batch;

/// One bit for each source. Adding to a source sets its bit, and wakes the task unless it is awake
/// already. Acks that print nothing don't wake it: they are found at the next wake.
#[derive(Default)]
pub(crate) struct ReadySet {
    bits: AtomicU64,
    pub(in crate::hub) waker: AtomicWaker,
}

impl ReadySet {
    /// The bit of notifications.
    pub(crate) const NOTES: u32 = 63;
    /// The bit of private messages.
    pub(crate) const PRIVATE: u32 = 62;
    /// The task was woken, and hasn't taken since.
    const WOKEN: u64 = 1 << 61;
    /// Acks of the client's own messages print nothing.
    const INDIFFERENT: u64 = 1 << 60;
    /// The bits below are the channels', by the slot that the session assigned.
    pub(crate) const CHANNEL_SLOTS: u32 = 60;

    pub(crate) fn notify(&self, bit: u32) {
        if self.bits.fetch_or(1 << bit | Self::WOKEN, Ordering::AcqRel) & Self::WOKEN == 0 {
            wake_batch::wake(&self.waker);
        }
    }

    /// Marks an ack of the client's own message, which doesn't wake it if it prints nothing.
    pub(crate) fn notify_own(&self, bit: u32) {
        let woken = |bits| if bits & Self::INDIFFERENT == 0 { Self::WOKEN } else { 0 };
        let set = |bits| Some(bits | 1 << bit | woken(bits));
        let before = self.bits.fetch_update(Ordering::AcqRel, Ordering::Acquire, set);
        if before.is_ok_and(|bits| bits & (Self::INDIFFERENT | Self::WOKEN) == 0) {
            wake_batch::wake(&self.waker);
        }
    }

    /// Takes all bits.
    pub(crate) fn take(&self) -> u64 {
        if !self.is_ready() {
            return 0;
        }
        let taken = self.bits.fetch_and(Self::INDIFFERENT, Ordering::AcqRel);
        taken & !(Self::INDIFFERENT | Self::WOKEN)
    }

    /// Whether any bit is set.
    pub(crate) fn is_ready(&self) -> bool {
        self.bits.load(Ordering::Acquire) & !Self::INDIFFERENT != 0
    }

    /// Registers the task for the next wake.
    pub(crate) fn watch(&self, cx: &mut Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// Ready when any bit is set. `indifferent` is set while acks of the client's own messages
    /// print nothing.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, indifferent: bool) -> Poll<()> {
        if self.is_ready() {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        let before = if indifferent {
            self.bits.fetch_or(Self::INDIFFERENT, Ordering::AcqRel)
        } else {
            self.bits.fetch_and(!Self::INDIFFERENT, Ordering::AcqRel)
        };
        if before & !Self::INDIFFERENT == 0 { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};
    use std::time::{Duration, Instant};

    const DEADLINE: Duration = Duration::from_mins(1);

    #[derive(Default)]
    struct Count(AtomicUsize);

    struct Unpark(std::thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn bits_stay_set_until_they_are_taken() {
        let ready = ReadySet::default();
        assert_eq!(ready.take(), 0);
        ready.notify(3);
        ready.notify(ReadySet::NOTES);
        ready.notify(3);
        assert_eq!(ready.take(), 1 << 3 | 1 << 63);
        assert_eq!(ready.take(), 0);
    }

    #[test]
    fn an_indifferent_task_is_woken_for_everything_but_its_own_acks() {
        let ready = ReadySet::default();
        let count = Arc::new(Count::default());
        let own = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&own);
        let wakes = || count.0.load(Ordering::SeqCst);
        for (indifferent, woken) in [(false, 1), (true, 0), (false, 1)] {
            let before = wakes();
            assert!(ready.poll(&mut cx, indifferent).is_pending());
            ready.notify_own(3);
            assert_eq!(wakes() - before, woken, "{indifferent}");
            ready.notify_own(ReadySet::NOTES);
            assert_eq!(wakes() - before, woken, "{indifferent}");
            ready.notify(ReadySet::PRIVATE);
            assert_eq!(wakes() - before, 1, "{indifferent}");
            ready.notify(4);
            assert_eq!(wakes() - before, 1, "once is enough");
            assert!(ready.is_ready());
            assert_eq!(ready.take(), 1 << 3 | 1 << 4 | 1 << 62 | 1 << 63);
            assert!(!ready.is_ready() && ready.take() == 0);
        }
        // A task about to sleep finds what was set while it was indifferent.
        assert!(ready.poll(&mut cx, true).is_pending());
        ready.notify_own(3);
        assert!(ready.poll(&mut cx, false).is_ready());
        assert_eq!(ready.take(), 1 << 3);
    }

    #[test]
    fn no_wake_is_lost_before_a_task_sleeps() {
        const ROUNDS: u64 = 100_000;
        let (ready, rung) = (Arc::new(ReadySet::default()), Arc::new(AtomicU64::new(0)));
        let ringing = std::thread::spawn({
            let (ready, rung) = (Arc::clone(&ready), Arc::clone(&rung));
            move || {
                for nth in 0..ROUNDS {
                    rung.store(nth + 1, Ordering::Release);
                    // The last one wakes.
                    if nth % 3 == 0 && nth + 1 < ROUNDS {
                        ready.notify_own(3);
                    } else {
                        ready.notify(4);
                    }
                }
            }
        });
        let own = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&own);
        let mut indifferent = false;
        let mut seen = 0;
        while seen < ROUNDS {
            // Alternately with and without indifference, like a task about to sleep.
            indifferent = !indifferent;
            while ready.poll(&mut cx, indifferent).is_pending() {
                let before = Instant::now();
                std::thread::park_timeout(DEADLINE);
                assert!(before.elapsed() < DEADLINE, "not woken, after {seen}");
            }
            ready.take();
            seen = rung.load(Ordering::Acquire);
        }
        ringing.join().unwrap();
    }
}
