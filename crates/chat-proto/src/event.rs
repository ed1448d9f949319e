//! The output of the server: each event is at most one line in each format.

use crate::ban_mask::ServerBanMask;
use crate::command::InvitationCode;
use crate::command_table::CommandKind;
use crate::conversation::Conversation;
use crate::format::Format;
use crate::id::MessageId;
use crate::mod_target::ModTarget;
use crate::name::{ChannelName, UserName};
use crate::refusal::Refusal;
use crate::secret::Secret;
pub use crate::term::Term;
use crate::text::{Text, clean};
use crate::time::{HumanDuration, Timestamp};

use std::borrow::Cow;
use std::fmt;

/// A sentence of the server: one line, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence(Box<str>);

impl Sentence {
    /// Control characters are removed.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(clean(text.as_ref()).into())
    }

    /// The notice to the sender of a private message to an offline account, once the message is
    /// stored.
    pub fn not_here(user: &UserName) -> Self {
        Self::new(format!("{user} isn't here; they will see it when they sign in."))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client sent `/quit`.
    Quit,
    /// The peer ended its input, and every line is answered.
    EndOfInput,
    /// No name was given in time.
    NoName,
    /// The server is shutting down.
    Shutdown,
    /// An internal error closed this connection.
    Fault,
    /// A server operator closed it.
    Killed,
}

impl CloseReason {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Quit => "you left",
            Self::EndOfInput => "your input ended",
            Self::NoName => "no name was given in time; connect again when you like",
            Self::Shutdown => "the server is stopping; connect again in a moment",
            Self::Fault => "the server failed at your connection; the fault is logged",
            Self::Killed => "an operator of the server ended your connection",
        }
    }
}

/// The purpose of the password in the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordPurpose {
    /// The password of a new account, or the one that replaces the old one.
    New,
    /// The one that is being changed.
    Old,
    /// The password of the account, to sign in.
    Login,
    /// The password of the account, to erase it.
    Forget,
}

impl PasswordPurpose {
    /// Its word in the JSON format.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Old => "old",
            Self::Login => "login",
            Self::Forget => "forget",
        }
    }
}

/// Why a client is signed out without a command on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOutReason {
    /// The password was changed on another device.
    NewPassword,
    /// The account was erased on another device.
    Forgotten,
    /// A server operator set another password.
    Operator,
    /// A server operator deleted the account.
    Deleted,
}

impl SignOutReason {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NewPassword => "its password was changed on another device",
            Self::Forgotten => "it was erased on another device",
            Self::Operator => "an operator of the server gave it another password",
            Self::Deleted => "an operator of the server deleted it",
        }
    }
}

/// The id and the time that a message got when it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageStamp {
    /// Its position in the conversation.
    pub id: MessageId,
    /// The time.
    pub time: Timestamp,
}

/// An output of the server to one client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the protocol page")]
pub enum Event {
    /// A message in a channel.
    Message {
        stamp: MessageStamp,
        channel: ChannelName,
        from: UserName,
        text: Text,
        /// `/me`.
        action: bool,
        /// From history.
        past: bool,
    },
    /// A private message; `with` is the other user from the recipient's view.
    Private {
        stamp: MessageStamp,
        with: UserName,
        from: UserName,
        to: UserName,
        text: Text,
        action: bool,
        past: bool,
    },
    /// Another user opened a private chat with the recipient.
    Opened {
        with: UserName,
    },
    Entered {
        channel: ChannelName,
        user: UserName,
        time: Timestamp,
    },
    Left {
        channel: ChannelName,
        user: UserName,
        time: Timestamp,
        reason: Option<Text>,
    },
    /// Another device of the recipient's account has left a channel, and so has this one; `current`
    /// is the new current conversation.
    YouLeft {
        channel: ChannelName,
        user: UserName,
        time: Timestamp,
        current: Option<Conversation>,
    },
    /// Batched joins and leaves of a large channel.
    Presence {
        channel: ChannelName,
        entered: u64,
        left: u64,
        members: u64,
    },
    /// A user has disconnected.
    Gone {
        user: UserName,
        reason: Option<Text>,
    },
    Renamed {
        from: UserName,
        to: UserName,
    },
    /// The topic was set, or removed (`None`).
    Topic {
        channel: ChannelName,
        topic: Option<Text>,
        by: UserName,
    },
    /// A member was removed from a channel that the recipient is in, by a kick or a ban.
    Kicked {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        reason: Option<Text>,
        ban: Option<Term>,
    },
    /// The recipient was removed; `current` is the new current conversation.
    YouWereKicked {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        reason: Option<Text>,
        ban: Option<Term>,
        current: Option<Conversation>,
    },
    /// A user was muted.
    Muted {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        term: Term,
        reason: Option<Text>,
    },
    /// A mute was lifted.
    Unmuted {
        channel: ChannelName,
        user: UserName,
        by: UserName,
    },
    /// A user became an operator, or (`false`) is no longer one.
    Operator {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        is_one: bool,
    },
    /// A setting was changed.
    Set {
        channel: ChannelName,
        name: &'static str,
        value: Sentence,
        by: UserName,
    },
    /// The messages of a user are hidden.
    Purged {
        channel: ChannelName,
        user: UserName,
        by: UserName,
    },
    /// The recipient may enter once.
    Invited {
        channel: ChannelName,
        by: UserName,
    },
    /// The channel was deleted; `current` is the new current conversation.
    Dropped {
        channel: ChannelName,
        by: UserName,
        reason: Option<Text>,
        current: Option<Conversation>,
    },
    /// The heading of `/channels`, with the searched part of the name, if any; text format only.
    ChannelsHead {
        count: usize,
        part: Option<Text>,
    },
    /// One row of `/channels`.
    Channel {
        name: ChannelName,
        members: usize,
        topic: Option<Text>,
    },
    /// The first names of `/users`; text format only. `channel` is `None` for all users online.
    UsersHead {
        channel: Option<ChannelName>,
        count: usize,
        names: Vec<UserName>,
    },
    /// More names, if one line would be too long; text format only.
    UsersMore {
        names: Vec<UserName>,
    },
    /// One row of `/users`; JSON format only.
    User {
        name: UserName,
        channel: Option<ChannelName>,
        operator: bool,
        away: Option<Away>,
    },
    /// The heading of `/ban`, `/mute`, `/set` or `/log`; text format only.
    ModListHead {
        kind: CommandKind,
        channel: ChannelName,
        count: usize,
    },
    /// One row of `/ban` or, if not `is_ban`, of `/mute`.
    Restriction {
        is_ban: bool,
        channel: ChannelName,
        restricted: Box<Restriction>,
    },
    /// One row of `/set`.
    Setting {
        channel: ChannelName,
        name: &'static str,
        value: Sentence,
    },
    /// One row of `/log`.
    LogEntry {
        channel: ChannelName,
        logged: Box<ModLogEntry>,
    },
    /// One user, for `/whois`.
    Whois(Box<WhoisInfo>),
    /// The recipient, for `/info`.
    Info(Box<SelfInfo>),
    /// An offline account, for `/whois`: when it was last online, and its away message.
    LastSeen {
        name: UserName,
        seen: Timestamp,
        away: Option<Away>,
    },
    /// A password prompt: the recipient's next line is the password of `name`, whatever it
    /// contains.
    PasswordAsked {
        what: PasswordPurpose,
        name: UserName,
    },
    /// The recipient was signed out: it has no name and is in no conversation.
    SignedOut {
        name: UserName,
        by: SignOutReason,
    },
    /// Signing in has restored the recipient's membership of a channel.
    Reentered {
        channel: ChannelName,
        members: usize,
        topic: Option<Text>,
        operator: bool,
        last: MessageId,
    },
    /// The number of unread messages in such a channel: those from others after `after`, the last
    /// message that the account has received; `mentions` of them mention the recipient.
    Unread {
        channel: ChannelName,
        count: u64,
        mentions: u64,
        after: MessageId,
    },
    /// The heading of the private messages that arrived while the recipient's account was offline;
    /// the newest `told` of them follow.
    UnreadPrivate {
        count: u64,
        told: u64,
    },
    /// An announcement to every client, from a server operator, or from the server's shell
    /// (`None`).
    Announcement {
        from: Option<UserName>,
        text: Text,
        time: Timestamp,
    },
    /// The recipient's connection is closed by a server operator, or from the server's shell
    /// (`None`).
    Killed {
        by: Option<UserName>,
        reason: Option<Text>,
        /// The recipient is also banned from the server.
        ban: Option<Term>,
    },
    /// The heading of `/ban everywhere`; text format only.
    ServerBansHead {
        count: usize,
    },
    /// One row of `/ban everywhere`.
    ServerBan(Box<ServerBan>),
    /// One row of `/stats`.
    Stat(Stat),
    /// The recipient read too slowly and missed messages.
    Missed {
        channel: ChannelName,
        count: u64,
        after: MessageId,
    },
    /// Any other notice.
    Notice(Sentence),
    /// The last line before the server closes the connection.
    Bye(CloseReason),
    /// The command was executed.
    Ok {
        re: Cow<'static, str>,
        reply: OkReply,
    },
    /// The command was refused.
    Refused {
        re: Cow<'static, str>,
        refusal: Refusal,
    },
}

/// A ban or a mute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// The name at that time.
    pub target: ModTarget,
    /// The operator.
    pub by: UserName,
    /// The time.
    pub time: Timestamp,
    /// The duration.
    pub term: Term,
    /// The reason.
    pub reason: Option<Text>,
}

/// A moderation action in the log of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModLogEntry {
    /// The time.
    pub time: Timestamp,
    /// The name at that time.
    pub by: UserName,
    /// The command.
    pub did: CommandKind,
    /// The target.
    pub target: Option<ModTarget>,
    /// The duration of a ban or a mute.
    pub term: Option<Term>,
    /// The changed setting, with its value.
    pub setting: Option<Sentence>,
    /// The reason.
    pub reason: Option<Text>,
}

/// The away state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// The words of `/away`.
    pub reason: Option<Text>,
}

/// A statistic of the server, formatted by the unit in its name: durations and sizes are readable.
#[derive(Clone, Copy, Debug)]
pub struct StatLine<'a>(pub &'a str, pub u64);

impl fmt::Display for StatLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, value) = *self;
        let secs = name.strip_suffix("_secs");
        let bytes = name.strip_suffix("_bytes");
        let words = secs.or(bytes).unwrap_or(name).replace('_', " ");
        write!(f, "{words:22}  ")?;
        match (secs, bytes) {
            (Some(_), _) => write!(f, "{}", HumanDuration(value)),
            (_, Some(_)) => write!(f, "{} MiB", value / (1024 * 1024)),
            _ => write!(f, "{value}"),
        }
    }
}

/// A server-wide ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBan {
    /// The banned mask.
    pub target: ServerBanMask,
    /// The operator; `None` for the server's shell.
    pub by: Option<UserName>,
    /// The time.
    pub time: Timestamp,
    /// The duration.
    pub term: Term,
    /// The reason.
    pub reason: Option<Text>,
}

/// One statistic of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its name. The name of a duration ends with `_secs`, that of a size with `_bytes`.
    pub name: &'static str,
    /// The number.
    pub value: u64,
}

/// The answer of `/whois`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoisInfo {
    /// As it is shown.
    pub name: UserName,
    /// The account that the user is signed in to.
    pub account: Option<UserName>,
    /// The away state.
    pub away: Option<Away>,
    /// The channels that the recipient shares with the user.
    pub shared: Vec<ChannelName>,
    /// The time at which the user came online.
    pub since: Timestamp,
    /// Seconds since the last input.
    pub idle_secs: u64,
    /// Seconds online.
    pub online_secs: u64,
    /// The user's address, for server operators only.
    pub address: Option<String>,
}

/// The answer of `/info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfInfo {
    /// As it is shown.
    pub name: UserName,
    /// The account that the client is signed in to.
    pub account: Option<UserName>,
    /// The current conversation.
    pub current: Option<Conversation>,
    /// All channels that the client is in.
    pub channels: Vec<ChannelName>,
    /// The peer's address as the server sees it.
    pub address: String,
    /// The time at which the client connected.
    pub since: Timestamp,
    /// Seconds connected.
    pub connected_secs: u64,
    /// The away state.
    pub away: Option<Away>,
}

/// The result of a command; the text format prints a sentence where a reader needs one.
///
/// `last` is the id of the channel's last message at that time; later messages have greater ids.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the protocol page")]
pub enum OkReply {
    /// The preceding rows are the whole answer.
    Told,
    /// The end of a list; its rows precede it.
    Listed {
        count: usize,
    },
    /// The end of a page of a longer list; `next` is the line to type for the next page.
    Page {
        count: usize,
        next: Text,
    },
    /// The first name of the connection; the main page precedes it.
    Welcomed {
        name: UserName,
    },
    Named {
        name: UserName,
    },
    Created {
        channel: ChannelName,
        topic: Option<Text>,
        last: MessageId,
    },
    Entered {
        channel: ChannelName,
        members: usize,
        topic: Option<Text>,
        operator: bool,
        last: MessageId,
    },
    /// The channel was entered before; it is current again.
    Current {
        channel: ChannelName,
        members: usize,
        topic: Option<Text>,
        operator: bool,
        last: MessageId,
    },
    Left {
        conversation: Conversation,
        current: Option<Conversation>,
    },
    PrivateOpened {
        with: UserName,
        stamp: Option<MessageStamp>,
    },
    Said {
        to: Conversation,
        stamp: MessageStamp,
    },
    /// The end of a history request; the messages precede it.
    History {
        conversation: Conversation,
        count: usize,
    },
    /// The end of a search; the messages precede it. `next` is the line to type for more, if there
    /// are any.
    Found {
        count: usize,
        next: Option<Text>,
    },
    /// The end of `/mentions`; the messages precede it. `next` is as in `Found`.
    Mentions {
        count: usize,
        next: Option<Text>,
    },
    TopicShown {
        channel: ChannelName,
        topic: Option<Text>,
    },
    TopicSet {
        channel: ChannelName,
        topic: Text,
    },
    Away {
        away: Option<Away>,
        changed: bool,
    },
    Ignoring {
        user: UserName,
        changed: bool,
    },
    NotIgnoring {
        user: UserName,
        changed: bool,
    },
    Kicked {
        channel: ChannelName,
        user: UserName,
    },
    /// `count` connections were closed.
    Killed {
        user: UserName,
        count: usize,
    },
    /// Banned from the server; `count` connections were closed.
    ServerBanned {
        target: ServerBanMask,
        term: Term,
        count: usize,
    },
    /// A server-wide ban was lifted.
    ServerUnbanned {
        target: ServerBanMask,
        changed: bool,
    },
    /// The announcement was sent to `count` connections.
    Announced {
        count: usize,
    },
    /// The code allows a registration until `until`.
    Invitation {
        invite: InvitationCode,
        until: Timestamp,
    },
    /// The name is an account, and the client is signed in to it. The token, without its prefix,
    /// signs in again.
    Registered {
        name: UserName,
        token: Secret,
    },
    /// `token` is a new token; `None` if the sign-in was by token.
    SignedIn {
        name: UserName,
        token: Option<Secret>,
    },
    /// The client is signed out and has no name.
    SignedOut {
        name: UserName,
    },
    /// All earlier tokens are revoked; this is a new one.
    PasswordChanged {
        token: Secret,
    },
    /// The account is erased, and the client has no name.
    Forgotten {
        name: UserName,
    },
    /// The end of a moderation list of a channel; its rows precede it.
    ListedOf {
        channel: ChannelName,
        count: usize,
    },
    Banned {
        channel: ChannelName,
        target: ModTarget,
        term: Term,
    },
    Unbanned {
        channel: ChannelName,
        target: ModTarget,
        changed: bool,
    },
    Muted {
        channel: ChannelName,
        user: UserName,
        term: Term,
    },
    Unmuted {
        channel: ChannelName,
        user: UserName,
        changed: bool,
    },
    Invited {
        channel: ChannelName,
        user: UserName,
    },
    Operator {
        channel: ChannelName,
        user: UserName,
        is_one: bool,
        changed: bool,
    },
    Set {
        channel: ChannelName,
        name: &'static str,
        value: Sentence,
    },
    Purged {
        channel: ChannelName,
        user: UserName,
        count: usize,
    },
    Dropped {
        channel: ChannelName,
        current: Option<Conversation>,
    },
    Format {
        format: Format,
    },
    Pong {
        token: Option<Text>,
    },
}
