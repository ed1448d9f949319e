//! The lines of the admin socket: a request is one JSON object, and so is each line of its reply.

use chat_proto::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};

/// A request. Names and texts are as typed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum SocketRequest {
    Grant { name: String },
    Revoke { name: String },
    Operators {},
    Kill { user: String, reason: Option<String> },
    Announce { text: String },
    Stats {},
    Invitation {},
    Invitations {},
    Log { count: Option<usize> },
    Ban { target: String, r#for: Option<String>, reason: Option<String> },
    Unban { target: String },
    Bans {},
    ResetPassword { name: String },
    Op { channel: String, user: String },
    Drop { channel: String, reason: Option<String> },
    DeleteAccount { name: String },
    Users { part: Option<String>, after: Option<u64>, limit: Option<usize> },
    Accounts { part: Option<String>, after: Option<String>, limit: Option<usize> },
    Channels { part: Option<String>, after: Option<String>, limit: Option<usize> },
}

/// One line of a reply. Times are as in the chat's JSON format; a `by` of null is the shell.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum SocketReply {
    Operator {
        name: String,
        here: bool,
    },
    Stats {
        name: String,
        value: u64,
    },
    Invitation {
        by: Option<String>,
        time: String,
        until: String,
    },
    Ban {
        target: String,
        by: Option<String>,
        time: String,
        until: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Act {
        time: String,
        by: Option<String>,
        did: String,
        /// The target, or the text of an announcement.
        #[serde(skip_serializing_if = "Option::is_none")]
        whom: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A connection.
    User {
        /// Rises with each connection.
        id: u64,
        /// Null without a name.
        name: Option<String>,
        account: Option<String>,
        address: String,
        since: String,
        /// Seconds.
        idle: u64,
        client: String,
    },
    Account {
        name: String,
        operator: bool,
        /// Number of signed-in connections.
        connections: usize,
        /// The last departure, if the account isn't online.
        #[serde(skip_serializing_if = "Option::is_none")]
        seen: Option<String>,
    },
    #[serde(rename_all = "kebab-case")]
    Channel {
        name: String,
        members: usize,
        operators: Vec<String>,
        hidden: bool,
        invite_only: bool,
        /// An upper bound.
        lines: u64,
    },
    /// The last line of a completed request.
    Done {
        /// Number of rows before this line, or of connections concerned.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        /// The cursor of the next page, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// For people: the information that the rows lack.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// The last line of a refused request; codes are those of the chat.
    Refused {
        code: String,
        text: String,
    },
}

impl SocketRequest {
    /// Parses a line.
    pub(super) fn read(line: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(line).map_err(|error| {
            let text = format!(
                "That is no question: {error}. Send one line of JSON, as in {{\"do\":\"stats\"}}."
            );
            Refusal::new(Code::BadArgument, text)
        })
    }
}

impl SocketReply {
    /// The last line of a reply without rows.
    pub(super) fn done(text: String) -> Self {
        Self::Done { count: None, invite: None, password: None, until: None, next: None, text }
    }

    /// The last line with a number of rows or connections.
    pub(super) fn counted(count: usize, text: String) -> Self {
        Self::Done {
            count: Some(count),
            invite: None,
            password: None,
            until: None,
            next: None,
            text,
        }
    }
}

impl From<Refusal> for SocketReply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { code: refusal.code().name().to_owned(), text: refusal.text().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_object_of_a_known_kind() {
        for (line, understood) in [
            (r#"{"do":"stats"}"#, true),
            (r#"{"do":"kill","user":"bob"}"#, true),
            (r#"{"do":"kill","user":"bob","reason":"spam"}"#, true),
            (r#"{"do":"reset-password","name":"bob"}"#, true),
            (r#"{"do":"kill"}"#, false),
            (r#"{"do":"kill","user":"bob","colour":"red"}"#, false),
            (r#"{"do":"dance"}"#, false),
            ("stats", false),
            ("", false),
        ] {
            assert_eq!(SocketRequest::read(line.as_bytes()).is_ok(), understood, "{line}");
        }
    }
}
