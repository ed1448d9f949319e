//! Notifications to one client, apart from the messages of its conversations.

use std::sync::Arc;

use chat_proto::conversation::Conversation;
use chat_proto::event::{CloseReason, MessageStamp, OkReply, SignOutReason, Term};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use tokio::sync::mpsc;

use crate::hub::client::account::IgnoredUser;
use crate::hub::fanout::delivery::Delivery;
use crate::hub::id::UserId;
use crate::hub::query::{AuthReply, QueryResult};

/// A notification to one client.
pub(crate) enum Notification {
    /// The reply to a proposal.
    Reply(Result<OkReply, Refusal>),
    /// The ack of a channel message, for an author that doesn't receive it there.
    Sent { correlation_id: u64, to: Conversation, stamp: MessageStamp },
    /// The result of a history query.
    QueryResult(Result<QueryResult, Refusal>),
    /// A private chat was opened by a message; its messages come from this queue.
    PrivateQueue { lines: mpsc::Receiver<Arc<Delivery>> },
    /// A user opened a private chat with this one.
    PrivateOpened { with: UserName, by: UserId },
    /// Removed from a channel.
    Kicked(Kick),
    /// An account update is stored, or refused.
    Committed(Result<(), Refusal>),
    /// The reply of the password service.
    Auth(AuthReply),
    /// Another device of the account joined a channel, or left it with a reason.
    OtherDevice(ChannelName, Option<Text>),
    /// Another device of the account changed the ignore list.
    IgnoreList(IgnoreChange),
    /// An event for every client.
    Broadcast(Arc<Delivery>),
    /// The account became a server operator, or no longer is one.
    Admin(bool),
    /// The client was signed out.
    SignedOut(SignOutReason),
    /// A user invited this one into a channel.
    Invited { channel: ChannelName, user: UserName, by: UserId },
    /// The right of an operator passed to this client because no other operator was left.
    NowOperator { channel: ChannelName },
    /// The server closes the connection.
    Closing(CloseReason),
}

/// A server operator killed the connection.
#[derive(Clone, Debug)]
pub(crate) struct KillNotice {
    /// `None` is the shell.
    pub(crate) by: Option<UserName>,
    pub(crate) reason: Option<Text>,
    /// Set if the user is banned too.
    pub(crate) ban: Option<Term>,
}

/// A user is ignored, or no longer is.
#[derive(Clone, Debug)]
pub(crate) enum IgnoreChange {
    Added(IgnoredUser),
    Removed(UserName, Option<UserId>),
}

/// A client was removed from a channel.
pub(crate) struct Kick {
    pub(crate) channel: ChannelName,
    pub(crate) cause: KickCause,
    pub(crate) by: UserName,
    pub(crate) reason: Option<Text>,
    /// The membership that ends.
    pub(crate) entry: u64,
    /// The last message before it.
    pub(crate) last_line: MessageId,
}

/// Why a client was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KickCause {
    Kick,
    Ban(Term),
    /// The channel was dropped.
    Drop,
    /// The same by this client, which gets it as a reply.
    OwnDrop,
}
