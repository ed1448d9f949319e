//! The deadline of a query.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Ends a query at a time, or when its answer is no longer wanted.
#[derive(Clone)]
pub struct Cutoff {
    at: Instant,
    /// Limit on the thread's processor time.
    cpu: Option<Duration>,
    is_abandoned: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Cutoff {
    /// Ends at a time, or earlier once the answer is abandoned.
    pub fn new(at: Instant, is_abandoned: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { at, cpu: None, is_abandoned: Some(Arc::new(is_abandoned)) }
    }

    /// Ends also after this much more processor time of the thread, which is the same on a busy
    /// machine.
    #[must_use]
    pub fn after_cpu(self, most: Duration) -> Self {
        Self { cpu: Some(thread_cpu() + most), ..self }
    }

    /// Whether the answer is no longer wanted.
    pub fn is_abandoned(&self) -> bool {
        self.is_abandoned.as_ref().is_some_and(|is_abandoned| is_abandoned())
    }

    /// Whether the query must end now.
    pub(super) fn is_reached(&self) -> bool {
        self.is_abandoned()
            || self.cpu.is_some_and(|cpu| thread_cpu() > cpu)
            || Instant::now() > self.at
    }
}

impl From<Instant> for Cutoff {
    fn from(at: Instant) -> Self {
        Self { at, cpu: None, is_abandoned: None }
    }
}

fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

impl fmt::Debug for Cutoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cutoff").field("at", &self.at).finish_non_exhaustive()
    }
}
