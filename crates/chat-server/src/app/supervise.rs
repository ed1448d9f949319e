//! Runs the long-lived tasks of the server again when a panic ends them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

/// The wait before a task is started again: doubled with each panic, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A task that ran for this long is started again after the first wait.
const STEADY: Duration = Duration::from_mins(1);

/// Runs a task until it ends by itself. A panic is logged with the name of the task and how often
/// it has panicked, and the task is started again with the same `state`.
pub(super) async fn supervise<S: Clone, F: Future<Output = ()>>(
    task: &'static str,
    state: S,
    mut run: impl FnMut(S) -> F,
) {
    let mut panics = 0_u64;
    let mut wait = FIRST_WAIT;
    loop {
        let started = Instant::now();
        if AssertUnwindSafe(run(state.clone())).catch_unwind().await.is_ok() {
            return;
        }
        panics += 1;
        if started.elapsed() >= STEADY {
            wait = FIRST_WAIT;
        }
        // The panic hook has logged the place.
        tracing::error!(
            task,
            panics,
            wait_millis = wait.as_millis(),
            "a task of the server panicked; it is restarted"
        );
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_panicked_task_is_restarted_after_a_growing_delay() {
        let starts = Cell::new(Vec::new());
        let begun = Instant::now();
        supervise("a test", (), |()| async {
            let mut all = starts.take();
            all.push(begun.elapsed());
            let count = all.len();
            starts.set(all);
            assert!(count > 12, "it panics twelve times");
        })
        .await;
        let starts = starts.take();
        assert_eq!(starts.len(), 13);
        assert_eq!(starts[1], FIRST_WAIT);
        assert_eq!(starts[2], FIRST_WAIT * 3);
        assert_eq!(starts[12], starts[11] + LONGEST_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_run_for_long_is_restarted_soon() {
        let starts = Cell::new(0);
        let begun = Instant::now();
        supervise("a test", (), |()| async {
            starts.set(starts.get() + 1);
            tokio::time::sleep(STEADY).await;
            assert!(starts.get() > 5, "it panics five times");
        })
        .await;
        assert_eq!(begun.elapsed(), 6 * STEADY + 5 * FIRST_WAIT);
    }
}
