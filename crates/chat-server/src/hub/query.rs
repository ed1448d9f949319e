//! Queries to the history and requests to the password service, with their results.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use chat_proto::command::{HistoryRange, SearchCursor, SearchQuery};
use chat_proto::conversation::Conversation;
use chat_proto::event::Event;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::secret::Secret;

use crate::hub::id::{ConversationKey, NameRecord, UserId};

/// A query about stored messages.
#[derive(Clone)]
pub enum HistoryQuery {
    /// Messages of a conversation, first page; of a channel those in the visible range.
    Lines(ConversationRef, HistoryRange, Option<VisibleRange>, HiddenAuthors),
    /// The next page.
    NextPage(IdRange, HiddenAuthors),
    /// Unread messages of an account.
    Unread(UnreadQuery),
    /// Messages that mention a user.
    Mentions {
        /// The user.
        reader: UnreadQuery,
        /// The channels, each with the id after which it begins.
        channels: Vec<(ChannelName, MessageId)>,
        /// The maximum number.
        most: u32,
        /// Only messages before this one.
        before: Option<SearchCursor>,
    },
    /// Full-text search.
    Search(Box<SearchRequest>),
    /// The last entries of a channel's moderation log.
    ChannelLog(ChannelName, u32),
    /// The number of messages under these names, in a range of ids. Counted in slices.
    CountBy(ChannelName, Vec<NameRecord>, MessageId, MessageId),
}

/// The ids that a user may read in a channel: those after `after`, up to `upto`. Earlier ones
/// belong to an earlier channel of the name, whether the store has removed them yet or not.
#[derive(Clone, Copy)]
pub struct VisibleRange {
    pub(crate) after: MessageId,
    pub(crate) upto: MessageId,
}

/// The conversation of a query.
#[derive(Clone)]
pub enum ConversationRef {
    /// A channel.
    Channel(ChannelName),
    /// A private chat by its key, with the user of this name.
    Chat(ConversationKey, UserName),
    /// The last private chat of a user with this name.
    LastWith(UserId, UserName),
}

impl ConversationRef {
    /// The name that a refusal shows.
    pub(crate) fn shown(&self) -> Conversation {
        match self {
            Self::Channel(name) => Conversation::Channel(name.clone()),
            Self::Chat(_, user) | Self::LastWith(_, user) => Conversation::Private(user.clone()),
        }
    }
}

/// A range of ids in a conversation: after one, up to another.
#[derive(Clone)]
pub struct IdRange {
    pub(crate) key: ConversationKey,
    pub(crate) after: MessageId,
    pub(crate) upto: MessageId,
    pub(crate) count: RangeCount,
}

/// How many messages of a range. Those of ignored authors don't count.
#[derive(Clone, Copy)]
pub(crate) enum RangeCount {
    All,
    /// The first ones.
    First(u32),
    /// The last ones; this many are still to be found, at or before this id.
    Last(u32, MessageId),
}

/// Authors whose messages are left out.
#[derive(Clone, Debug, Default)]
pub struct HiddenAuthors {
    /// Their names, as [`UserName::key`].
    pub(crate) names: Vec<String>,
    pub(crate) user_ids: Vec<UserId>,
}

/// A search, and what the user may read.
#[derive(Clone)]
pub struct SearchRequest {
    pub(crate) search: SearchQuery,
    /// The user's channels, each with the id after which it begins.
    pub(crate) channels: Vec<(ChannelName, MessageId)>,
    /// The user, for private chats.
    pub(crate) user_id: UserId,
    /// Restricts the search to one conversation that the user may read.
    pub(crate) only: Option<ConversationRef>,
    pub(crate) hidden: HiddenAuthors,
}

/// A user whose unread messages are queried.
#[derive(Clone)]
pub struct UnreadQuery {
    pub(crate) user_id: UserId,
    pub(crate) hidden: HiddenAuthors,
    /// Finds the messages that mention the user.
    pub(crate) name: UserName,
    /// Read markers that the store may not have yet.
    pub(crate) read: HashMap<ConversationKey, MessageId>,
}

/// Unread messages of a channel.
pub(crate) struct UnreadCount {
    pub(crate) channel: ChannelName,
    pub(crate) count: u64,
    /// How many of them mention the user.
    pub(crate) mentions: u64,
    /// The read marker.
    pub(crate) after: MessageId,
}

/// The result of a query.
#[derive(Default)]
pub(crate) struct QueryResult {
    /// Messages or log entries.
    pub(crate) rows: Vec<Event>,
    /// The next page.
    pub(crate) rest: Option<IdRange>,
    /// Where more results begin, if there are any.
    pub(crate) next: Option<SearchCursor>,
    /// Unread counts of channels.
    pub(crate) unread: Vec<UnreadCount>,
    /// The number of unread private messages; the newest are among the rows.
    pub(crate) waiting: u64,
    /// Their authors, and the last message returned of each.
    pub(crate) waiting_from: Vec<(UserId, MessageId)>,
    /// The author of the last one.
    pub(crate) last_writer: Option<(UserId, UserName)>,
    /// The number counted, up to this id.
    pub(crate) said_by: (u64, MessageId),
}

/// A request about a password.
pub enum AuthRequest {
    /// Its hash.
    Hash(Secret),
    /// Whether it is correct.
    Verify {
        /// The account's name.
        name: UserName,
        /// The peer's address; none on the Unix socket.
        address: Option<IpAddr>,
        /// As typed.
        secret: Secret,
        /// The stored hash; none for an unknown account, which takes as long.
        known: Option<Arc<str>>,
    },
}

/// The reply.
pub enum AuthReply {
    /// The hash, as a PHC string.
    Hashed(Box<str>),
    /// It is correct; `rehashed` if it is to be stored with new parameters.
    Right {
        /// As a PHC string.
        rehashed: Option<Box<str>>,
    },
    /// It is wrong, or the account is unknown.
    Wrong,
    /// Too many wrong ones: retry after so many seconds.
    TooSoon(u64),
    /// The queue is full.
    Busy,
    /// The system failed.
    Failed,
}
