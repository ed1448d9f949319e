//! Wakes of a whole batch at once.
//!
//! A thread outside the runtime that publishes a batch would wake the runtime with the first
//! message, which would then handle that message alone and sleep again. So wakes are gathered until
//! the batch is published, and one task inside the runtime forwards them: each client finds all of
//! its events, and one system call wakes all tasks.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use futures_util::task::AtomicWaker;
use tokio::runtime::Handle;

use crate::util::sync::lock;
use crate::util::sync::{Rank, RankedMutex};

thread_local! {
    /// Wakes deferred by this thread while it publishes a batch.
    static GATHERED: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
    /// A spare buffer for the next batch.
    static SPARE: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Capacity of the spare buffer.
const SPARE_ROOM: usize = 1024;

/// Wakes the registered task: now, or with this thread's batch.
pub(in crate::hub) fn wake(registered: &AtomicWaker) {
    let Some(waker) = registered.take() else { return };
    let now = GATHERED.with_borrow_mut(|gathered| match gathered {
        Some(gathered) => {
            gathered.push(waker);
            None
        }
        None => Some(waker),
    });
    if let Some(waker) = now {
        waker.wake();
    }
}

/// Forwards wakes to the tasks of a runtime.
#[derive(Default)]
pub(in crate::hub) struct WakeBatch {
    waiting: RankedMutex<{ Rank::Wakes as u8 }, Vec<Waker>>,
    task: AtomicWaker,
    /// Whether the forwarding task runs.
    is_there: AtomicBool,
}

impl WakeBatch {
    /// Publishes, and forwards the wakes afterwards.
    pub(in crate::hub) fn batch(&self, tell: impl FnOnce()) {
        // A worker of the runtime wakes others cheaply.
        if !self.is_there.load(Ordering::Acquire) || Handle::try_current().is_ok() {
            return tell();
        }
        GATHERED.set(Some(SPARE.take()));
        let gathering = Gathering(self);
        tell();
        drop(gathering);
    }

    /// Forwards wakes while it is polled.
    pub(in crate::hub) async fn forward_wakes(&self) {
        self.is_there.store(true, Ordering::Release);
        let _ending = RunGuard(self);
        let mut batch = Vec::new();
        loop {
            poll_fn(|cx| {
                self.task.register(cx.waker());
                std::mem::swap(&mut batch, &mut *lock(&self.waiting));
                if batch.is_empty() { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            batch.drain(..).for_each(Waker::wake);
            batch.shrink_to(SPARE_ROOM);
        }
    }
}

/// Forwards the gathered wakes, also after a panic.
struct Gathering<'a>(&'a WakeBatch);

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        let Some(gathered) = GATHERED.take() else { return };
        let spare = self.0.pass_on(gathered);
        if spare.capacity() <= SPARE_ROOM {
            SPARE.set(spare);
        }
    }
}

impl WakeBatch {
    /// Queues wakes for the task; returns a buffer for the next batch.
    fn pass_on(&self, mut gathered: Vec<Waker>) -> Vec<Waker> {
        if gathered.is_empty() {
            return gathered;
        }
        if !self.is_there.load(Ordering::Acquire) {
            gathered.drain(..).for_each(Waker::wake);
            return gathered;
        }
        let mut waiting = lock(&self.waiting);
        if waiting.is_empty() {
            std::mem::swap(&mut *waiting, &mut gathered);
        } else {
            waiting.append(&mut gathered);
        }
        drop(waiting);
        self.task.wake();
        if !self.is_there.load(Ordering::Acquire) {
            // The task ended meanwhile.
            self.wake_all();
        }
        gathered
    }

    fn wake_all(&self) {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Wakes everything when the task ends.
struct RunGuard<'a>(&'a WakeBatch);

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        self.0.is_there.store(false, Ordering::Release);
        self.0.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Count {
        fn registered(self: &Arc<Self>) -> AtomicWaker {
            let registered = AtomicWaker::new();
            registered.register(&Waker::from(Arc::clone(self)));
            registered
        }

        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_batch_wakes_its_clients_through_one_task() {
        let wake_batch = WakeBatch::default();
        let (task, listener) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let tell = || {
            for _ in 0..3 {
                wake(&listener.registered());
            }
        };
        wake_batch.batch(tell);
        assert_eq!(listener.count(), 3, "without a task they are woken at once");
        let own = Waker::from(Arc::clone(&task));
        let mut cx = Context::from_waker(&own);
        let mut passing = Box::pin(wake_batch.forward_wakes());
        assert!(passing.as_mut().poll(&mut cx).is_pending());
        wake_batch.batch(|| {
            tell();
            assert_eq!(listener.count(), 3, "not before all is told");
        });
        assert_eq!((task.count(), listener.count()), (1, 3));
        assert!(passing.as_mut().poll(&mut cx).is_pending());
        assert_eq!(listener.count(), 6);
        // Wakes of a batch just before the task ends, or of one that panics, are not lost.
        wake_batch.batch(tell);
        drop(passing);
        assert_eq!(listener.count(), 9);
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wake_batch.batch(|| {
                tell();
                std::panic::resume_unwind(Box::new(()));
            });
        }));
        assert!(failed.is_err());
        assert_eq!(listener.count(), 12);
    }
}
