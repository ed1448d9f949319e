//! Points in time and durations, and their formats.

use std::fmt;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// RFC 3339 in UTC with milliseconds, as in the JSON format: `2026-11-22T07:44:05.120Z`.
    pub fn rfc3339(self) -> impl fmt::Display {
        Rfc3339(self)
    }

    /// Parses the output of [`rfc3339`](Self::rfc3339); `None` if it is invalid.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Self(at.as_millisecond()))
    }

    /// Whole seconds from an earlier time to this one; 0 if it isn't earlier.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / 1000).unwrap_or(0)
    }

    /// The day in UTC, as `before:` takes it: `2026-11-22`.
    pub fn date(self) -> impl fmt::Display {
        FormattedTime { at: self, pattern: "%Y-%m-%d" }
    }

    /// Date and time in UTC to the second, as in the text format: `2026-11-22 07:44:05`.
    pub fn date_and_time(self) -> impl fmt::Display {
        FormattedTime { at: self, pattern: "%Y-%m-%d %H:%M:%S" }
    }

    /// A time before the year 0 or after 9999 can only come from a broken clock; it is clamped.
    fn in_bounds(self) -> jiff::Timestamp {
        const YEAR_0: i64 = -62_167_219_200_000;
        let at = jiff::Timestamp::from_millisecond(self.0.max(YEAR_0));
        at.unwrap_or(jiff::Timestamp::MAX)
    }
}

struct FormattedTime {
    at: Timestamp,
    pattern: &'static str,
}

impl fmt::Display for FormattedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.in_bounds().strftime(self.pattern).fmt(f)
    }
}

struct Rfc3339(Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every message in the JSON format has one, and a pattern takes ten times as long.
        write!(f, "{:.3}", self.0.in_bounds())
    }
}

/// A duration in seconds. It is shown in its two most significant units: `3 min`, `2 h 5 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HumanDuration(pub u64);

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, hours, days) = (self.0 / 60, self.0 / 3600, self.0 / 86400);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{} s", self.0),
            (0, 0, minutes) => write!(f, "{minutes} min"),
            (0, hours, minutes) => write!(f, "{hours} h {} min", minutes % 60),
            (days, hours, _) => write!(f, "{days} d {} h", hours % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_formatted_in_both_formats() {
        let at = Timestamp(1_795_333_445_120);
        assert_eq!(at.rfc3339().to_string(), "2026-11-22T07:44:05.120Z");
        assert_eq!(Timestamp::from_rfc3339("2026-11-22T07:44:05.120Z"), Some(at));
        assert_eq!(Timestamp::from_rfc3339("yesterday"), None);
        assert_eq!(at.date_and_time().to_string(), "2026-11-22 07:44:05");
    }

    #[test]
    fn a_duration_is_formatted_in_two_units() {
        for (seconds, shown) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(HumanDuration(seconds).to_string(), shown);
        }
    }

    #[test]
    fn an_out_of_range_time_is_clamped() {
        assert!(Timestamp(i64::MAX).rfc3339().to_string().starts_with("9999-12-3"));
        assert_eq!(Timestamp(i64::MIN).rfc3339().to_string(), "0000-01-01T00:00:00.000Z");
    }
}
