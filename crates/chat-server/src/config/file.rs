//! The settings file as it is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chat_proto::command::near;
use serde::Deserialize;

use super::Wrong;
use crate::cli::LogForm;

/// The file. Everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct File {
    pub listen: Option<Vec<String>>,
    pub unix: Option<PathBuf>,
    pub name: Option<String>,
    pub motd: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub ephemeral: Option<bool>,
    pub log: Option<LogForm>,
    pub admin_socket: Option<PathBuf>,
    pub durability: Option<Durability>,
    #[serde(default)]
    pub history: History,
    #[serde(default)]
    pub accounts: Accounts,
    #[serde(default)]
    pub channels: Channels,
    #[serde(default)]
    pub limits: Limits,
}

/// What an `ok` survives.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is described in the example config")]
pub enum Durability {
    Machine,
    Process,
}

/// The table `[accounts]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct Accounts {
    pub registration: Option<Registration>,
    pub required: Option<bool>,
}

/// Who may make an account.
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
pub struct Channels {
    pub new: Option<Vec<NewChannel>>,
}

/// A setting that is on in a new channel.
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
pub struct History {
    pub replay_lines: Option<u64>,
    pub keep_days: Option<u64>,
    pub keep_lines: Option<u64>,
    #[serde(default)]
    pub channels: BTreeMap<String, Keep>,
}

/// A table such as `[history.channels."#dev"]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct Keep {
    pub keep_days: Option<u64>,
    pub keep_lines: Option<u64>,
}

/// The table `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is described in the example config")]
pub struct Limits {
    pub connections: Option<u64>,
    pub connections_per_address: Option<u64>,
    pub burst_lines: Option<u64>,
    pub lines_per_second: Option<u64>,
    pub channels: Option<u64>,
    pub conversations: Option<u64>,
    pub name_seconds: Option<u64>,
    pub write_seconds: Option<u64>,
    pub large_channel: Option<u64>,
    pub presence_seconds: Option<u64>,
    pub empty_channel_hours: Option<u64>,
}

impl File {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Wrong> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Wrong::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| Wrong::File { path: path.to_owned(), problem })
    }

    /// Understands the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong; for an unknown key also the nearest that is known.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let message = error.message();
            let place = error
                .span()
                .map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1)
                .map(|line| format!("line {line}: "))
                .unwrap_or_default();
            match nearest_key(message) {
                Some((unknown, Some(nearest))) => {
                    format!("{place}there is no setting \"{unknown}\"; did you mean \"{nearest}\"?")
                }
                Some((unknown, None)) => format!(
                    "{place}there is no setting \"{unknown}\"; the example config has all there are"
                ),
                None => format!("{place}{message}"),
            }
        })
    }
}

/// The unknown key out of serde's message, which names it and then those that it would know, each in
/// backticks; and the nearest of those.
fn nearest_key(message: &str) -> Option<(&str, Option<&str>)> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field").then(|| quoted.next()).flatten()?;
    let known: Vec<_> = quoted.map(|key| (key, key)).collect();
    Some((unknown, near(unknown, known, 1).first().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_nearest_right_key() {
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
            ("name = 3", "line 1: invalid type: integer `3`, expected a string"),
        ] {
            assert_eq!(File::parse(text).unwrap_err(), problem, "{text}");
        }
        assert!(File::parse("listen = [").is_err());
        assert_eq!(File::parse("").unwrap().listen, None);
    }
}
