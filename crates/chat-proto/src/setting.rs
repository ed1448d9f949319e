//! The settings of a channel: their words, and what each may be set to.

use std::fmt;

use crate::limits::{MAX_PATTERN_CHARS, MAX_PERIOD_SECS};
use crate::text::clean;

/// Every setting as `/set` takes it: its word, its values, and what it does.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("invite-only", "on or off", "only the invited enter"),
    ("hidden", "on or off", "outsiders find no trace of the channel"),
    ("slow", "10s or off", "so long between two lines of one person"),
    ("topic-lock", "on or off", "only operators set the topic"),
    ("history", "on or off", "what is said is kept"),
    ("words", "+word, -word or off", "lines with these words are refused"),
    ("links", "on or off", "lines may hold links"),
];

/// One setting, and what it is to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Only the invited enter.
    InviteOnly(bool),
    /// Outsiders find no trace of the channel.
    Hidden(bool),
    /// So long between two lines of one person.
    Slow(Option<Period>),
    /// Only operators set the topic.
    TopicLock(bool),
    /// What is said is kept.
    History(bool),
    /// One more pattern, one less, or none at all.
    Words(WordsChange),
    /// Lines may hold links.
    Links(bool),
}

/// A change of the words that are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordsChange {
    /// Lines with such a word are refused.
    Add(Pattern),
    /// They are taken again.
    Remove(Pattern),
    /// No word is refused any more.
    Clear,
}

impl Setting {
    /// Reads a setting's word and its value, in any case.
    ///
    /// # Errors
    ///
    /// What the value may be, if the word is one of [`SETTINGS`]; else `None`.
    pub fn read(word: &str, value: &str) -> Result<Self, Option<&'static str>> {
        let word = word.to_lowercase();
        let row = SETTINGS.iter().find(|(name, ..)| *name == word).ok_or(None)?;
        let on = || match value.to_ascii_lowercase().as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(Some(row.1)),
        };
        let is_off = value.eq_ignore_ascii_case("off");
        Ok(match row.0 {
            "invite-only" => Self::InviteOnly(on()?),
            "hidden" => Self::Hidden(on()?),
            "topic-lock" => Self::TopicLock(on()?),
            "history" => Self::History(on()?),
            "links" => Self::Links(on()?),
            "slow" if is_off => Self::Slow(None),
            "slow" => Self::Slow(Some(Period::read(value).ok_or(Some(row.1))?)),
            _ if is_off => Self::Words(WordsChange::Clear),
            _ => {
                let change: fn(Pattern) -> WordsChange = match value.chars().next() {
                    Some('+') => WordsChange::Add,
                    Some('-') => WordsChange::Remove,
                    _ => return Err(Some(row.1)),
                };
                let pattern = Pattern::new(value.get(1..).unwrap_or_default());
                Self::Words(change(pattern.ok_or(Some(row.1))?))
            }
        })
    }

    /// Its word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InviteOnly(_) => "invite-only",
            Self::Hidden(_) => "hidden",
            Self::Slow(_) => "slow",
            Self::TopicLock(_) => "topic-lock",
            Self::History(_) => "history",
            Self::Words(_) => "words",
            Self::Links(_) => "links",
        }
    }

    /// The value as it is typed.
    pub fn value(&self) -> String {
        match self {
            Self::InviteOnly(on)
            | Self::Hidden(on)
            | Self::TopicLock(on)
            | Self::History(on)
            | Self::Links(on) => if *on { "on" } else { "off" }.to_owned(),
            Self::Slow(Some(period)) => period.to_string(),
            Self::Slow(None) | Self::Words(WordsChange::Clear) => "off".to_owned(),
            Self::Words(WordsChange::Add(pattern)) => format!("+{pattern}"),
            Self::Words(WordsChange::Remove(pattern)) => format!("-{pattern}"),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.value())
    }
}

/// Words that are refused: one word, in which `*` stands for any letters. In lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Checks a pattern as it was typed; `None` unless it is one word with a letter or digit in it, and no
    /// longer than [`MAX_PATTERN_CHARS`].
    pub fn new(typed: &str) -> Option<Self> {
        let is_word = typed.contains(char::is_alphanumeric)
            && !typed.contains(char::is_whitespace)
            && clean(typed) == typed;
        let pattern = typed.to_lowercase();
        let fits = pattern.chars().count() <= MAX_PATTERN_CHARS;
        (is_word && fits).then(|| Self(pattern.into()))
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

    /// Whether a word is meant as a period where one may stand: a number, with a sign or a point before it or without.
    pub fn is_meant(word: &str) -> bool {
        word.trim_start_matches(is_sign).starts_with(char::is_numeric)
    }

    /// Whether a word has the shape of a period: a number and a unit, with a sign before it or without, such as `1.5h` or
    /// `5min`.
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

    #[test]
    fn settings_are_read_as_they_are_written() {
        for (word, value, written) in [
            ("Invite-Only", "ON", "invite-only on"),
            ("hidden", "off", "hidden off"),
            ("slow", "60s", "slow 1m"),
            ("slow", "Off", "slow off"),
            ("topic-lock", "on", "topic-lock on"),
            ("history", "off", "history off"),
            ("links", "off", "links off"),
            ("words", "+Bad*", "words +bad*"),
            ("words", "-bad*", "words -bad*"),
            ("words", "off", "words off"),
        ] {
            let setting = Setting::read(word, value).unwrap();
            assert_eq!(setting.to_string(), written);
            assert_eq!(Setting::read(setting.name(), &setting.value()), Ok(setting));
        }
        for (word, value, error) in [
            ("hidden", "yes", Some("on or off")),
            ("slow", "10", Some("10s or off")),
            ("words", "bad", Some("+word, -word or off")),
            ("words", "+***", Some("+word, -word or off")),
            ("words", "+", Some("+word, -word or off")),
            ("words", "é", Some("+word, -word or off")),
            ("colour", "on", None),
        ] {
            assert_eq!(Setting::read(word, value), Err(error), "{word} {value}");
        }
        for (name, ..) in SETTINGS {
            assert!(Setting::read(name, "off").is_ok_and(|setting| setting.name() == *name));
        }
    }
}
