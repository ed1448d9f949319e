//! Proposals to the commit log, and what becomes of them.

use std::sync::Arc;

use chat_proto::command::OnceKey;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, MessageStamp, OkReply};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::admin::command::AuditEntry;
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{AccessContext, ModAction, ModerationChange};
use crate::hub::channel::moderation::FilterVerdict;
use crate::hub::client::Client;
use crate::hub::client::private::SendPermit;
use crate::hub::id::{ConversationKey, TokenHash, UserId};

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

/// How a channel is run has changed.
#[derive(Clone, Debug)]
pub struct ChannelChange {
    pub(crate) channel: ChannelName,
    pub(crate) keep: ModerationChange,
}
