//! Write operations, the parts of a commit.

use super::line_sum::Columns;
use super::row::{ACTION, BY_OTHER, REDACTED};

/// A write operation. Later operations of a commit see earlier ones.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum WriteOp<'a> {
    /// Creates or updates a channel.
    Channel { number: u32, name: &'a str, shown: &'a str, topic: Option<&'a str>, open: bool },
    /// Creates or renames the parties of a private chat.
    Private { number: u32, one: u64, other: u64, one_name: &'a str, other_name: &'a str },
    /// Adds a message.
    Line(NewLine<'a>),
    /// Adds a redacted line.
    RedactedLine { number: u32, id: u64, time: i64 },
    /// Closes a channel.
    ChannelClosed { number: u32 },
    /// Changes the moderation state of a channel.
    ChannelModeration { number: u32, op: ChannelModerationOp<'a> },
    /// Sets a topic, with the account that set it if any.
    Topic { number: u32, topic: Option<&'a str>, by: Option<u64> },
    /// Raises the retention floor.
    Floor { number: u32, floor: u64 },
    /// Records that this line has an earlier time than the one before it.
    OutOfOrder { number: u32, id: u64 },
    /// Holds a name (folded) for a user.
    HoldName { name: &'a str, user_id: u64, since: i64 },
    /// Releases a name (folded).
    ReleaseName { name: &'a str },
    /// Changes an account.
    Account(AccountOp<'a>),
    /// Changes server moderation.
    ServerModeration(ServerModerationOp<'a>),
}

/// A message to store, with the author's account if any. `once` is the author (folded) and the
/// idempotency key. A hidden message is stored redacted. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NewLine<'a> {
    pub number: u32,
    pub id: u64,
    pub time: i64,
    pub author: &'a str,
    pub action: bool,
    pub by_other: bool,
    pub account: Option<u64>,
    pub text: &'a str,
    pub once: Option<(&'a str, &'a str)>,
    pub hidden: bool,
}

/// The columns of a message that redaction changes.
pub(super) struct LineColumns<'a> {
    pub(super) flags: i64,
    pub(super) account: Option<u64>,
    pub(super) author: &'a str,
    pub(super) text: &'a str,
}

impl LineColumns<'_> {
    /// Returns the flags of a new row with its checksum.
    pub(super) fn flags_with_sum(&self, place: i64, time: i64) -> i64 {
        let &Self { flags, account, author, text } = self;
        let (author, text) = (author.as_bytes(), text.as_bytes());
        Columns { place, time, flags, account, author, text }.flags_with_sum()
    }
}

impl<'a> NewLine<'a> {
    /// The columns as stored: those of a hidden message are redacted.
    pub(super) fn columns(&self) -> LineColumns<'a> {
        let &Self { account, author, text, .. } = self;
        if self.hidden {
            LineColumns { flags: REDACTED, account: None, author: "", text: "" }
        } else {
            let flags = i64::from(self.action) * ACTION + i64::from(self.by_other) * BY_OTHER;
            LineColumns { flags, account, author, text }
        }
    }
}

/// A write operation on an account. `user_id` is the account's number. Times are in milliseconds
/// since 1970.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum AccountOp<'a> {
    /// Creates an account. Fails if the name is taken.
    Create {
        user_id: u64,
        key: &'a str,
        shown: &'a str,
        password: &'a str,
        created: i64,
        admin: bool,
    },
    /// Changes or rehashes the password.
    Password { user_id: u64, password: &'a str },
    /// Last seen at this time.
    Seen { user_id: u64, time: i64 },
    /// Sets or clears the away state.
    Away { user_id: u64, is_away: bool, reason: Option<&'a str> },
    /// Grants or revokes the right of a server operator.
    Admin { user_id: u64, admin: bool },
    /// Adds a token.
    Token { hash: &'a [u8; 32], user_id: u64, created: i64 },
    /// Records the use of a token.
    TokenUsed { hash: &'a [u8; 32], time: i64 },
    /// Removes a token.
    Revoke { hash: &'a [u8; 32] },
    /// Removes all tokens but one.
    RevokeAll { user_id: u64, except: Option<&'a [u8; 32]> },
    /// Ignores a name (folded) and the account that has it now.
    Ignore { user_id: u64, name: &'a str, shown: &'a str, other: Option<u64> },
    /// Stops ignoring a name (folded).
    Unignore { user_id: u64, name: &'a str },
    /// Adds a membership with a read marker. An existing membership stays as it is.
    Member { user_id: u64, number: u32, marker: u64, entered: i64 },
    /// Advances the read marker in a private chat or in a channel of the account. It never falls.
    Marker { user_id: u64, number: u32, marker: u64 },
    /// Removes a membership.
    NotMember { user_id: u64, number: u32 },
    /// Makes the account an operator of a channel.
    Operator { number: u32, user_id: u64 },
    /// Revokes the operator right.
    NotOperator { number: u32, user_id: u64 },
    /// Deletes the account and everything under it. Its lines stay until
    /// [`Writer::redact`](super::writer::Writer::redact) has
    /// redacted them.
    Forget { user_id: u64 },
    /// All lines of a deleted account are redacted.
    Redacted { user_id: u64 },
}

impl<'a> From<AccountOp<'a>> for WriteOp<'a> {
    fn from(entry: AccountOp<'a>) -> Self {
        Self::Account(entry)
    }
}

/// A write operation of server moderation. Times are in milliseconds since 1970. An `author` of
/// `None` is the shell.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum ServerModerationOp<'a> {
    /// Adds an invitation code for one registration.
    Invitation { hash: &'a [u8; 32], author: Option<&'a str>, created: i64, until: i64 },
    /// Removes a used invitation.
    InvitationUsed { hash: &'a [u8; 32] },
    /// Adds or replaces a server ban.
    Ban {
        key: &'a str,
        shown: &'a str,
        author: Option<&'a str>,
        created: i64,
        until: Option<i64>,
        reason: Option<&'a str>,
    },
    /// Removes a server ban.
    Unban { key: &'a str },
    /// Removes what has expired by this time.
    Expire { now: i64 },
    /// Adds an entry to the audit log.
    Log {
        time: i64,
        author: Option<&'a str>,
        did: &'a str,
        whom: &'a str,
        until: Option<i64>,
        reason: Option<&'a str>,
    },
}

impl<'a> From<ServerModerationOp<'a>> for WriteOp<'a> {
    fn from(entry: ServerModerationOp<'a>) -> Self {
        Self::ServerModeration(entry)
    }
}

/// A write operation on the moderation state of a channel.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum ChannelModerationOp<'a> {
    /// Changes a setting.
    Setting { name: &'a str, value: &'a str },
    /// Adds an entry to a list, replacing one with the same key.
    AddListEntry(NewListEntry<'a>),
    /// Removes an entry, or only one that has ended by this time.
    RemoveListEntry { list: u8, key: &'a str, ended: Option<i64> },
    /// Makes an account an operator.
    GrantOperator { user_id: u64, inherited: bool },
    /// Revokes the operator right.
    RevokeOperator { user_id: u64 },
    /// Adds an entry to the moderation log.
    Log(NewModAction<'a>),
    /// Hides lines of an author.
    Purge(PurgeOp<'a>),
    /// Clears all of it: the channel is gone.
    Clear,
}

/// A new entry of the ban, mute or invitation list.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NewListEntry<'a> {
    /// 0 for bans, 1 for mutes, 2 for invitations.
    pub list: u8,
    pub key: &'a str,
    pub target: &'a str,
    pub user_id: Option<u64>,
    pub account: Option<u64>,
    pub by: &'a str,
    pub time: i64,
    /// Expiry.
    pub until: Option<i64>,
    pub reason: Option<&'a str>,
}

/// A new entry of the moderation log.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NewModAction<'a> {
    pub time: i64,
    pub by: &'a str,
    /// The command.
    pub did: &'a str,
    pub target: Option<&'a str>,
    pub until: Option<i64>,
    /// Name and value of the setting.
    pub setting: Option<&'a str>,
    pub reason: Option<&'a str>,
}

/// A name that an author had from one time to another.
#[derive(Clone, Copy, Debug)]
pub struct AuthorPeriod<'a> {
    /// The folded name.
    pub name: &'a str,
    /// Lower bound, inclusive.
    pub from: Option<i64>,
    /// Upper bound, inclusive.
    pub upto: Option<i64>,
}

impl AuthorPeriod<'_> {
    pub(super) fn is_at(&self, time: i64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.upto.is_none_or(|upto| time <= upto)
    }
}

/// A purge: hides the lines of an author up to an id.
#[derive(Clone, Copy, Debug)]
pub struct PurgeOp<'a> {
    /// The author.
    pub author: AuthorPeriod<'a>,
    /// The last id.
    pub upto: u64,
}

/// Whether an operation deletes an account.
pub(super) fn forgets(entries: &[WriteOp<'_>]) -> bool {
    entries.iter().any(|entry| matches!(entry, WriteOp::Account(AccountOp::Forget { .. })))
}

/// Whether an operation must overwrite the data that it replaces.
pub(super) fn overwrites(entries: &[WriteOp<'_>]) -> bool {
    entries.iter().any(|entry| {
        matches!(entry, WriteOp::Account(AccountOp::Forget { .. } | AccountOp::Password { .. }))
    })
}
