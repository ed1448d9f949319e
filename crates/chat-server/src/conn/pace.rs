//! How fast one connection's lines are carried out: some at once, then so many a second.
//!
//! The generic cell rate algorithm (ITU-T I.371): one instant is all it has to remember. Time comes in as
//! an argument.

use std::time::Duration;

use tokio::time::Instant;

/// A pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Lines that may come at once.
    pub burst: u32,
    /// Lines in a second after that; at least one.
    pub per_second: u32,
}

impl Rate {
    /// The time that each line takes up.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }

    /// How far the lines may be ahead of their time.
    fn tolerance(self) -> Duration {
        self.interval() * self.burst.saturating_sub(1)
    }
}

/// How far one connection is within its pace, which is the same for all.
pub(super) struct Pace {
    /// When everything that was carried out has had its time.
    due: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now }
    }

    /// Whether a line may go now.
    ///
    /// # Errors
    ///
    /// When it may.
    pub(super) fn may_go(&self, rate: Rate, now: Instant) -> Result<(), Instant> {
        match self.due.checked_sub(rate.tolerance()) {
            Some(at) if at > now => Err(at),
            _ => Ok(()),
        }
    }

    /// A line went.
    pub(super) fn went(&mut self, rate: Rate, now: Instant) {
        self.due = self.due.max(now) + rate.interval();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_at_once_then_so_many_a_second() {
        let start = Instant::now();
        let rate = Rate { burst: 100, per_second: 10 };
        let mut pace = Pace::new(start);
        let mut now = start;
        let mut gone = Vec::new();
        for _ in 0..150 {
            if let Err(at) = pace.may_go(rate, now) {
                assert!(at > now);
                now = at;
                assert_eq!(pace.may_go(rate, now), Ok(()));
            }
            pace.went(rate, now);
            gone.push(now - start);
        }
        assert_eq!(gone[99], Duration::ZERO);
        assert_eq!(gone[100], Duration::from_millis(100));
        assert_eq!(gone[149], Duration::from_secs(5));
        // After a rest the whole burst is there again.
        now += Duration::from_mins(1);
        for _ in 0..100 {
            assert_eq!(pace.may_go(rate, now), Ok(()));
            pace.went(rate, now);
        }
        assert!(pace.may_go(rate, now).is_err());
    }
}
