//! Work that waits for a thread of its own: for what may block, such as a disk.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::hub::lock;

/// What waits for one thread, or for several that [`pass_on`](Backlog::pass_on). Whoever adds to it bounds how much that can be; it says how.
pub(crate) struct Backlog<T> {
    state: Mutex<State<T>>,
    added: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// How long to wait for something.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    Not,
    For(Duration),
    Long,
}

/// What the thread is to do next.
pub(crate) enum Next<T> {
    /// This.
    Some(T),
    /// Nothing waits.
    Nothing,
    /// Nothing waits, and nothing comes any more.
    Closed,
}

/// The nice value of the lowest priority that there is.
const LOWEST: i32 = 19;

/// From now on this thread works when the processor has nothing else to do. That can't be taken back.
pub(crate) fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST) {
        tracing::debug!(%error, "a thread goes on at the usual priority");
    }
}

/// From now on this thread works only while nobody else does, and gives way at once: a thread of the lowest priority
/// that has just begun is not interrupted for some milliseconds. For work that waits if need be for as long as anything
/// else is to be done.
pub(crate) fn work_when_idle() {
    use thread_priority::unix::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let lowest = thread_priority::ThreadPriority::Min;
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), lowest, policy) {
        tracing::debug!(?error, "a thread goes on at a low priority");
        lower_priority();
    }
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), added: Condvar::new() }
    }
}

impl<T> Backlog<T> {
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

    /// Wakes one more thread if something waits. For several threads at one backlog: each that has taken something
    /// calls it, since what is added beside other things wakes nobody.
    pub(crate) fn pass_on(&self) {
        if !self.is_empty() {
            self.added.notify_one();
        }
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

    /// Takes what waits, `most` at most; if there is nothing, waits for something, for so long.
    pub(crate) fn next(&self, most: usize, wait: Wait) -> Next<Vec<T>> {
        loop {
            match self.wait(most, wait) {
                Next::Some(()) => {}
                Next::Nothing => return Next::Nothing,
                Next::Closed => return Next::Closed,
            }
            let some = self.take(most);
            if !some.is_empty() {
                return Next::Some(some);
            }
        }
    }

    /// Waits until there is something, for so long, and leaves it there. `most` is how much is usually taken at
    /// once.
    pub(crate) fn wait(&self, most: usize, wait: Wait) -> Next<()> {
        let mut state = lock(&self.state);
        loop {
            if !state.waiting.is_empty() {
                return Next::Some(());
            }
            if state.closed {
                return Next::Closed;
            }
            state = match wait {
                Wait::Not => return Next::Nothing,
                Wait::For(time) => {
                    let waited = self.added.wait_timeout(state, time);
                    let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && state.waiting.is_empty() && !state.closed {
                        return Next::Nothing;
                    }
                    state
                }
                Wait::Long => {
                    state.waiting.shrink_to(most);
                    self.added.wait(state).unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }
}
