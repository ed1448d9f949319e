//! One line of the server's JSON format.
//!
//! Parsing is lenient: an unknown type or field is ignored, a field that is missing or of an
//! unexpected type counts as absent. Every text is cleaned here, so nothing that the server sends
//! can move the cursor of a terminal.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::proto::{Secret, clean};

/// Types of events about a channel's moderation. `kicked` is a variant of its own.
const MODERATION_TYPES: &[&str] = &[
    "muted", "unmuted", "op", "deop", "set", "purged", "invited", "dropped", "ban", "mute",
    "setting", "log",
];

/// Types of events about the whole server.
const SERVER_MODERATION_TYPES: &[&str] = &["announcement", "killed", "stats", "serverban"];

/// A message in a channel or a private chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChatMessage {
    pub(crate) id: Option<u64>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) from: String,
    pub(crate) text: String,
    pub(crate) action: bool,
    pub(crate) past: bool,
}

/// The `ok` to a line: the command and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OkAnswer {
    pub(crate) re: String,
    fields: JsonRow,
}

/// An event of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerEvent {
    Ok(OkAnswer),
    Error {
        re: String,
        code: String,
        text: String,
    },
    Message {
        channel: String,
        said: ChatMessage,
    },
    Private {
        to: String,
        said: ChatMessage,
    },
    Opened {
        with: String,
    },
    Entered {
        channel: String,
        user: String,
    },
    Left {
        channel: String,
        user: String,
        reason: Option<String>,
    },
    Presence {
        channel: String,
        entered: u64,
        left: u64,
        members: u64,
    },
    Gone {
        user: String,
        reason: Option<String>,
    },
    Renamed {
        from: String,
        to: String,
    },
    Topic {
        channel: String,
        topic: Option<String>,
        by: String,
    },
    Kicked {
        channel: String,
        user: String,
        by: String,
        reason: Option<String>,
        /// For a kick that is also a ban, the ban.
        ban: Option<KickBan>,
        current: CurrentChange,
    },
    /// About the moderation of a channel.
    Moderation(JsonRow),
    /// About the whole server.
    ServerModeration(JsonRow),
    Channel {
        name: String,
        members: u64,
        topic: Option<String>,
    },
    User(UserEntry),
    Info(JsonRow),
    Password,
    SignedOut {
        name: String,
        reason: String,
    },
    Missed {
        channel: String,
        count: u64,
        after: Option<u64>,
    },
    Reentered {
        channel: String,
        members: u64,
        topic: Option<String>,
        last: Option<u64>,
    },
    Unread {
        channel: String,
        count: u64,
        mentions: u64,
        after: u64,
    },
    Waiting {
        count: u64,
        newest: u64,
    },
    Notice {
        text: String,
    },
    Bye {
        reason: String,
    },
    Unknown,
}

/// The ban of a kick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KickBan {
    /// The end, unless the ban is permanent.
    pub(crate) until: Option<Timestamp>,
}

/// A field that may be absent, null, or a text: the change of the current conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CurrentChange {
    /// The field is absent.
    Unchanged,
    /// The new current conversation.
    Now(Option<String>),
}

/// One row of `/users`, or the answer to `/whois`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserEntry {
    pub(crate) name: String,
    pub(crate) channel: Option<String>,
    pub(crate) operator: bool,
    pub(crate) away: bool,
    pub(crate) reason: Option<String>,
    /// Only in the answer to `/whois`.
    pub(crate) more: Option<WhoisDetails>,
    /// When an absent account was last here; only in the answer to `/whois`.
    pub(crate) seen: Option<Timestamp>,
}

/// The fields that `/whois` has beyond a row of `/users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WhoisDetails {
    pub(crate) account: Option<String>,
    pub(crate) channels: Vec<String>,
    pub(crate) idle_secs: u64,
    pub(crate) online_secs: u64,
    /// Only for operators of the server.
    pub(crate) address: Option<String>,
}

/// The fields of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonRow(Map<String, Value>);

impl JsonRow {
    /// The ban of a kick, if there is one.
    pub(crate) fn ban(&self) -> Option<KickBan> {
        (self.flag("banned") == Some(true)).then(|| KickBan { until: self.moment("until") })
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(clean)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let Some(Value::Array(list)) = self.0.get(name) else { return Vec::new() };
        list.iter().filter_map(Value::as_str).map(clean).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.moment("time")
    }

    pub(crate) fn moment(&self, name: &str) -> Option<Timestamp> {
        self.0.get(name)?.as_str()?.parse().ok()
    }

    pub(crate) fn change(&self, name: &str) -> CurrentChange {
        match self.0.get(name) {
            None => CurrentChange::Unchanged,
            Some(value) => CurrentChange::Now(value.as_str().map(clean)),
        }
    }

    fn must(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    fn said(&self) -> ChatMessage {
        ChatMessage {
            id: self.number("id"),
            time: self.time(),
            from: self.must("from"),
            text: self.must("text"),
            action: self.flag("action").unwrap_or(false),
            past: self.flag("past").unwrap_or(false),
        }
    }

    fn person(&self) -> UserEntry {
        let more = self.has("online").then(|| WhoisDetails {
            account: self.text("account"),
            channels: self.texts("channels"),
            idle_secs: self.number("idle").unwrap_or(0),
            online_secs: self.number("online").unwrap_or(0),
            address: self.text("address"),
        });
        UserEntry {
            name: self.must("name"),
            channel: self.text("channel"),
            operator: self.flag("operator").unwrap_or(false),
            away: self.flag("away").unwrap_or(false),
            reason: self.text("reason"),
            more,
            seen: self.moment("seen"),
        }
    }
}

impl OkAnswer {
    pub(crate) fn fields(&self) -> &JsonRow {
        &self.fields
    }

    pub(crate) fn channel(&self) -> Option<String> {
        self.fields.text("channel")
    }

    /// The token that the answer issues, if there is one.
    pub(crate) fn token(&self) -> Option<Secret> {
        // The `token` of `/ping` is something else.
        let signs_in = matches!(self.re.as_str(), "login" | "register" | "password");
        let token = self.fields.0.get("token").filter(|_| signs_in)?.as_str()?;
        let is_word = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
        is_word.then(|| Secret::new(token))
    }

    /// The conversation of a message: `#general` or `@bob`.
    pub(crate) fn place(&self) -> Option<String> {
        let with = || self.fields.text("to").or_else(|| self.fields.text("with"));
        self.channel().or_else(|| with().map(|user| at(&user)))
    }
}

/// A private chat in the protocol's notation.
pub(crate) fn at(user: &str) -> String {
    format!("@{}", user.strip_prefix('@').unwrap_or(user))
}

impl ServerEvent {
    /// `None` if the line is no JSON object, as those before `/format json` took effect.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let row = JsonRow(serde_json::from_str(line).ok()?);
        let count = |name| row.number(name).unwrap_or(0);
        Some(match row.must("type").as_str() {
            "ok" => Self::Ok(OkAnswer { re: row.must("re"), fields: row }),
            "error" => {
                Self::Error { re: row.must("re"), code: row.must("code"), text: row.must("text") }
            }
            "message" => Self::Message { channel: row.must("channel"), said: row.said() },
            "private" => Self::Private { to: row.must("to"), said: row.said() },
            "opened" => Self::Opened { with: row.must("with") },
            "entered" => Self::Entered { channel: row.must("channel"), user: row.must("user") },
            "left" => Self::Left {
                channel: row.must("channel"),
                user: row.must("user"),
                reason: row.text("reason"),
            },
            "presence" => Self::Presence {
                channel: row.must("channel"),
                entered: count("entered"),
                left: count("left"),
                members: count("members"),
            },
            "gone" => Self::Gone { user: row.must("user"), reason: row.text("reason") },
            "renamed" => Self::Renamed { from: row.must("from"), to: row.must("to") },
            "topic" => Self::Topic {
                channel: row.must("channel"),
                topic: row.text("topic"),
                by: row.must("by"),
            },
            "kicked" => Self::Kicked {
                channel: row.must("channel"),
                user: row.must("user"),
                by: row.must("by"),
                reason: row.text("reason"),
                ban: row.ban(),
                current: row.change("current"),
            },
            kind if MODERATION_TYPES.contains(&kind) => Self::Moderation(row),
            kind if SERVER_MODERATION_TYPES.contains(&kind) => Self::ServerModeration(row),
            "channel" => Self::Channel {
                name: row.must("name"),
                members: count("members"),
                topic: row.text("topic"),
            },
            "user" => Self::User(row.person()),
            "info" => Self::Info(row),
            "password" => Self::Password,
            "signedout" => Self::SignedOut { name: row.must("name"), reason: row.must("reason") },
            "missed" => Self::Missed {
                channel: row.must("channel"),
                count: count("count"),
                after: row.number("after"),
            },
            "reentered" => Self::Reentered {
                channel: row.must("channel"),
                members: count("members"),
                topic: row.text("topic"),
                last: row.number("last"),
            },
            "unread" => Self::Unread {
                channel: row.must("channel"),
                count: count("count"),
                mentions: count("mentions"),
                after: count("after"),
            },
            "waiting" => Self::Waiting { count: count("count"), newest: count("told") },
            "notice" => Self::Notice { text: row.must("text") },
            "bye" => Self::Bye { reason: row.must("reason") },
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_objects() {
        for line in ["* Welcome to here.", "", "42", "[1]", "{", "\"ok\""] {
            assert_eq!(ServerEvent::read(line), None, "{line}");
        }
    }

    #[test]
    fn unknown_types_fields_and_kinds_of_values_are_ignored() {
        assert_eq!(ServerEvent::read(r#"{"type":"fanfare","x":1}"#), Some(ServerEvent::Unknown));
        assert_eq!(ServerEvent::read(r#"{"no":"type"}"#), Some(ServerEvent::Unknown));
        assert_eq!(
            ServerEvent::read(r##"{"type":"entered","channel":"#a","user":"bob","new":[1]}"##),
            Some(ServerEvent::Entered { channel: "#a".into(), user: "bob".into() })
        );
        assert_eq!(
            ServerEvent::read(r##"{"type":"missed","channel":"#a","count":"many"}"##),
            Some(ServerEvent::Missed { channel: "#a".into(), count: 0, after: None })
        );
    }

    #[test]
    fn an_answer_with_unexpected_fields_is_an_answer() {
        let Some(ServerEvent::Ok(answer)) = ServerEvent::read(r#"{"type":"ok","re":7,"id":"x"}"#)
        else {
            panic!("it pairs with a question");
        };
        assert_eq!((answer.re.as_str(), answer.fields().number("id")), ("", None));
    }

    #[test]
    fn absent_null_and_named_differ() {
        let current = |line: &str| match ServerEvent::read(line) {
            Some(ServerEvent::Kicked { current, .. }) => current,
            other => panic!("{other:?}"),
        };
        assert_eq!(current(r#"{"type":"kicked"}"#), CurrentChange::Unchanged);
        assert_eq!(current(r#"{"type":"kicked","current":null}"#), CurrentChange::Now(None));
        assert_eq!(
            current(r##"{"type":"kicked","current":"#b"}"##),
            CurrentChange::Now(Some("#b".into()))
        );
    }

    #[test]
    fn no_text_can_move_the_cursor() {
        let line = r#"{"type":"notice","text":"a\u001b[2Jb\r\nc\u009b31m\u202ed\te"}"#;
        assert_eq!(
            ServerEvent::read(line),
            Some(ServerEvent::Notice { text: "a[2Jb c31md e".into() })
        );
    }
}
