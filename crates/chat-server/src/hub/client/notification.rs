//! What is sent to one client alone and isn't a message of a conversation.

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

/// What is told to one person alone, and isn't said in a conversation.
pub(crate) enum Notification {
    /// What became of a draft of this person's.
    Reply(Result<OkReply, Refusal>),
    /// The same of a line said in a channel, for an author who doesn't come to see it there.
    Sent { correlation_id: u64, to: Conversation, stamp: MessageStamp },
    /// What this person asked about the past.
    QueryResult(Result<QueryResult, Refusal>),
    /// Somebody began to write privately: their lines come out of this queue.
    PrivateQueue { lines: mpsc::Receiver<Arc<Delivery>> },
    /// Somebody opened a private chat and made it current on their side.
    PrivateOpened { with: UserName, by: UserId },
    /// Put out of a channel.
    Kicked(Kick),
    /// What was to become of their account is kept, or not.
    Committed(Result<(), Refusal>),
    /// What the vault found.
    Auth(AuthReply),
    /// Another device of theirs has entered a channel, or left it for a reason.
    OtherDevice(ChannelName, Option<Text>),
    /// Another device of theirs has changed whom they hide.
    IgnoreList(IgnoreChange),
    /// Told to everybody.
    Broadcast(Arc<Delivery>),
    /// Their account is an operator of the server from now on, or isn't any more.
    Admin(bool),
    /// They are signed in no more.
    SignedOut(SignOutReason),
    /// Somebody lets this person into a channel.
    Invited { channel: ChannelName, user: UserName, by: UserId },
    /// An operator's right came to this person, because nobody else had it.
    NowOperator { channel: ChannelName },
    /// The server closes the connection.
    Closing(CloseReason),
}

/// An operator of the server has ended somebody's connection.
#[derive(Clone, Debug)]
pub(crate) struct KillNotice {
    /// `None` is whoever sat at the shell.
    pub(crate) by: Option<UserName>,
    pub(crate) reason: Option<Text>,
    /// They are kept out, too.
    pub(crate) ban: Option<Term>,
}

/// Somebody is hidden, or seen again.
#[derive(Clone, Debug)]
pub(crate) enum IgnoreChange {
    Added(IgnoredUser),
    Removed(UserName, Option<UserId>),
}

/// Somebody was put out of a channel.
pub(crate) struct Kick {
    pub(crate) channel: ChannelName,
    pub(crate) cause: KickCause,
    pub(crate) by: UserName,
    pub(crate) reason: Option<Text>,
    /// Out of the entry of this number.
    pub(crate) entry: u64,
    /// After this line.
    pub(crate) last_line: MessageId,
}

/// By what somebody is put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KickCause {
    Kick,
    Ban(Term),
    /// The channel ended.
    Drop,
    /// The same by oneself, whose answer tells it.
    OwnDrop,
}
