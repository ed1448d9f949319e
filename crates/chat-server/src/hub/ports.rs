//! What the hub asks of the rooms outside, as traits that they implement.

use std::collections::HashMap;
use std::sync::Arc;

use chat_proto::command::{HistoryRange, OnceKey, SearchCursor, SearchQuery};
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, Event, MessageStamp, OkReply};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::secret::Secret;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::admin::command::{AdminCommand, AuditEntry};
use crate::hub::admin::server_moderation::StoredServerModeration;
use crate::hub::channel::mod_action::{AccessContext, ModAction, ModerationChange};
use crate::hub::channel::moderation::FilterVerdict;
use crate::hub::channel::{Channel, StoredModeration};
use crate::hub::client::account::StoredAccount;
use crate::hub::client::private::SendPermit;
use crate::hub::client::{Client, NameRecord, UserId};

/// Gives each line its place in its conversation.
///
/// An order takes a draft and asks [`Proposal::check_policy`] whether it may still be said. Then it gives it the next
/// id of its conversation and makes it durable, and only after that hands it to [`Hub::apply`], or a line of a
/// channel, with those that follow it there, to [`Hub::apply_run`], in the order of the ids. So whatever anyone has
/// seen is kept already. Drafts of one author are settled in the order in which they were submitted, each exactly once.
pub trait CommitLog: Send + Sync {
    /// Takes a draft. Never blocks. An author has a bounded number of drafts that are not settled, which
    /// bounds what waits here.
    fn submit(&self, proposal: Proposal, hub: &Arc<Hub>);

    /// Takes what becomes of an account. It is kept, or not, before the asker is told; and in the order in
    /// which it came, among drafts too.
    fn submit_account_update(&self, update: AccountProposal, hub: &Arc<Hub>);

    /// Takes what an operator of the server decided, in the same way.
    fn submit_admin_command(&self, command: Box<AdminCommand>, hub: &Arc<Hub>);

    /// Takes something to remember that nobody waits for. It is kept no later than any draft that is
    /// submitted after it.
    fn record(&self, fact: StateChange, hub: &Arc<Hub>);
}

/// Keeps secrets: hashes passwords, which takes time, and makes tokens.
pub trait Vault: Send + Sync {
    /// Takes a question. Never blocks; the answer comes to the asker as a note.
    fn ask(&self, question: auth::Question, asker: &Arc<Client>);

    /// Has a password hashed for nobody in the chat. `done` is called where hashes are made, or at once if so much waits
    /// that it isn't taken, and must not block.
    fn hash(&self, secret: Secret, done: Box<dyn FnOnce(auth::Answer) + Send>);

    /// Passwords that wait to be looked at.
    fn waiting(&self) -> usize;

    /// A new token as it is shown, and what is kept of it; none if the system has no randomness.
    fn new_token(&self) -> Option<(Secret, TokenHash)>;

    /// What is kept of a token that is shown so, if it can be one.
    fn hash_of(&self, shown: &Secret) -> Option<TokenHash>;
}

/// What a vault is asked.
pub mod auth {
    use std::net::IpAddr;
    use std::sync::Arc;

    use chat_proto::name::UserName;
    use chat_proto::secret::Secret;

    /// About a password.
    pub enum Question {
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
    pub enum Answer {
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
}

/// Answers questions about the past.
pub trait Archive: Send + Sync {
    /// Takes a question. Never blocks; the answer comes to the asker as a note. One asker has one
    /// question at a time, which bounds what waits here.
    fn ask(&self, question: Question, asker: &Arc<Client>);
}

/// What is not settled yet: a line without a place, or a topic that isn't set.
pub struct Proposal {
    pub(crate) author: Arc<Client>,
    pub(crate) from: UserName,
    /// Who the author was when they said it.
    pub(crate) user_id: UserId,
    /// They were signed in then.
    pub(crate) account: Option<UserId>,
    pub(crate) what: Payload,
    /// When it was said. The order may give the line a later time: that of the one before it.
    pub(crate) time: Timestamp,
    /// Who hears it; or why it may not be said, unless it turns out to be said already.
    pub(crate) to: Result<Recipient, Refusal>,
    /// As the author names the conversation; for the answer.
    pub(crate) place: Conversation,
    /// It is to be said once, however often it is sent.
    pub(crate) once: Option<OnceKey>,
    /// Of a line: by which its author knows the answer to it from others.
    pub(crate) correlation_id: u64,
    /// In a channel: whether its author may. It is asked where it counts, since what one may changes.
    pub(crate) may: PolicyCheck,
    /// What the channel's filter found in the text when its author asked. It is looked for again only if the filter has
    /// changed since.
    pub(crate) verdict: Option<Box<FilterVerdict>>,
}

/// Whether somebody of this standing in a channel may say or do something there.
pub(crate) type PolicyCheck = fn(&AccessContext<'_>, &Payload) -> Result<(), Refusal>;

/// What a draft is about.
pub(crate) enum Payload {
    Message {
        text: Text,
        /// `/me`.
        action: bool,
    },
    Topic(Text),
    /// What somebody does who runs the channel. It has its place among the lines: who is muted says nothing
    /// after it.
    ModAction(Box<ModAction>),
}

/// Who hears a line.
pub(crate) enum Recipient {
    Channel(Arc<Channel>),
    Private(Box<PrivateRecipient>),
}

/// Who hears a private line. The room for it in their queues is taken before it gets its place, so a line that has
/// a place is never refused for want of room.
pub(crate) struct PrivateRecipient {
    pub(crate) user_id: UserId,
    pub(crate) to: UserName,
    /// Each of their devices that is here.
    pub(crate) rooms: Vec<SendPermit>,
    /// The author's other devices, which see it as well.
    pub(crate) own: Vec<SendPermit>,
    /// What is written to an account waits for it.
    pub(crate) waits: bool,
}

impl Recipient {
    /// The conversation in which they hear it from this author.
    pub(crate) fn key(&self, author: UserId) -> ConversationKey {
        match self {
            Self::Channel(channel) => ConversationKey::Channel(channel.name.clone()),
            Self::Private(to) => ConversationKey::private(author, to.user_id),
        }
    }
}

/// What became of a draft.
pub(crate) enum CommitOutcome {
    /// A private line got its place, and is kept.
    MessageStored(MessageStamp),
    /// A topic is kept.
    TopicStored,
    /// An act is kept; it hides so many lines. It may be for the record of the server's operators.
    ModActionStored(usize, Option<Box<AuditEntry>>),
    /// It was said before, there and then.
    Duplicate(Conversation, MessageStamp),
    /// It had its place and could not be kept: it was not said, and the place is free again.
    Failed(Refusal),
    /// It was not said, and nothing of it is kept.
    Refused(Refusal),
}

/// A conversation, the same for everybody in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConversationKey {
    /// A channel, by its name.
    Channel(ChannelName),
    /// A private chat, by the two in it, the smaller number in front.
    Private(UserId, UserId),
}

impl ConversationKey {
    pub(crate) fn private(one: UserId, other: UserId) -> Self {
        Self::Private(one.min(other), one.max(other))
    }
}

/// Something to remember.
#[derive(Clone, Debug)]
pub enum StateChange {
    /// A channel was made, with a topic by this account if its maker has one.
    ChannelCreated(ChannelName, Option<Text>, Option<UserId>),
    /// A channel is gone; its name goes on with the next id if it is made again.
    ChannelDropped(ChannelName),
    /// A channel that is gone is forgotten with its last id: new ones begin after that.
    ChannelForgotten(ChannelName, MessageId),
    /// A name stands for this party: whoever has it reads what was said privately.
    NameHeld(UserName, UserId, Timestamp),
    /// A name stands for nobody any more. The text is its [`UserName::key`].
    NameReleased(Box<str>),
    /// A party won't come back.
    UserGone(UserId),
    /// An account was here.
    AccountSeen(UserId, Timestamp),
    /// An account is in a channel, of which lines up to this one are read.
    MemberAdded(UserId, ChannelName, MessageId, Timestamp),
    /// An account is in a channel no more.
    MemberRemoved(UserId, ChannelName),
    /// An account has read a conversation up to this line.
    ReadMarker(UserId, ConversationKey, MessageId),
    /// A token was used.
    TokenUsed(UserId, TokenHash, Timestamp),
    /// A token holds no more.
    TokenExpired(UserId, TokenHash),
    /// Invitations until this moment hold no more.
    ExpiredBefore(Timestamp),
    /// How a channel is run has changed by itself.
    Moderation(Box<ChannelChange>),
}

/// Something that becomes of an account, at somebody's wish.
pub struct AccountProposal {
    pub(crate) asker: Arc<Client>,
    pub(crate) what: AccountUpdate,
    /// What the asker is told once it is kept; with `None` that it is, for them to go on.
    pub(crate) done: Option<OkReply>,
}

/// What becomes of an account.
#[expect(missing_docs, reason = "the fields are what is kept of it")]
pub enum AccountUpdate {
    /// It is made.
    Register {
        user_id: UserId,
        name: UserName,
        password: Box<str>,
        token: Option<TokenHash>,
        /// Used up by it.
        invite: Option<TokenHash>,
        /// Whom its owner hides already.
        ignored: Vec<(UserName, Option<UserId>)>,
        away: Option<Away>,
        now: Timestamp,
    },
    /// A token is made for it, and perhaps the password hashed anew.
    SignIn {
        user_id: UserId,
        token: Option<TokenHash>,
        /// Given up for the new one.
        surplus: Option<TokenHash>,
        rehashed: Option<Box<str>>,
        now: Timestamp,
    },
    /// A token holds no more.
    SignOut { user_id: UserId, token: Option<TokenHash>, now: Timestamp },
    /// It has another password, and no token but this.
    Password { user_id: UserId, password: Box<str>, token: Option<TokenHash>, now: Timestamp },
    /// It is in a channel, of which lines up to this one are read.
    Enter { user_id: UserId, channel: ChannelName, read: MessageId, now: Timestamp },
    /// It is in a channel no more.
    Leave { user_id: UserId, channel: ChannelName },
    /// It hides somebody.
    Ignore { user_id: UserId, name: UserName, whom: Option<UserId> },
    /// It sees somebody again.
    Unignore { user_id: UserId, names: Vec<UserName>, whom: Option<UserId> },
    /// It is away, or here again.
    Away { user_id: UserId, away: Option<Away> },
    /// It is erased, with what was written by it.
    Forget { user_id: UserId },
}

impl AccountUpdate {
    /// Of which account.
    pub(crate) fn user_id(&self) -> UserId {
        match self {
            Self::Register { user_id, .. }
            | Self::SignIn { user_id, .. }
            | Self::SignOut { user_id, .. }
            | Self::Password { user_id, .. }
            | Self::Enter { user_id, .. }
            | Self::Leave { user_id, .. }
            | Self::Ignore { user_id, .. }
            | Self::Unignore { user_id, .. }
            | Self::Away { user_id, .. }
            | Self::Forget { user_id } => *user_id,
        }
    }
}

/// What is kept of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How a channel is run has changed.
#[derive(Clone, Debug)]
pub struct ChannelChange {
    pub(crate) channel: ChannelName,
    pub(crate) keep: ModerationChange,
}

/// What was kept when a server starts.
#[derive(Default)]
pub struct RecoveredState {
    pub(crate) channels: Vec<RecoveredChannel>,
    /// The greatest last id of channels that are forgotten.
    pub(crate) forgotten: MessageId,
    /// Names, as [`UserName::key`], that stood for a party when the last server ended.
    pub(crate) held: Vec<(Box<str>, UserId)>,
    /// No party has this number or a higher one.
    pub(crate) next_user_id: u64,
    pub(crate) accounts: Vec<StoredAccount>,
    /// When each was used last.
    pub(crate) tokens: Vec<(TokenHash, UserId, Timestamp)>,
    pub(crate) server_moderation: StoredServerModeration,
}

/// A channel that was there once.
pub(crate) struct RecoveredChannel {
    pub(crate) name: ChannelName,
    pub(crate) topic: Option<Text>,
    /// The account that set it.
    pub(crate) topic_by: Option<UserId>,
    pub(crate) last: MessageId,
    /// Lines up to this one are kept no more.
    pub(crate) floor: MessageId,
    /// It is still there; of others only the last id is kept.
    pub(crate) open: bool,
    pub(crate) running: StoredModeration,
}

/// A question about the past.
#[derive(Clone)]
pub enum Question {
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
