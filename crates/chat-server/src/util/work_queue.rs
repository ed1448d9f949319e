//! Work that waits for a thread of its own: for what may block, such as a disk.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::util::sync::lock;

/// What waits for one thread. Whoever adds to it bounds how much that can be; it says how.
pub(crate) struct WorkQueue<T> {
    state: Mutex<WorkQueueState<T>>,
    added: Condvar,
}

struct WorkQueueState<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// How long to wait for something.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    No,
    For(Duration),
    Forever,
}

impl Wait {
    /// Waits for a notification while the queue is idle: nothing is in it, and it is open. `None` if that is still so when
    /// the time is over.
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

/// What the thread is to do next.
pub(crate) enum Popped<T> {
    /// This.
    Some(T),
    /// Nothing waits.
    Nothing,
    /// Nothing waits, and nothing comes any more.
    Closed,
}

/// How a thread gives way to others, as a nice value.
#[derive(Clone, Copy)]
pub(crate) enum Priority {
    /// It has a tenth of the time of somebody who would always have something to do: others may wait for what it holds.
    Low = 10,
    /// It works when the processor has nothing else to do. Nobody waits for it.
    Lowest = 19,
}

/// From now on this thread gives way to others. That can't be taken back.
pub(crate) fn lower_priority(to: Priority) {
    if let Err(error) = rustix::process::setpriority_process(None, to as i32) {
        tracing::debug!(%error, "a thread goes on at the usual priority");
    }
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        let state = WorkQueueState { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), added: Condvar::new() }
    }
}

impl<T> WorkQueue<T> {
    /// Adds something; once it is closed, that is dropped.
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

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.state).waiting.is_empty()
    }

    /// Nothing more is taken; what waits is still done.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.added.notify_all();
    }

    /// Takes what waits, `most` at most, without waiting for anything.
    pub(crate) fn take(&self, most: usize) -> Vec<T> {
        let mut state = lock(&self.state);
        let some = state.waiting.len().min(most);
        state.waiting.drain(..some).collect()
    }

    /// Waits until there is something, for so long, and leaves it there. `most` is how much is usually taken at
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
