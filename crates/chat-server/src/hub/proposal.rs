//! Proposals to the commit log, and their outcomes.

use std::sync::Arc;

use chat_proto::command::OnceKey;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, MessageStamp, OkReply};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::admin::command::{AdminCommand, AuditEntry};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{AccessContext, ModAction, ModerationChange};
use crate::hub::channel::moderation::FilterVerdict;
use crate::hub::client::Client;
use crate::hub::client::private::SendPermit;
use crate::hub::id::{ConversationKey, TokenHash, UserId};

/// What the commit log puts into its order.
pub enum Submission {
    /// A message, a topic or a moderation action.
    Proposal(Proposal),
    /// A change of an account that a client requested.
    Account(Box<AccountProposal>),
    /// A command of a server operator.
    Admin(Box<AdminCommand>),
    /// A change without a reply.
    Change(StateChange),
}

impl From<Proposal> for Submission {
    fn from(proposal: Proposal) -> Self {
        Self::Proposal(proposal)
    }
}

impl From<AccountProposal> for Submission {
    fn from(proposal: AccountProposal) -> Self {
        Self::Account(Box::new(proposal))
    }
}

impl From<AdminCommand> for Submission {
    fn from(command: AdminCommand) -> Self {
        Self::Admin(Box::new(command))
    }
}

impl From<StateChange> for Submission {
    fn from(change: StateChange) -> Self {
        Self::Change(change)
    }
}

/// A message, a topic or a moderation action that is not committed yet.
pub struct Proposal {
    pub(crate) author: Arc<Client>,
    pub(crate) from: UserName,
    /// The author's identity at submission.
    pub(crate) user_id: UserId,
    /// The author's account at submission.
    pub(crate) account: Option<UserId>,
    pub(crate) what: Payload,
    /// When it was submitted. The log may stamp it later: never before the previous message.
    pub(crate) time: Timestamp,
    /// The recipients; or why it is refused, unless it turns out to be a duplicate.
    pub(crate) to: Result<Recipient, Refusal>,
    /// The conversation as its author names it, for the reply.
    pub(crate) place: Conversation,
    /// The key of `/once`: a repeated submission is a duplicate.
    pub(crate) once: Option<OnceKey>,
    /// Of a message: correlates the ack with the submission.
    pub(crate) correlation_id: u64,
    /// In a channel: the policy to check at commit time, when rights may have changed.
    pub(crate) may: PolicyCheck,
    /// What the channel's filter found at submission. Checked again only if the filter has changed.
    pub(crate) verdict: Option<Box<FilterVerdict>>,
}

/// Decides from a channel's facts whether a payload is allowed.
pub(crate) type PolicyCheck = fn(&AccessContext<'_>, &Payload) -> Result<(), Refusal>;

/// The content of a proposal.
pub(crate) enum Payload {
    Message {
        text: Text,
        /// `/me`.
        action: bool,
    },
    Topic(Text),
    /// A moderation action. It is ordered among the messages, so a muted user's next message is
    /// refused.
    ModAction(Box<ModAction>),
}

/// The recipients.
pub(crate) enum Recipient {
    Channel(Arc<Channel>),
    Private(Box<PrivateRecipient>),
}

/// The recipients of a private message. Their queue permits are reserved before it is committed, so
/// a committed message always fits.
pub(crate) struct PrivateRecipient {
    pub(crate) user_id: UserId,
    pub(crate) to: UserName,
    /// A permit for each device that is online.
    pub(crate) permits: Vec<SendPermit>,
    /// Permits for the author's other devices.
    pub(crate) own: Vec<SendPermit>,
    /// The recipient has an account, which gets the message later.
    pub(crate) waits: bool,
}

impl Recipient {
    /// The key of the conversation with this author.
    pub(crate) fn key(&self, author: UserId) -> ConversationKey {
        match self {
            Self::Channel(channel) => ConversationKey::Channel(channel.name.clone()),
            Self::Private(to) => ConversationKey::private(author, to.user_id),
        }
    }
}

/// What became of a proposal.
pub(crate) enum CommitOutcome {
    /// A private message is stored.
    MessageStored(MessageStamp),
    /// A topic is stored.
    TopicStored,
    /// A moderation action is stored; it hides so many messages. The audit entry is set if a server
    /// operator did it.
    ModActionStored(usize, Option<Box<AuditEntry>>),
    /// It was committed before, with this stamp.
    Duplicate(Conversation, MessageStamp),
    /// It could not be stored; its id is free again.
    Failed(Refusal),
    /// It was refused and nothing is stored.
    Refused(Refusal),
}

/// A change without a reply.
#[derive(Clone, Debug)]
pub enum StateChange {
    /// A channel was created, with a topic by this account if its maker has one.
    ChannelCreated(ChannelName, Option<Text>, Option<UserId>),
    /// A channel is gone; its ids continue if it is created again.
    ChannelDropped(ChannelName),
    /// A channel that is gone is forgotten: new channels begin after its last id.
    ChannelForgotten(ChannelName, MessageId),
    /// A user holds this name: a client that resumes it reads its private messages.
    NameHeld(UserName, UserId, Timestamp),
    /// A name hold ended. The text is [`UserName::key`].
    NameReleased(Box<str>),
    /// A user can't return.
    UserGone(UserId),
    /// An account was online.
    AccountSeen(UserId, Timestamp),
    /// An account joined a channel, with this read marker.
    MemberAdded(UserId, ChannelName, MessageId, Timestamp),
    /// An account left a channel.
    MemberRemoved(UserId, ChannelName),
    /// An account's read marker moved.
    ReadMarker(UserId, ConversationKey, MessageId),
    /// A token was used.
    TokenUsed(UserId, TokenHash, Timestamp),
    /// A token expired.
    TokenExpired(UserId, TokenHash),
    /// Bans and invitations that ended before this moment expired.
    ExpiredBefore(Timestamp),
    /// A channel's moderation changed without a command.
    Moderation(Box<ChannelChange>),
}

/// A change of an account that a client requested.
pub struct AccountProposal {
    pub(crate) client: Arc<Client>,
    pub(crate) what: AccountUpdate,
    /// The reply once it is stored; with `None` a notification that it is.
    pub(crate) done: Option<OkReply>,
}

/// A change of an account.
#[expect(missing_docs, reason = "the fields are the stored state")]
pub enum AccountUpdate {
    /// It is registered.
    Register {
        user_id: UserId,
        name: UserName,
        password: Box<str>,
        token: Option<TokenHash>,
        /// The invitation that it uses up.
        invite: Option<TokenHash>,
        /// Users whom its owner ignores already.
        ignored: Vec<(UserName, Option<UserId>)>,
        away: Option<Away>,
        now: Timestamp,
    },
    /// A token is made, and perhaps the password rehashed.
    SignIn {
        user_id: UserId,
        token: Option<TokenHash>,
        /// The token that the new one replaces.
        surplus: Option<TokenHash>,
        rehashed: Option<Box<str>>,
        now: Timestamp,
    },
    /// A token is revoked.
    SignOut { user_id: UserId, token: Option<TokenHash>, now: Timestamp },
    /// It has a new password, and no other token.
    Password { user_id: UserId, password: Box<str>, token: Option<TokenHash>, now: Timestamp },
    /// It joins a channel, with this read marker.
    Enter { user_id: UserId, channel: ChannelName, read: MessageId, now: Timestamp },
    /// It leaves a channel.
    Leave { user_id: UserId, channel: ChannelName },
    /// It ignores a user.
    Ignore { user_id: UserId, name: UserName, whom: Option<UserId> },
    /// It stops ignoring a user.
    Unignore { user_id: UserId, names: Vec<UserName>, whom: Option<UserId> },
    /// It is away, or back.
    Away { user_id: UserId, away: Option<Away> },
    /// It is deleted, with its messages.
    Forget { user_id: UserId },
}

impl AccountUpdate {
    /// The account that it changes.
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

/// A change of a channel's moderation.
#[derive(Clone, Debug)]
pub struct ChannelChange {
    pub(crate) channel: ChannelName,
    pub(crate) keep: ModerationChange,
}
