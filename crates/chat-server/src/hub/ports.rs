//! What the hub asks of the rooms outside, as traits that they implement.

use std::sync::Arc;

use chat_proto::command::{OnceKey, Search, Span};
use chat_proto::conversation::Conversation;
use chat_proto::event::{Event, Placed};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::Hub;
use super::channel::Channel;
use super::person::{Party, Person};
use super::private::Room;

/// Gives each line its place in its conversation.
///
/// An order takes a draft and asks [`Addressee::admits`] whether it may still be said. Then it gives it the next
/// id of its conversation and makes it durable, and only after that hands it to [`Hub::settle`], in
/// the order of the ids. So whatever anyone has seen is kept already. Drafts of one author are
/// settled in the order in which they were submitted, each exactly once.
pub trait Order: Send + Sync {
    /// Takes a draft. Never blocks. An author has a bounded number of drafts that are not settled, which
    /// bounds what waits here.
    fn submit(&self, draft: Draft, hub: &Arc<Hub>);

    /// Takes something to remember that nobody waits for. It is kept no later than any draft that is
    /// submitted after it.
    fn remember(&self, fact: Fact, hub: &Arc<Hub>);
}

/// Answers questions about the past.
pub trait Archive: Send + Sync {
    /// Takes a question. Never blocks; the answer comes to the asker as a note. One asker has one
    /// question at a time, which bounds what waits here.
    fn ask(&self, question: Question, asker: &Arc<Person>);
}

/// What is not settled yet: a line without a place, or a topic that isn't set.
pub struct Draft {
    pub(crate) author: Arc<Person>,
    pub(crate) from: UserName,
    pub(crate) what: What,
    /// When it was said.
    pub(crate) time: Timestamp,
    /// Who hears it; or why it may not be said, unless it turns out to be said already.
    pub(crate) to: Result<Addressee, Refusal>,
    /// As the author names the conversation; for the answer.
    pub(crate) place: Conversation,
    /// It is to be said once, however often it is sent.
    pub(crate) once: Option<OnceKey>,
}

/// What a draft is about.
pub(crate) enum What {
    Line {
        text: Text,
        /// `/me`.
        action: bool,
    },
    Topic(Text),
    /// Somebody is put out, after what they said and is being kept.
    Kick {
        person: Arc<Person>,
        user: UserName,
        reason: Option<Text>,
    },
}

/// Who hears a line.
pub(crate) enum Addressee {
    Channel(Arc<Channel>),
    /// The room for the line in the other's queue is taken before the line gets its place, so a line
    /// that has a place is never refused for want of room.
    Person {
        person: Arc<Person>,
        to: UserName,
        room: Room,
    },
}

impl Addressee {
    /// The conversation in which they hear it from this author.
    pub(crate) fn key(&self, author: &Person) -> ConversationKey {
        match self {
            Self::Channel(channel) => ConversationKey::Channel(channel.name.clone()),
            Self::Person { person, .. } => ConversationKey::private(author.party(), person.party()),
        }
    }
}

/// What became of a draft.
pub(crate) enum Settled {
    /// A line got its place, and is kept.
    Placed(LineId),
    /// A topic is kept.
    TopicKept,
    /// It is its turn.
    Due,
    /// It was said before, there and then.
    SaidBefore(Conversation, Placed),
    /// It was not said, and nothing of it is kept.
    Refused(Refusal),
}

/// A conversation, the same for everybody in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConversationKey {
    /// A channel, by its name.
    Channel(ChannelName),
    /// A private chat, by the two in it, the smaller number in front.
    Private(Party, Party),
}

impl ConversationKey {
    pub(crate) fn private(one: Party, other: Party) -> Self {
        Self::Private(one.min(other), one.max(other))
    }
}

/// Something to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A channel was made.
    Opened(ChannelName, Option<Text>),
    /// A channel is gone; its name goes on with the next id if it is made again.
    Dropped(ChannelName),
    /// A name stands for this party: whoever has it reads what was said privately.
    Held(UserName, Party, Timestamp),
    /// A name stands for nobody any more. The text is its [`UserName::key`].
    Released(Box<str>),
    /// A party won't come back.
    Ended(Party),
}

/// What was kept when a server starts.
#[derive(Debug, Default)]
pub struct Past {
    pub(crate) channels: Vec<KeptChannel>,
    /// Names, as [`UserName::key`], that stood for a party when the last server ended.
    pub(crate) held: Vec<(Box<str>, Party)>,
    /// No party has this number or a higher one.
    pub(crate) next_party: u64,
}

/// A channel that was there once.
#[derive(Debug)]
pub(crate) struct KeptChannel {
    pub(crate) name: ChannelName,
    pub(crate) topic: Option<Text>,
    pub(crate) last: LineId,
    /// Lines up to this one are kept no more.
    pub(crate) floor: LineId,
    /// It is still there; of others only the last id is kept.
    pub(crate) open: bool,
}

/// A question about the past.
pub enum Question {
    /// Some lines of a conversation, the first page of them; none after the given one.
    Lines(Of, Span, Option<LineId>),
    /// The next page.
    Rest(Range),
    /// Lines with certain words.
    Search(Box<Asked>),
}

/// Which conversation a question is about.
pub enum Of {
    /// This one.
    Key(ConversationKey),
    /// The private chat that a party had last with somebody of this name.
    LastWith(Party, UserName),
}

/// Lines of a conversation: those after one id up to another.
pub struct Range {
    pub(crate) key: ConversationKey,
    pub(crate) after: LineId,
    pub(crate) upto: LineId,
}

/// What is looked for, and what the asker may read.
pub struct Asked {
    pub(crate) search: Search,
    /// The channels that they are in.
    pub(crate) channels: Vec<ChannelName>,
    /// They themselves, for private chats.
    pub(crate) party: Party,
    /// The one conversation to look into; one of those that they may read.
    pub(crate) only: Option<Of>,
    /// Whose lines they don't want to see, as [`UserName::key`].
    pub(crate) hidden: Vec<String>,
}

/// What was found.
pub(crate) struct Found {
    /// Each a line of the past.
    pub(crate) rows: Vec<Event>,
    /// What comes after these.
    pub(crate) rest: Option<Range>,
    /// There is more than was asked for.
    pub(crate) more: bool,
}
