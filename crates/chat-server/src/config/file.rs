//! The settings file as written.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ConfigError, problem};
use crate::cli::LogFormat;
use crate::util::input;

/// Maximum size: far more than all settings with a comment each.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The settings file. Every setting is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct ConfigFile {
    #[serde(default, deserialize_with = "one_or_more")]
    pub listen: Option<Vec<String>>,
    pub unix: Option<PathBuf>,
    pub name: Option<String>,
    pub motd: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub ephemeral: Option<bool>,
    pub log: Option<LogFormat>,
    pub admin_socket: Option<PathBuf>,
    pub durability: Option<DurabilitySetting>,
    #[serde(default)]
    pub history: HistorySection,
    #[serde(default)]
    pub accounts: AccountsSection,
    #[serde(default)]
    pub channels: ChannelsSection,
    #[serde(default)]
    pub limits: LimitsSection,
}

/// What an `ok` survives.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is described in the example config")]
pub enum DurabilitySetting {
    Machine,
    Process,
}

/// The table `[accounts]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct AccountsSection {
    pub registration: Option<Registration>,
    pub required: Option<bool>,
}

/// Who may register an account.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is described in the example config")]
pub enum Registration {
    Open,
    Invitation,
    Closed,
}

/// The table `[channels]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct ChannelsSection {
    #[serde(default, deserialize_with = "one_or_more")]
    pub new: Option<Vec<NewChannel>>,
}

/// A setting that new channels start with.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is described in the example config")]
pub enum NewChannel {
    InviteOnly,
    Hidden,
    TopicLock,
}

/// The table `[history]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct HistorySection {
    pub replay_lines: Option<u64>,
    pub keep_days: Option<u64>,
    pub keep_lines: Option<u64>,
    #[serde(default)]
    pub channels: BTreeMap<String, KeepSection>,
}

/// A table such as `[history.channels."#dev"]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct KeepSection {
    pub keep_days: Option<u64>,
    pub keep_lines: Option<u64>,
}

/// The table `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct LimitsSection {
    pub connections: Option<u64>,
    pub connections_per_address: Option<u64>,
    pub burst_lines: Option<u64>,
    pub lines_per_second: Option<u64>,
    pub channels: Option<u64>,
    pub channels_per_account: Option<u64>,
    pub channels_per_address: Option<u64>,
    pub channels_per_hour: Option<u64>,
    pub accounts_per_hour: Option<u64>,
    pub invitations_per_hour: Option<u64>,
    pub private_chats_per_hour: Option<u64>,
    pub accounts: Option<u64>,
    pub rules_per_owner: Option<u64>,
    pub rules: Option<u64>,
    pub renames_per_hour: Option<u64>,
    pub topics_per_hour: Option<u64>,
    pub moderation_per_hour: Option<u64>,
    pub connects_per_minute: Option<u64>,
    pub pace_of_account: Option<u64>,
    pub pace_of_address: Option<u64>,
    pub stored_mib_per_account: Option<u64>,
    pub stored_mib_per_address: Option<u64>,
    pub free_disk_mib: Option<u64>,
    pub conversations: Option<u64>,
    pub name_seconds: Option<u64>,
    pub write_seconds: Option<u64>,
    pub drain_bytes_per_second: Option<u64>,
    pub large_channel: Option<u64>,
    pub presence_seconds: Option<u64>,
    pub empty_channel_hours: Option<u64>,
}

impl ConfigFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = input::read_text(path, MAX_FILE_BYTES)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| ConfigError::File { path: path.to_owned(), problem })
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong; for an unknown key also the nearest known one.
    pub fn parse(text: &str) -> Result<Self, String> {
        match problem::list_for_table(text) {
            Some(problem) => Err(problem),
            None => toml::from_str(text).map_err(|error| problem::describe(text, &error)),
        }
    }
}

/// Accepts a single text as a list of one.
fn one_or_more<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    deserializer.deserialize_any(OneOrMore(PhantomData)).map(Some)
}

struct OneOrMore<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMore<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in double quotes, or a list of them in brackets")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::deserialize(text.into_deserializer()).map(|one| vec![one])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_line_and_the_nearest_key() {
        for (text, problem) in [
            ("lisen = []", "line 1: there is no setting \"lisen\"; did you mean \"listen\"?"),
            (
                "name = \"x\"\n[limits]\nburst_line = 3\n",
                "line 3: there is no setting \"burst_line\"; did you mean \"burst_lines\"?",
            ),
            (
                "qqq = 1",
                "line 1: there is no setting \"qqq\"; the example config has all there are",
            ),
            ("name = 3", "line 1: name must be a text in double quotes, and is 3"),
            (
                "motd = [\"a\",\n\"b\"]",
                "line 1: motd must be a text in double quotes, and is [\"a\",…",
            ),
            ("ephemeral = \"yes\"", "line 1: ephemeral must be true or false, and is \"yes\""),
            ("log = \"loud\"", "line 1: log must be \"text\" or \"json\", and is \"loud\""),
            ("log = 3", "line 1: log must be a text in double quotes, and is 3"),
            (
                "[accounts]\nregistration = \"x\"",
                "line 2: accounts.registration must be \"open\", \"invitation\" or \"closed\", and is \"x\"",
            ),
            (
                "limits.connections = -3",
                "line 1: limits.connections must be a whole number from 0 up, and is -3",
            ),
            (
                "[limits]\n\nchannels = 1.5",
                "line 3: limits.channels must be a whole number from 0 up, and is 1.5",
            ),
            (
                "[limits]\nchannels = 99999999999999999999",
                "line 2: limits.channels must be a whole number from 0 up, and is 99999999999999999999",
            ),
            (
                "limits = 3",
                "line 1: limits must be a table, whose settings stand below its name in brackets, and is 3",
            ),
            (
                "[history.channels]\n\"#dev\" = 3",
                "line 2: history.channels.\"#dev\" must be a table, whose settings stand below its name in brackets, and is 3",
            ),
            (
                "listen = 5002",
                "line 1: listen must be a text in double quotes, or a list of them in brackets, and is 5002",
            ),
            (
                "listen = [\n\"[::]:5002\",\n5002]",
                "line 3: a value of listen must be a text in double quotes, and is 5002",
            ),
            (
                "channels.new = \"loud\"",
                "line 1: channels.new must be \"invite-only\", \"hidden\" or \"topic-lock\", and is \"loud\"",
            ),
            (
                "[channels]\nnew = [\"loud\"]",
                "line 2: a value of channels.new must be \"invite-only\", \"hidden\" or \"topic-lock\", and is \"loud\"",
            ),
            (
                "[[limits]]\nchannels = 5",
                "line 1: limits must be a table, whose settings stand below its name in brackets, and is [[limits]]",
            ),
            (
                "channels = [[\"hidden\"]]",
                "line 1: channels must be a table, whose settings stand below its name in brackets, and is [[\"hidden\"]]",
            ),
            ("name = \"a\"\nname = \"b\"", "line 2: name is there already; leave one out"),
        ] {
            assert_eq!(ConfigFile::parse(text).unwrap_err(), problem, "{text}");
        }
        for (text, words) in [
            ("listen = [", "line 1: listen can't be read: "),
            ("\nname = chat.example.org", "line 2: name can't be read: "),
            ("just words", "line 1: just words can't be read: "),
        ] {
            let problem = ConfigFile::parse(text).unwrap_err();
            assert!(problem.starts_with(words) && problem.contains("key = value"), "{problem}");
        }
        assert_eq!(ConfigFile::parse("").unwrap().listen, None);
    }

    #[test]
    fn one_text_is_a_list_of_one() {
        for text in ["listen = \"[::]:5002\"", "listen = [\"[::]:5002\"]"] {
            assert_eq!(ConfigFile::parse(text).unwrap().listen, Some(vec!["[::]:5002".to_owned()]));
        }
        let channels = ConfigFile::parse("channels.new = \"hidden\"").unwrap().channels;
        assert!(matches!(channels.new.as_deref(), Some([NewChannel::Hidden])));
    }
}
