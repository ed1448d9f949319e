//! The settings of a channel: their words and values.

use std::fmt;

use crate::limits::MAX_PATTERN_CHARS;
use crate::period::Period;
use crate::text::clean;

/// Every setting of `/set`: its word, its values, and its effect.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("invite-only", "on or off", "only the invited enter"),
    ("hidden", "on or off", "outsiders find no trace of the channel"),
    ("slow", "10s or off", "so long between two lines of one person"),
    ("topic-lock", "on or off", "only operators set the topic"),
    ("history", "on or off", "what is said is kept"),
    ("words", "+word, -word or off", "lines with these words are refused"),
    ("links", "on or off", "lines may hold links"),
];

/// One setting with its new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelSetting {
    /// Only the invited enter.
    InviteOnly(bool),
    /// Outsiders find no trace of the channel.
    Hidden(bool),
    /// Minimum time between two messages of one user.
    Slow(Option<Period>),
    /// Only operators set the topic.
    TopicLock(bool),
    /// Messages are stored.
    History(bool),
    /// A change of the word filter.
    Words(WordFilterChange),
    /// Messages may contain links.
    Links(bool),
}

/// A change of the word filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordFilterChange {
    /// Refuse messages with such a word.
    Add(WordPattern),
    /// Accept them again.
    Remove(WordPattern),
    /// Remove all patterns.
    Clear,
}

impl ChannelSetting {
    /// Parses a setting's word and its value, in any case.
    ///
    /// # Errors
    ///
    /// The allowed values, if the word is one of [`SETTINGS`]; else `None`.
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
            _ if is_off => Self::Words(WordFilterChange::Clear),
            _ => {
                let change: fn(WordPattern) -> WordFilterChange = match value.chars().next() {
                    Some('+') => WordFilterChange::Add,
                    Some('-') => WordFilterChange::Remove,
                    _ => return Err(Some(row.1)),
                };
                let pattern = WordPattern::new(value.get(1..).unwrap_or_default());
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
            Self::Slow(None) | Self::Words(WordFilterChange::Clear) => "off".to_owned(),
            Self::Words(WordFilterChange::Add(pattern)) => format!("+{pattern}"),
            Self::Words(WordFilterChange::Remove(pattern)) => format!("-{pattern}"),
        }
    }
}

impl fmt::Display for ChannelSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.value())
    }
}

/// A pattern of the word filter: one word in lower case, in which `*` matches any letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WordPattern(Box<str>);

impl WordPattern {
    /// Parses a pattern as typed; `None` unless it is one word with a letter or digit, and no
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

impl fmt::Display for WordPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_round_trip() {
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
            let setting = ChannelSetting::read(word, value).unwrap();
            assert_eq!(setting.to_string(), written);
            assert_eq!(ChannelSetting::read(setting.name(), &setting.value()), Ok(setting));
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
            assert_eq!(ChannelSetting::read(word, value), Err(error), "{word} {value}");
        }
        for (name, ..) in SETTINGS {
            assert!(ChannelSetting::read(name, "off").is_ok_and(|setting| setting.name() == *name));
        }
    }
}
