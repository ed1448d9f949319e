//! A queue of work for a thread that may block, such as on a disk.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::util::sync::lock;

/// A queue for one thread. Its users bound its length, and document how.
pub(crate) struct WorkQueue<T> {
    state: Mutex<WorkQueueState<T>>,
    added: Condvar,
}

struct WorkQueueState<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// How long to wait for an item.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    No,
    For(Duration),
    Forever,
}

impl Wait {
    /// Waits on a condition while the queue is open and empty. `None` if it still is after the
    /// time.
    pub(crate) fn on<'a, S>(
        self,
        added: &Condvar,
        state: MutexGuard<'a, S>,
        is_idle: impl Fn(&S) -> bool,
    ) -> Option<MutexGuard<'a, S>> {
        match self {
            Self::No => None,
            Self::For(time) => {
                let waited = added.wait_timeout_while(state, time, |state| is_idle(state));
                let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                (!timeout.timed_out()).then_some(state)
            }
            Self::Forever => Some(added.wait(state).unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// The result of a wait.
pub(crate) enum Popped<T> {
    /// An item.
    Some(T),
    /// The queue is empty.
    Nothing,
    /// The queue is empty and closed.
    Closed,
}

/// The priority of a thread, as a nice value.
#[derive(Clone, Copy)]
pub(crate) enum Priority {
    /// A tenth of the share of a busy thread, for threads that hold what others wait for.
    Low = 10,
    /// Runs only when the processor is otherwise idle. No thread waits for it.
    Lowest = 19,
}

/// Lowers the priority of this thread, irrevocably.
pub(crate) fn lower_priority(to: Priority) {
    if let Err(error) = rustix::process::setpriority_process(None, to as i32) {
        tracing::debug!(%error, "can't lower the priority of a thread");
    }
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        let state = WorkQueueState { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), added: Condvar::new() }
    }
}

impl<T> WorkQueue<T> {
    /// Adds an item, or drops it once the queue is closed.
    pub(crate) fn add(&self, one: T) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        state.waiting.push_back(one);
        let first = state.waiting.len() == 1;
        drop(state);
        if first {
            self.added.notify_one();
        }
    }

    /// Whether the queue is empty.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.state).waiting.is_empty()
    }

    /// Closes the queue. Queued items are still served.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.added.notify_all();
    }

    /// Takes up to `most` items without waiting.
    pub(crate) fn take(&self, most: usize) -> Vec<T> {
        let mut state = lock(&self.state);
        let some = state.waiting.len().min(most);
        state.waiting.drain(..some).collect()
    }

    /// Waits for an item and leaves it in the queue. `most` is the usual number of items taken at
    /// once.
    pub(crate) fn wait(&self, most: usize, wait: Wait) -> Popped<()> {
        let mut state = lock(&self.state);
        loop {
            if !state.waiting.is_empty() {
                return Popped::Some(());
            }
            if state.closed {
                return Popped::Closed;
            }
            if matches!(wait, Wait::Forever) {
                state.waiting.shrink_to(most);
            }
            let is_idle = |state: &WorkQueueState<T>| state.waiting.is_empty() && !state.closed;
            match wait.on(&self.added, state, is_idle) {
                Some(woken) => state = woken,
                None => return Popped::Nothing,
            }
        }
    }
}
