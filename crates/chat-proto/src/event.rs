//! What the server tells: each event is at most one line in each form.

use crate::conversation::Conversation;
use crate::id::{LineId, Timestamp};
use crate::name::{ChannelName, UserName};
use crate::refusal::Refusal;
use crate::rendition::Form;
use crate::text::{Text, clean};

use std::borrow::Cow;

/// A sentence of the server's own: one line, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence(Box<str>);

impl Sentence {
    /// Control characters are removed.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(clean(text.as_ref()).into())
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
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
}

impl Farewell {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Quit => "you left",
            Self::EndOfInput => "your input ended",
            Self::NoName => "no name was given in time; connect again when you like",
            Self::Shutdown => "the server is stopping; connect again in a moment",
            Self::Fault => "the server failed at your connection; the fault is logged",
        }
    }
}

/// Where and when a line got its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its place in the conversation.
    pub id: LineId,
    /// When.
    pub time: Timestamp,
}

/// Anything that the server tells one person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the protocol page")]
pub enum Event {
    /// Said in a channel.
    Message {
        placed: Placed,
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
        placed: Placed,
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
    /// Somebody was put out of a channel that the receiver is in.
    Kicked {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        reason: Option<Text>,
    },
    /// The receiver was put out; `current` is the conversation that is current from now on.
    YouWereKicked {
        channel: ChannelName,
        user: UserName,
        by: UserName,
        reason: Option<Text>,
        current: Option<Conversation>,
    },
    /// The line above the rows of `/channels`, perhaps of those with a part in their names; text form
    /// only.
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
    /// One person, for `/whois`.
    Whois(Box<Person>),
    /// Oneself, for `/info`.
    Info(Box<Own>),
    /// The receiver read too slowly and missed lines.
    Missed {
        channel: ChannelName,
        count: u64,
        after: LineId,
    },
    /// Anything else.
    Notice(Sentence),
    /// The last line before the server closes.
    Bye(Farewell),
    /// The line that was asked is carried out.
    Ok {
        re: Cow<'static, str>,
        done: Done,
    },
    /// The line that was asked is refused.
    Refused {
        re: Cow<'static, str>,
        refusal: Refusal,
    },
}

/// Being away, and perhaps why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// The words of `/away`.
    pub reason: Option<Text>,
}

/// What `/whois` tells of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// As it is shown.
    pub name: UserName,
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
}

/// What `/info` tells of oneself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// As it is shown.
    pub name: UserName,
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
pub enum Done {
    /// Everything is told by the rows before.
    Told,
    /// Rows of a list, told before.
    Listed {
        count: usize,
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
        last: LineId,
    },
    Entered {
        channel: ChannelName,
        members: usize,
        topic: Option<Text>,
        operator: bool,
        last: LineId,
    },
    /// Entered before; now current again.
    Current {
        channel: ChannelName,
        members: usize,
        topic: Option<Text>,
        operator: bool,
        last: LineId,
    },
    Left {
        conversation: Conversation,
        current: Option<Conversation>,
    },
    PrivateOpened {
        with: UserName,
        placed: Option<Placed>,
    },
    Said {
        to: Conversation,
        placed: Placed,
    },
    /// Stored lines, told before, of a conversation.
    History {
        conversation: Conversation,
        count: usize,
    },
    /// Lines that were looked for, told before; there may be more than are told.
    Found {
        count: usize,
        more: bool,
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
    Format {
        form: Form,
    },
    Pong {
        token: Option<Text>,
    },
}
