//! Durations as people type them: `30s`, `2h`.

use std::fmt;

use crate::limits::MAX_PERIOD_SECS;

/// Words for a unit, in which a time is often typed although only its sign is taken.
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

/// The first two words of a text, if they are so.
fn two_words(text: &str, are: impl FnOnce(&str, &str) -> bool) -> Option<&str> {
    let (first, rest) = text.split_once(' ')?;
    let second = rest.trim_start();
    let end = second.find(' ').unwrap_or(second.len());
    let until = text.len() - second.len() + end;
    are(first, second.get(..end)?).then(|| text.get(..until)).flatten()
}

/// A length of time as it is typed: `30s`, `10m`, `2h`, `7d`, `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

/// The units, the largest first, with their seconds.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// What may stand before a number.
fn is_sign(c: char) -> bool {
    matches!(c, '+' | '-' | '\u{2212}' | '.' | ',')
}

impl Period {
    /// So many seconds; `None` if there is none, or more than [`MAX_PERIOD_SECS`].
    pub fn new(secs: u64) -> Option<Self> {
        (1..=MAX_PERIOD_SECS.into()).contains(&secs).then_some(Self(secs))
    }

    /// Reads a number with a unit right behind it, in any case; `None` if it is none, or too long.
    pub fn read(typed: &str) -> Option<Self> {
        let unit = typed.chars().last()?.to_ascii_lowercase();
        let (_, secs) = UNITS.into_iter().find(|(sign, _)| *sign == unit)?;
        let number = typed.get(..typed.len() - 1)?;
        // `parse` would take a sign as well.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Self::new(number.parse::<u64>().ok()?.checked_mul(secs)?)
    }

    /// Whether a word is meant as a period where one may stand: a number, with a sign or a point
    /// before it or without.
    pub fn is_meant(word: &str) -> bool {
        word.trim_start_matches(is_sign).starts_with(char::is_numeric)
    }

    /// Whether a word has the shape of a period: a number and a unit, with a sign before it or
    /// without, such as `1.5h` or `5min`.
    pub fn is_like(word: &str) -> bool {
        let number = word.trim_start_matches(is_sign);
        let unit = number.trim_start_matches(is_in_number);
        unit.len() < number.len() && is_unit(unit)
    }

    /// The beginning of a text if it is a number and a unit with a blank between: `5 m`, `2 days`.
    pub fn apart(text: &str) -> Option<&str> {
        two_words(text, |number, unit| {
            let digits = number.trim_start_matches(is_sign);
            !digits.is_empty() && digits.chars().all(is_in_number) && is_unit(unit)
        })
    }

    /// The beginning of a text if it is a length of time in words: `an hour`, `two days`.
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

/// In the largest unit of which it is a whole number.
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
