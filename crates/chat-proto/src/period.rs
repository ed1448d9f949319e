//! Durations as they are typed: `30s`, `2h`.

use std::fmt;

use crate::limits::MAX_PERIOD_SECS;

/// Words for a unit. They are often typed, although only the one-letter units are accepted.
const UNIT_WORDS: [&str; 18] = [
    "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "hr", "hrs", "hour",
    "hours", "day", "days", "week", "weeks", "month", "months",
];

const NUMBER_WORDS: [&str; 12] =
    ["a", "an", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

fn is_unit(word: &str) -> bool {
    let is_sign = |(sign, _): &(char, u64)| word.len() == 1 && word.starts_with(*sign);
    UNITS.iter().any(is_sign) || is_unit_word(word)
}

fn is_unit_word(word: &str) -> bool {
    UNIT_WORDS.iter().any(|unit| unit.eq_ignore_ascii_case(word))
}

fn is_in_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | ',')
}

/// The first two words of a text, if they satisfy `are`.
fn two_words(text: &str, are: impl FnOnce(&str, &str) -> bool) -> Option<&str> {
    let (first, rest) = text.split_once(' ')?;
    let second = rest.trim_start();
    let end = second.find(' ').unwrap_or(second.len());
    let until = text.len() - second.len() + end;
    are(first, second.get(..end)?).then(|| text.get(..until)).flatten()
}

/// A duration as it is typed: `30s`, `10m`, `2h`, `7d`, `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

/// The units with their seconds, largest first.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Whether a character may precede a number.
fn is_sign(c: char) -> bool {
    matches!(c, '+' | '-' | '\u{2212}' | '.' | ',')
}

impl Period {
    /// A period of this many seconds; `None` if it is 0 or more than [`MAX_PERIOD_SECS`].
    pub fn new(secs: u64) -> Option<Self> {
        (1..=MAX_PERIOD_SECS.into()).contains(&secs).then_some(Self(secs))
    }

    /// Parses a number with a unit directly behind it, in any case; `None` if it is invalid or too
    /// long.
    pub fn read(typed: &str) -> Option<Self> {
        let unit = typed.chars().last()?.to_ascii_lowercase();
        let (_, secs) = UNITS.into_iter().find(|(sign, _)| *sign == unit)?;
        let number = typed.get(..typed.len() - 1)?;
        // `parse` accepts a sign as well.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Self::new(number.parse::<u64>().ok()?.checked_mul(secs)?)
    }

    /// Whether a word in the place of a period is meant as one: a number, with or without a sign or
    /// a point in front.
    pub fn is_meant(word: &str) -> bool {
        word.trim_start_matches(is_sign).starts_with(char::is_numeric)
    }

    /// Whether a word has the shape of a period: a number and a unit, with or without a sign in
    /// front, such as `1.5h` or `5min`.
    pub fn is_like(word: &str) -> bool {
        let number = word.trim_start_matches(is_sign);
        let unit = number.trim_start_matches(is_in_number);
        unit.len() < number.len() && is_unit(unit)
    }

    /// The first two words of a text if they are a number and a unit: `5 m`, `2 days`.
    pub fn apart(text: &str) -> Option<&str> {
        two_words(text, |number, unit| {
            let digits = number.trim_start_matches(is_sign);
            !digits.is_empty() && digits.chars().all(is_in_number) && is_unit(unit)
        })
    }

    /// The first two words of a text if they are a duration in words: `an hour`, `two days`.
    pub fn in_words(text: &str) -> Option<&str> {
        two_words(text, |number, unit| {
            NUMBER_WORDS.iter().any(|word| word.eq_ignore_ascii_case(number)) && is_unit_word(unit)
        })
    }

    /// In seconds.
    pub fn secs(self) -> u64 {
        self.0
    }
}

/// Prints the period in the largest unit in which it is a whole number.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.into_iter().find(|(_, secs)| self.0.is_multiple_of(*secs));
        let (unit, secs) = whole.unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.0 / secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_typed_with_their_unit() {
        for (typed, shown) in [
            ("30s", Some("30s")),
            ("120S", Some("2m")),
            ("90m", Some("90m")),
            ("24h", Some("1d")),
            ("7d", Some("1w")),
            ("2w", Some("2w")),
            ("3650d", Some("3650d")),
            ("3651d", None),
            ("0s", None),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("1y", None),
            ("99999999999999999999w", None),
            ("30000000000000000w", None),
            ("1é", None),
            ("", None),
        ] {
            let period = Period::read(typed).map(|period| period.to_string());
            assert_eq!(period.as_deref(), shown, "{typed}");
        }
    }
}
