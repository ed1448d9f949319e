//! Rows of the tables: row ids, flags and stored lines.

use chat_proto::name::ChannelName;
use rusqlite::Row;

use super::line_sum::{self, Columns};
pub(super) use super::line_sum::{ACTION, BY_OTHER, HIDDEN, ID_BITS, NOT_SHOWN, REDACTED, line_id};

/// The name of a placeholder conversation, which no channel can have. Its floor is the greatest
/// last id of forgotten channels.
pub const FORGOTTEN: &str = "#";

/// The greatest conversation number: the number after it has row ids, too.
pub const MAX_NUMBER: u32 = (1 << (63 - ID_BITS)) - 2;

/// Returns the row id of a line.
pub(super) fn rowid(number: u32, id: u64) -> i64 {
    let id = id.min((1 << ID_BITS) - 1);
    i64::from(number) << ID_BITS | i64::try_from(id).unwrap_or(i64::MAX)
}

/// The line stored under an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct OnceRow {
    pub number: u32,
    pub id: u64,
    pub time: i64,
}

/// Identifies a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKey<'a> {
    /// A channel by its folded name, with `#`.
    Channel(&'a str),
    /// A private chat by its two parties, the smaller number first.
    Private(u64, u64),
}

/// A stored line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct StoredLine {
    pub id: u64,
    pub time: i64,
    pub author: String,
    pub action: bool,
    pub by_other: bool,
    /// The author's account.
    pub account: Option<u64>,
    /// Redacted or hidden: not shown to anyone.
    pub redacted: bool,
    pub text: String,
}

impl StoredLine {
    /// Removes everything but id and time.
    pub(super) fn blank(&mut self) {
        *self = Self {
            author: String::new(),
            action: false,
            by_other: false,
            account: None,
            redacted: true,
            text: String::new(),
            ..*self
        };
    }
}

/// Names of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationInfo {
    /// The channel's display name, without `#`.
    Channel(String),
    /// The parties of a private chat, and their names.
    Private((u64, u64), (String, String)),
}

impl ConversationInfo {
    /// Whether a user wrote a line. Lines sent to a channel before the user had an account aren't
    /// known.
    pub(super) fn is_by(&self, user_id: u64, line: &StoredLine) -> bool {
        match self {
            Self::Channel(_) => line.account == Some(user_id),
            Self::Private((_, other), _) => line.by_other == (*other == user_id),
        }
    }
}

pub(super) struct ConversationMeta {
    pub(super) number: u32,
    /// Lines up to this one are removed by retention, or not readable.
    pub(super) floor: u64,
    pub(super) conversation: ConversationInfo,
}

/// Reads the columns place, time, author, flags, text, account.
pub(super) fn stored_line(row: &Row<'_>) -> rusqlite::Result<StoredLine> {
    let columns = Columns::of(row)?;
    columns.report();
    let flags = columns.flags;
    Ok(StoredLine {
        id: line_id(columns.place),
        time: columns.time,
        author: line_sum::text(row, 2)?.into_owned(),
        action: flags & ACTION != 0,
        by_other: flags & BY_OTHER != 0,
        account: columns.account,
        redacted: flags & NOT_SHOWN != 0,
        text: line_sum::text(row, 4)?.into_owned(),
    })
}

/// Returns the name under which the store finds a channel.
pub fn channel_key(name: &ChannelName) -> String {
    format!("#{}", name.key())
}
