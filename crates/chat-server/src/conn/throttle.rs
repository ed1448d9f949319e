//! The rate of one connection's lines: a burst, then a number per second. The cost of a line is its
//! length in bytes; a short one counts as [`LINE`] bytes.
//!
//! The generic cell rate algorithm (ITU-T I.371), whose state is one instant. Time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::hub::limits::LINE;

/// Amount taken at once from the shares of the account and the address: several lines, which keeps
/// the calls few.
const GRANT: u32 = 4 * LINE;

/// A rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Lines that may run at once.
    pub burst: u32,
    /// Lines per second after the burst; at least one.
    pub per_second: u32,
}

impl ThrottleConfig {
    /// The interval of one line.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }

    /// How far lines may run ahead of their time.
    fn tolerance(self) -> Duration {
        self.interval() * self.burst.saturating_sub(1)
    }
}

/// The position of one connection within the shared rate limit.
pub(super) struct Throttle {
    /// The time at which all lines so far are paid for.
    due: Instant,
}

/// The unused part of the shares of the account and the address; a debt if negative.
#[derive(Default)]
pub(super) struct ShareCredit(i32);

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now }
    }

    /// Checks whether a line may run now.
    ///
    /// # Errors
    ///
    /// When it may run.
    pub(super) fn may_go(&self, config: ThrottleConfig, now: Instant) -> Result<(), Instant> {
        match self.due.checked_sub(config.tolerance()) {
            Some(at) if at > now => Err(at),
            _ => Ok(()),
        }
    }

    /// Charges a cost in bytes.
    pub(super) fn charge(&mut self, config: ThrottleConfig, cost: u32, now: Instant) {
        self.due = self.due.max(now) + config.interval() * cost / LINE;
    }

    /// The time from which the whole burst is available.
    pub(super) fn rests_at(&self) -> Instant {
        self.due
    }
}

impl ShareCredit {
    /// The amount to take from the shares; `None` if some is left.
    pub(super) fn lacks(&self) -> Option<u32> {
        (self.0 <= 0).then(|| self.0.unsigned_abs().saturating_add(GRANT))
    }

    /// Adds what was taken.
    pub(super) fn add(&mut self, amount: u32) {
        self.0 = self.0.saturating_add_unsigned(amount);
    }

    /// Charges a cost in bytes.
    pub(super) fn used(&mut self, cost: u32) {
        self.0 = self.0.saturating_sub_unsigned(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_a_steady_rate() {
        let start = Instant::now();
        let config = ThrottleConfig { burst: 100, per_second: 10 };
        let mut throttle = Throttle::new(start);
        let mut now = start;
        let mut gone = Vec::new();
        for _ in 0..150 {
            if let Err(at) = throttle.may_go(config, now) {
                assert!(at > now);
                now = at;
                assert_eq!(throttle.may_go(config, now), Ok(()));
            }
            throttle.charge(config, LINE, now);
            gone.push(now - start);
        }
        assert_eq!(gone[99], Duration::ZERO);
        assert_eq!(gone[100], Duration::from_millis(100));
        assert_eq!(gone[149], Duration::from_secs(5));
        // After a pause the whole burst is available.
        now += Duration::from_mins(1);
        for _ in 0..100 {
            assert_eq!(throttle.may_go(config, now), Ok(()));
            throttle.charge(config, LINE, now);
        }
        assert!(throttle.may_go(config, now).is_err());
    }

    #[test]
    fn shares_of_the_address_are_spent_and_debt_is_carried() {
        let mut credit = ShareCredit::default();
        assert_eq!(credit.lacks(), Some(GRANT));
        credit.add(GRANT);
        for _ in 0..3 {
            credit.used(LINE);
            assert_eq!(credit.lacks(), None);
        }
        credit.used(5 * LINE);
        assert_eq!(credit.lacks(), Some(4 * LINE + GRANT));
    }
}
