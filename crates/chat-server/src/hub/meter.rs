//! How many lines are stored in a minute and in an hour.

use std::sync::Mutex;

use chat_proto::id::Timestamp;

use super::lock;

const MINUTES: i64 = 60;

/// Lines of each minute of an hour.
type Minutes = [u64; 60];

/// Counts lines by the minute, for an hour.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Counts>);

struct Counts {
    all: u64,
    /// The newest that was counted, in minutes since 1970.
    newest: i64,
    /// Each at its number's remainder.
    minutes: Minutes,
}

impl Default for Counts {
    fn default() -> Self {
        Self { all: 0, newest: 0, minutes: [0; 60] }
    }
}

/// So many lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Since the server was started.
    pub(crate) all: u64,
    /// In the last whole minute.
    pub(crate) minute: u64,
    /// In the last 59 whole minutes and the present one.
    pub(crate) hour: u64,
}

impl Meter {
    pub(crate) fn count(&self, now: Timestamp) {
        let mut counts = lock(&self.0);
        counts.go_to(now);
        counts.all += 1;
        // A line that was said in an earlier minute counts for this one.
        let newest = counts.newest;
        *counts.minute(newest) += 1;
    }

    pub(crate) fn read(&self, now: Timestamp) -> Measured {
        let mut counts = lock(&self.0);
        counts.go_to(now);
        let before = counts.newest - 1;
        let minute = *counts.minute(before);
        Measured { all: counts.all, minute, hour: counts.minutes.iter().sum() }
    }
}

impl Counts {
    fn minute(&mut self, number: i64) -> &mut u64 {
        let at = usize::try_from(number.rem_euclid(MINUTES)).unwrap_or(0);
        &mut self.minutes[at]
    }

    /// Empties the minutes that have passed without a line.
    fn go_to(&mut self, now: Timestamp) {
        let minute = now.0.div_euclid(60_000);
        if minute - self.newest >= MINUTES {
            self.minutes = [0; 60];
        } else {
            for passed in self.newest + 1..=minute {
                *self.minute(passed) = 0;
            }
        }
        self.newest = self.newest.max(minute);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_for_an_hour() {
        let meter = Meter::default();
        let at = |minute: i64| Timestamp(1_000_000_020_000 + minute * 60_000);
        let read = |minute| {
            let Measured { all, minute, hour } = meter.read(at(minute));
            (all, minute, hour)
        };
        assert_eq!(read(0), (0, 0, 0));
        meter.count(at(0));
        meter.count(at(0));
        assert_eq!(read(0), (2, 0, 2));
        meter.count(at(1));
        // The clock was set back.
        meter.count(at(0));
        assert_eq!(read(1), (4, 2, 4));
        assert_eq!(read(2), (4, 2, 4));
        assert_eq!(read(59), (4, 0, 4));
        assert_eq!(read(60), (4, 0, 2));
        assert_eq!(read(61), (4, 0, 0));
        meter.count(at(500));
        assert_eq!(read(501), (5, 1, 1));
    }
}
