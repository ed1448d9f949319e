//! What the server tells: each event is at most one line in each form.

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

/// A sentence of the server's own: one line, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence(Box<str>);

impl Sentence {
    /// Control characters are removed.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(clean(text.as_ref()).into())
    }

    /// For whoever writes privately to an account that isn't here, once the line is kept.
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
    /// The person asked to leave.
    Quit,
    /// The peer ended its input, and every line of it is answered.
    EndOfInput,
    /// No name was given in time.
    NoName,
    /// The server is being stopped.
    Shutdown,
    /// A fault of the server ended this connection.
    Fault,
    /// An operator of the server ended it.
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

/// Which password the next line is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordPurpose {
    /// One for a new account, or in place of the old one.
    New,
    /// The one that is to be changed.
    Old,
    /// The account's, to sign in.
    Login,
    /// The account's, to erase it.
    Forget,
}

impl PasswordPurpose {
    /// The word that stands for it in the JSON form.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Old => "old",
            Self::Login => "login",
            Self::Forget => "forget",
        }
    }
}

/// Why somebody is signed out without having asked for it on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOutReason {
    /// The password was changed on another device.
    NewPassword,
    /// The account was erased on another device.
    Forgotten,
    /// An operator of the server gave the account another password.
    Operator,
    /// An operator of the server deleted the account.
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

/// Where and when a line got its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageStamp {
    /// Its place in the conversation.
    pub id: MessageId,
    /// When.
    pub time: Timestamp,
}

/// Anything that the server tells one person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the protocol page")]
pub enum Event {
    /// Said in a channel.
    Message {
        stamp: MessageStamp,
        channel: ChannelName,
        from: UserName,
        text: Text,
        /// `/me`.
        action: bool,
        /// Out of history.
        past: bool,
    },
    /// Said privately; `with` is the other one, as the receiver sees it.
    Private {
        stamp: MessageStamp,
        with: UserName,
        from: UserName,
        to: UserName,
        text: Text,
        action: bool,
        past: bool,
    },
    /// Someone opened a private chat with the receiver.
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
    /// Another device of the receiver's account has left a channel, and so has this one; `current`
    /// is the conversation that is current from now on.
    YouLeft {
        channel: ChannelName,
        user: UserName,
        time: Timestamp,
        current: Option<Conversation>,
    },
    /// Comings and goings of a large channel, together.
    Presence {
        channel: ChannelName,
        entered: u64,
        left: u64,
        members: u64,
    },
    /// Left the system.
    Gone {
        user: UserName,
        reason: Option<Text>,
    },
    Renamed {
        from: UserName,
        to: UserName,
    },
    /// The topic was set, or with `None` removed.
    Topic {
        channel: ChannelName,
        topic: Option<Text>,
        by: UserName,
    },
    /// Somebody was put out of a channel that the receiver is in, by a ban or not.
    Kicked {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        reason: Option<Text>,
        ban: Option<Term>,
    },
    /// The receiver was put out; `current` is the conversation that is current from now on.
    YouWereKicked {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        reason: Option<Text>,
        ban: Option<Term>,
        current: Option<Conversation>,
    },
    /// Somebody may only read.
    Muted {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        term: Term,
        reason: Option<Text>,
    },
    /// Somebody may speak again.
    Unmuted {
        channel: ChannelName,
        user: UserName,
        by: UserName,
    },
    /// Somebody is an operator now, or with `false` isn't one any more.
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
    /// What somebody said is hidden.
    Purged {
        channel: ChannelName,
        user: UserName,
        by: UserName,
    },
    /// The receiver may enter once.
    Invited {
        channel: ChannelName,
        by: UserName,
    },
    /// The channel ended; `current` is the conversation that is current from now on.
    Dropped {
        channel: ChannelName,
        by: UserName,
        reason: Option<Text>,
        current: Option<Conversation>,
    },
    /// The line above the rows of `/channels`, perhaps of those with a part in their names; text
    /// form only.
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
    /// Names in one line, for `/users`; text form only. `channel` is `None` for everybody online.
    UsersHead {
        channel: Option<ChannelName>,
        count: usize,
        names: Vec<UserName>,
    },
    /// More names where one line would be too long; text form only.
    UsersMore {
        names: Vec<UserName>,
    },
    /// One row of `/users`; JSON form only.
    User {
        name: UserName,
        channel: Option<ChannelName>,
        operator: bool,
        away: Option<Away>,
    },
    /// The line above the rows of `/ban` or `/mute`, `/set` or `/log`; text form only.
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
    /// One person, for `/whois`.
    Whois(Box<WhoisInfo>),
    /// Oneself, for `/info`.
    Info(Box<SelfInfo>),
    /// An account whose person isn't here, for `/whois`: when they were here last, and what they
    /// said about being away.
    LastSeen {
        name: UserName,
        seen: Timestamp,
        away: Option<Away>,
    },
    /// The receiver's next line is taken for the password of `name`, whatever it is.
    PasswordAsked {
        what: PasswordPurpose,
        name: UserName,
    },
    /// The receiver was signed out, is in no conversation and has no name any more.
    SignedOut {
        name: UserName,
        by: SignOutReason,
    },
    /// Signing in has put the receiver into a channel that they were in before.
    Reentered {
        channel: ChannelName,
        members: usize,
        topic: Option<Text>,
        operator: bool,
        last: MessageId,
    },
    /// What others said in such a channel after line `after`, the last one that the account was
    /// told; so many of these lines name the receiver.
    Unread {
        channel: ChannelName,
        count: u64,
        mentions: u64,
        after: MessageId,
    },
    /// The line above the private lines that came while the receiver's account wasn't here; the
    /// newest `told` of them follow.
    UnreadPrivate {
        count: u64,
        told: u64,
    },
    /// An operator of the server, or with `None` somebody at its shell, tells something to
    /// everybody.
    Announcement {
        from: Option<UserName>,
        text: Text,
        time: Timestamp,
    },
    /// The receiver's connection is ended by an operator of the server, or with `None` from its
    /// shell.
    Killed {
        by: Option<UserName>,
        reason: Option<Text>,
        /// They are also kept out of the server.
        ban: Option<Term>,
    },
    /// The line above the rows of `/ban everywhere`; text form only.
    ServerBansHead {
        count: usize,
    },
    /// One row of `/ban everywhere`.
    ServerBan(Box<ServerBan>),
    /// One row of `/stats`.
    Stat(Stat),
    /// The receiver read too slowly and missed lines.
    Missed {
        channel: ChannelName,
        count: u64,
        after: MessageId,
    },
    /// Anything else.
    Notice(Sentence),
    /// The last line before the server closes.
    Bye(CloseReason),
    /// The line that was asked is carried out.
    Ok {
        re: Cow<'static, str>,
        reply: OkReply,
    },
    /// The line that was asked is refused.
    Refused {
        re: Cow<'static, str>,
        refusal: Refusal,
    },
}

/// Somebody who is banned or muted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Who, as they were called then.
    pub target: ModTarget,
    /// Who did it.
    pub by: UserName,
    /// When.
    pub time: Timestamp,
    /// For how long.
    pub term: Term,
    /// Why.
    pub reason: Option<Text>,
}

/// What somebody did who runs a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModLogEntry {
    /// When.
    pub time: Timestamp,
    /// Who, as they were called then.
    pub by: UserName,
    /// By which command.
    pub did: CommandKind,
    /// To whom.
    pub target: Option<ModTarget>,
    /// Of a ban or a mute: for how long.
    pub term: Option<Term>,
    /// Of a setting: which, and to what.
    pub setting: Option<Sentence>,
    /// Why.
    pub reason: Option<Text>,
}

/// Being away, and perhaps why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// The words of `/away`.
    pub reason: Option<Text>,
}

/// A number about the server in the unit that its name tells: lengths of time and sizes as people
/// say them.
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

/// Somebody who is kept out of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBan {
    /// Who.
    pub target: ServerBanMask,
    /// Who did it; `None` is whoever sat at the shell.
    pub by: Option<UserName>,
    /// When.
    pub time: Timestamp,
    /// For how long.
    pub term: Term,
    /// Why.
    pub reason: Option<Text>,
}

/// One number about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is the number of. That of a length of time ends with `_secs`, that of a size with
    /// `_bytes`.
    pub name: &'static str,
    /// The number.
    pub value: u64,
}

/// What `/whois` tells of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoisInfo {
    /// As it is shown.
    pub name: UserName,
    /// The account that they are signed in to.
    pub account: Option<UserName>,
    /// Away, and why.
    pub away: Option<Away>,
    /// The channels that the asker shares with them.
    pub shared: Vec<ChannelName>,
    /// Since when online.
    pub since: Timestamp,
    /// For how many seconds nothing was typed.
    pub idle_secs: u64,
    /// For how many seconds online.
    pub online_secs: u64,
    /// From where they are connected, for operators of the server alone.
    pub address: Option<String>,
}

/// What `/info` tells of oneself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfInfo {
    /// As it is shown.
    pub name: UserName,
    /// The account that one is signed in to.
    pub account: Option<UserName>,
    /// Where what one types goes.
    pub current: Option<Conversation>,
    /// All channels one is in.
    pub channels: Vec<ChannelName>,
    /// The peer's address as the server sees it.
    pub address: String,
    /// Since when connected.
    pub since: Timestamp,
    /// For how many seconds connected.
    pub connected_secs: u64,
    /// Away, and why.
    pub away: Option<Away>,
}

/// What a command made; the text form says it in a sentence where a person needs one.
///
/// `last` is the id of the channel's last line at that moment; what comes later has a greater one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the protocol page")]
pub enum OkReply {
    /// Everything is told by the rows before.
    Told,
    /// Rows of a list, told before.
    Listed {
        count: usize,
    },
    /// The same of a list that is longer; `next` is the line to type for what comes next.
    Page {
        count: usize,
        next: Text,
    },
    /// The first name; the main page has greeted.
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
    /// Entered before; now current again.
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
    /// Stored lines, told before, of a conversation.
    History {
        conversation: Conversation,
        count: usize,
    },
    /// Lines that were looked for, told before; if there are more, with the line to type for them.
    Found {
        count: usize,
        next: Option<Text>,
    },
    /// Stored lines that name one, told before; likewise.
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
    /// So many connections were ended.
    Killed {
        user: UserName,
        count: usize,
    },
    /// Kept out of the server; so many connections were ended.
    ServerBanned {
        target: ServerBanMask,
        term: Term,
        count: usize,
    },
    /// Let into the server again.
    ServerUnbanned {
        target: ServerBanMask,
        changed: bool,
    },
    /// It was told on so many connections.
    Announced {
        count: usize,
    },
    /// Somebody can register with it, until then.
    Invitation {
        invite: InvitationCode,
        until: Timestamp,
    },
    /// The name is an account, and one is signed in to it; the token signs in again, without its
    /// sign.
    Registered {
        name: UserName,
        token: Secret,
    },
    /// The token is there if a new one was made, not if one was used.
    SignedIn {
        name: UserName,
        token: Option<Secret>,
    },
    /// One has left the account, and has no name any more.
    SignedOut {
        name: UserName,
    },
    /// All tokens from before are revoked; this is the new one.
    PasswordChanged {
        token: Secret,
    },
    /// The account is erased, and one has no name any more.
    Forgotten {
        name: UserName,
    },
    /// Rows about a channel that is run, told before.
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
