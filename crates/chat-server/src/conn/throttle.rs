//! How fast one connection's lines are carried out: some at once, then so many a second. A line counts for what it
//! costs: bytes are counted, and a short one counts as [`LINE`] of them.
//!
//! The generic cell config algorithm (ITU-T I.371): one instant is all it has to remember. Time comes in as
//! an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::hub::limits::LINE;

/// What is taken at once of what the account and the address have: several lines, so that it is seldom asked for.
const GRANT: u32 = 4 * LINE;

/// A throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Lines that may come at once.
    pub burst: u32,
    /// Lines in a second after that; at least one.
    pub per_second: u32,
}

impl ThrottleConfig {
    /// The time that each line takes up.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }

    /// How far the lines may be ahead of their time.
    fn tolerance(self) -> Duration {
        self.interval() * self.burst.saturating_sub(1)
    }
}

/// How far one connection is within its throttle, which is the same for all.
pub(super) struct Throttle {
    /// When everything that was carried out has had its time.
    due: Instant,
}

/// What is left of what the account and the address gave, or is owed to them. Apart from the throttle it takes less room.
#[derive(Default)]
pub(super) struct ShareCredit(i32);

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now }
    }

    /// Whether a line may go now.
    ///
    /// # Errors
    ///
    /// When it may.
    pub(super) fn may_go(&self, config: ThrottleConfig, now: Instant) -> Result<(), Instant> {
        match self.due.checked_sub(config.tolerance()) {
            Some(at) if at > now => Err(at),
            _ => Ok(()),
        }
    }

    /// Something that costs as much as so many bytes charge.
    pub(super) fn charge(&mut self, config: ThrottleConfig, cost: u32, now: Instant) {
        self.due = self.due.max(now) + config.interval() * cost / LINE;
    }

    /// When no line of this connection goes before its time any more.
    pub(super) fn rests_at(&self) -> Instant {
        self.due
    }
}

impl ShareCredit {
    /// What is to be asked for of what the account and the address have; `None` if there is some left.
    pub(super) fn lacks(&self) -> Option<u32> {
        (self.0 <= 0).then(|| self.0.unsigned_abs().saturating_add(GRANT))
    }

    /// It was given.
    pub(super) fn add(&mut self, amount: u32) {
        self.0 = self.0.saturating_add_unsigned(amount);
    }

    /// Something that costs as much as so many bytes charge.
    pub(super) fn used(&mut self, cost: u32) {
        self.0 = self.0.saturating_sub_unsigned(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_at_once_then_so_many_a_second() {
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
        // After a rest the whole burst is there again.
        now += Duration::from_mins(1);
        for _ in 0..100 {
            assert_eq!(throttle.may_go(config, now), Ok(()));
            throttle.charge(config, LINE, now);
        }
        assert!(throttle.may_go(config, now).is_err());
    }

    #[test]
    fn what_is_given_by_the_address_is_used_up_and_owed() {
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
