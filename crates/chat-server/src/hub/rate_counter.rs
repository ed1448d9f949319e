//! Counts stored messages per minute and per hour.

use chat_proto::time::Timestamp;

use crate::util::sync::lock;
use crate::util::sync::{Rank, RankedMutex};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// Spans that each window covers.
const SPANS: i64 = 60;

/// Counts by the second for a minute, and by the minute for an hour.
pub(crate) struct RateCounter(RankedMutex<{ Rank::Rates as u8 }, Counters>);

struct Counters {
    all: u64,
    seconds: Window,
    minutes: Window,
}

/// The last [`SPANS`] spans, the present one included.
struct Window {
    /// How long a span is, in milliseconds.
    millis: i64,
    /// The newest span counted, since 1970.
    newest: i64,
    /// Each span at its number modulo [`SPANS`].
    spans: [u64; 60],
}

impl Default for RateCounter {
    fn default() -> Self {
        let count = |millis| Window { millis, newest: 0, spans: [0; 60] };
        Self(RankedMutex::new(Counters { all: 0, seconds: count(SECOND), minutes: count(MINUTE) }))
    }
}

/// Messages stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Since the server started.
    pub(crate) all: u64,
    /// In the last 59 whole seconds and the present one.
    pub(crate) minute: u64,
    /// In the last 59 whole minutes and the present one.
    pub(crate) hour: u64,
}

impl RateCounter {
    pub(crate) fn count(&self, now: Timestamp) {
        let mut counts = lock(&self.0);
        counts.all += 1;
        counts.seconds.add(now);
        counts.minutes.add(now);
    }

    pub(crate) fn read(&self, now: Timestamp) -> Rates {
        let mut counts = lock(&self.0);
        let (minute, hour) = (counts.seconds.sum(now), counts.minutes.sum(now));
        Rates { all: counts.all, minute, hour }
    }
}

impl Window {
    fn add(&mut self, now: Timestamp) {
        self.go_to(now);
        // A message of an earlier span counts for this one.
        let newest = self.newest;
        *self.span(newest) += 1;
    }

    fn sum(&mut self, now: Timestamp) -> u64 {
        self.go_to(now);
        self.spans.iter().sum()
    }

    fn span(&mut self, number: i64) -> &mut u64 {
        let at = usize::try_from(number.rem_euclid(SPANS)).unwrap_or(0);
        &mut self.spans[at]
    }

    /// Clears the spans without messages.
    fn go_to(&mut self, now: Timestamp) {
        let present = now.0.div_euclid(self.millis);
        if present - self.newest >= SPANS {
            self.spans = [0; 60];
        } else {
            for passed in self.newest + 1..=present {
                *self.span(passed) = 0;
            }
        }
        self.newest = self.newest.max(present);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_minute_is_the_last_sixty_seconds() {
        let meter = RateCounter::default();
        let at = |second: i64| Timestamp(1_000_000_020_000 + second * 1000);
        meter.count(at(0));
        meter.count(at(30));
        let minutes = [0, 30, 59, 60, 89, 90].map(|second| meter.read(at(second)).minute);
        assert_eq!(minutes, [2, 2, 2, 1, 1, 0]);
    }

    #[test]
    fn lines_are_counted_for_an_hour() {
        let meter = RateCounter::default();
        let at = |minute: i64| Timestamp(1_000_000_020_000 + minute * 60_000);
        let read = |minute| {
            let Rates { all, minute, hour } = meter.read(at(minute));
            (all, minute, hour)
        };
        assert_eq!(read(0), (0, 0, 0));
        meter.count(at(0));
        meter.count(at(0));
        assert_eq!(read(0), (2, 2, 2));
        meter.count(at(1));
        // The clock was set back.
        meter.count(at(0));
        assert_eq!(read(1), (4, 2, 4));
        assert_eq!(read(2), (4, 0, 4));
        assert_eq!(read(59), (4, 0, 4));
        assert_eq!(read(60), (4, 0, 2));
        assert_eq!(read(61), (4, 0, 0));
        meter.count(at(500));
        assert_eq!(read(501), (5, 0, 1));
    }
}
