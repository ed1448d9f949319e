//! A channel's settings.

use chat_proto::period::Period;
use chat_proto::setting::{ChannelSetting, SETTINGS, WordFilterChange, WordPattern};

use super::word_filter::{TextFilter, WordFilter};

/// The settings; [`Settings::default`] are those of a new channel.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Settings {
    pub(crate) invite_only: bool,
    pub(crate) hidden: bool,
    pub(crate) slow: Option<Period>,
    pub(crate) topic_lock: bool,
    /// Messages aren't kept in history.
    pub(crate) no_history: bool,
    pub(crate) words: WordFilter,
    pub(crate) no_links: bool,
}

impl Settings {
    /// Changes a setting.
    pub(crate) fn set(&mut self, setting: &ChannelSetting) {
        match setting {
            ChannelSetting::InviteOnly(on) => self.invite_only = *on,
            ChannelSetting::Hidden(on) => self.hidden = *on,
            ChannelSetting::Slow(period) => self.slow = *period,
            ChannelSetting::TopicLock(on) => self.topic_lock = *on,
            ChannelSetting::History(on) => self.no_history = !on,
            ChannelSetting::Words(WordFilterChange::Add(pattern)) => {
                self.words.add(pattern.clone());
            }
            ChannelSetting::Words(WordFilterChange::Remove(pattern)) => self.words.remove(pattern),
            ChannelSetting::Words(WordFilterChange::Clear) => self.words = WordFilter::default(),
            ChannelSetting::Links(on) => self.no_links = !on,
        }
    }

    /// The filter; `None` for most channels.
    pub(crate) fn filter(&self) -> Option<TextFilter> {
        let refuses = self.no_links || !self.words.patterns().is_empty();
        refuses.then(|| TextFilter { words: self.words.clone(), no_links: self.no_links })
    }

    /// The stored value; words are separated by spaces.
    pub(crate) fn value(&self, name: &str) -> String {
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        match name {
            "invite-only" => on(self.invite_only),
            "hidden" => on(self.hidden),
            "topic-lock" => on(self.topic_lock),
            "history" => on(!self.no_history),
            "links" => on(!self.no_links),
            "slow" => self.slow.map_or_else(|| on(false), |period| period.to_string()),
            _ => {
                let words: Vec<&str> =
                    self.words.patterns().iter().map(WordPattern::as_str).collect();
                if words.is_empty() { on(false) } else { words.join(" ") }
            }
        }
    }

    /// The displayed value: only operators see the words.
    pub(crate) fn shown(&self, name: &str, to_operator: bool) -> String {
        let words = self.words.patterns().len();
        match (name, words) {
            ("words", 1) if !to_operator => "1 word".to_owned(),
            ("words", 2..) if !to_operator => format!("{words} words"),
            _ => self.value(name),
        }
    }

    /// Restores a stored value. An unknown one, of another version, is skipped.
    pub(crate) fn restore(&mut self, name: &str, value: &str) {
        if name == "words" && value != "off" {
            for pattern in value.split(' ').filter_map(WordPattern::new) {
                self.words.add(pattern);
            }
        } else if let Ok(setting) = ChannelSetting::read(name, value) {
            self.set(&setting);
        }
    }

    /// Every setting's name and displayed value.
    pub(crate) fn all(&self, to_operator: bool) -> impl Iterator<Item = (&'static str, String)> {
        SETTINGS.iter().map(move |(name, ..)| (*name, self.shown(name, to_operator)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_settings_are_restored() {
        let mut settings = Settings::default();
        for (name, value) in [
            ("invite-only", "on"),
            ("hidden", "on"),
            ("slow", "10s"),
            ("topic-lock", "on"),
            ("history", "off"),
            ("words", "+bad*"),
            ("words", "+worse"),
            ("links", "off"),
        ] {
            settings.set(&ChannelSetting::read(name, value).unwrap());
        }
        let mut restored = Settings::default();
        for (name, ..) in SETTINGS {
            restored.restore(name, &settings.value(name));
        }
        restored.restore("colour", "red");
        let all: Vec<_> = settings.all(true).collect();
        assert_eq!(restored.all(true).collect::<Vec<_>>(), all);
        let words = |value: String| {
            all.iter().any(|(name, shown_value)| (*name, shown_value) == ("words", &value))
        };
        assert!(words("bad* worse".to_owned()));
        assert_eq!(settings.shown("words", false), "2 words");
        let usual: Vec<_> = Settings::default().all(false).map(|(_, value)| value).collect();
        assert_eq!(usual, ["off", "off", "off", "off", "on", "off", "on"]);
    }
}
