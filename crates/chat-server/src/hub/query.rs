//! Questions and answers that the hub exchanges with the modules outside: about stored messages,
//! and about passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use chat_proto::command::{HistoryRange, SearchCursor, SearchQuery};
use chat_proto::event::Event;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::secret::Secret;

use crate::hub::id::{ConversationKey, NameRecord, UserId};

/// A question about the past.
#[derive(Clone)]
pub enum HistoryQuery {
    /// Some lines of a conversation, the first page of them; of a channel those within reach.
    Lines(ConversationRef, HistoryRange, Option<VisibleRange>, HiddenAuthors),
    /// The next page.
    NextPage(IdRange, HiddenAuthors),
    /// What an account hasn't read.
    Unread(UnreadQuery),
    /// Lines that name somebody.
    Mentions {
        /// Whom.
        reader: UnreadQuery,
        /// Where, each with the line after which it begins.
        channels: Vec<(ChannelName, MessageId)>,
        /// So many.
        most: u32,
        /// Only lines from before this.
        before: Option<SearchCursor>,
    },
    /// Lines with certain words.
    Search(Box<SearchRequest>),
    /// The last acts of those who run a channel, at most so many.
    ChannelLog(ChannelName, u32),
    /// How many lines of a channel were said under these names, after one id up to another. It is counted in slices.
    CountBy(ChannelName, Vec<NameRecord>, MessageId, MessageId),
}

/// The lines of a channel that are in the past for somebody: those after one, up to another. What is before went
/// with an earlier channel of the name, whether the store knows it yet or not.
#[derive(Clone, Copy)]
pub struct VisibleRange {
    pub(crate) after: MessageId,
    pub(crate) upto: MessageId,
}

/// Which conversation a question is about.
#[derive(Clone)]
pub enum ConversationRef {
    /// This one.
    Key(ConversationKey),
    /// The private chat that a party had last with somebody of this name.
    LastWith(UserId, UserName),
}

/// Lines of a conversation: those after one id up to another.
#[derive(Clone)]
pub struct IdRange {
    pub(crate) key: ConversationKey,
    pub(crate) after: MessageId,
    pub(crate) upto: MessageId,
    pub(crate) count: RangeCount,
}

/// How many lines of a range. Lines that the asker isn't shown don't count.
#[derive(Clone, Copy)]
pub(crate) enum RangeCount {
    All,
    /// The first ones.
    First(u32),
    /// The last ones; this many are still to be found, at or before this id.
    Last(u32, MessageId),
}

/// Authors whose lines the asker isn't shown.
#[derive(Clone, Debug, Default)]
pub struct HiddenAuthors {
    /// Their names, as [`UserName::key`].
    pub(crate) names: Vec<String>,
    pub(crate) user_ids: Vec<UserId>,
}

/// What is looked for, and what the asker may read.
#[derive(Clone)]
pub struct SearchRequest {
    pub(crate) search: SearchQuery,
    /// The channels that they are in, each with the line after which it begins.
    pub(crate) channels: Vec<(ChannelName, MessageId)>,
    /// They themselves, for private chats.
    pub(crate) user_id: UserId,
    /// The one conversation to look into; one of those that they may read.
    pub(crate) only: Option<ConversationRef>,
    pub(crate) hidden: HiddenAuthors,
}

/// Who asks what they haven't read.
#[derive(Clone)]
pub struct UnreadQuery {
    pub(crate) user_id: UserId,
    pub(crate) hidden: HiddenAuthors,
    /// To find out which lines name them.
    pub(crate) name: UserName,
    /// What they have read, as far as the store may not know it yet.
    pub(crate) read: HashMap<ConversationKey, MessageId>,
}

/// What somebody hasn't read of a channel.
pub(crate) struct UnreadCount {
    pub(crate) channel: ChannelName,
    pub(crate) count: u64,
    /// How many of them name the reader.
    pub(crate) mentions: u64,
    /// The last line that was read.
    pub(crate) after: MessageId,
}

/// What was found.
#[derive(Default)]
pub(crate) struct QueryResult {
    /// Each a line of the past, or an act.
    pub(crate) rows: Vec<Event>,
    /// What comes after these.
    pub(crate) rest: Option<IdRange>,
    /// If there is more than was asked for, where that begins.
    pub(crate) next: Option<SearchCursor>,
    /// Of channels, what isn't read.
    pub(crate) unread: Vec<UnreadCount>,
    /// Private lines that aren't read, of which the newest are among the rows.
    pub(crate) waiting: u64,
    /// With whom these were, and the last line of each that is told.
    pub(crate) waiting_from: Vec<(UserId, MessageId)>,
    /// Who wrote the last of them.
    pub(crate) last_writer: Option<(UserId, UserName)>,
    /// So many lines were said under the names that were asked for, up to this id.
    pub(crate) said_by: (u64, MessageId),
}

/// About a password.
pub enum AuthRequest {
    /// What is to be kept of it.
    Hash(Secret),
    /// Whether it is the right one.
    Verify {
        /// Whose.
        name: UserName,
        /// From where it came; none for those on this machine.
        address: Option<IpAddr>,
        /// As it was typed.
        secret: Secret,
        /// What is kept of the right one; none if there is no such account, which takes as long.
        known: Option<Arc<str>>,
    },
}

/// What it found.
pub enum AuthReply {
    /// To be kept, as a PHC string.
    Hashed(Box<str>),
    /// It is the right one; perhaps it is to be kept in another way from now on.
    Right {
        /// As a PHC string.
        rehashed: Option<Box<str>>,
    },
    /// It isn't, or there is no such account.
    Wrong,
    /// There were too many wrong ones: the next is looked at after so many seconds.
    TooSoon(u64),
    /// So much waits that no more is taken.
    Busy,
    /// The system failed.
    Failed,
}
