//! When a query that may take long is given up.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// When a query is given up: at a time, or when its answer has no reader any more.
#[derive(Clone)]
pub struct Cutoff {
    at: Instant,
    /// When the thread has had so much processor time.
    cpu: Option<Duration>,
    is_abandoned: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Cutoff {
    /// At a time, or earlier: when the answer is of no use any more.
    pub fn new(at: Instant, is_abandoned: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { at, cpu: None, is_abandoned: Some(Arc::new(is_abandoned)) }
    }

    /// Also when this thread has had so much more processor time, which is the same on a busy machine.
    #[must_use]
    pub fn after_cpu(self, most: Duration) -> Self {
        Self { cpu: Some(thread_cpu() + most), ..self }
    }

    /// Whether the answer is of no use any more.
    pub fn is_abandoned(&self) -> bool {
        self.is_abandoned.as_ref().is_some_and(|is_abandoned| is_abandoned())
    }

    /// Whether the query is to end now.
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
