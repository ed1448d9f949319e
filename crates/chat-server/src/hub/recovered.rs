//! The state that the store held when the server started.

use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::admin::server_moderation::StoredServerModeration;
use crate::hub::channel::StoredModeration;
use crate::hub::client::account::StoredAccount;
use crate::hub::id::{TokenHash, UserId};

/// The state that the store held when the server started.
#[derive(Default)]
pub struct RecoveredState {
    pub(crate) channels: Vec<RecoveredChannel>,
    /// The greatest last id of forgotten channels.
    pub(crate) forgotten: MessageId,
    /// Name holds, by [`UserName::key`](chat_proto::name::UserName::key).
    pub(crate) held: Vec<(Box<str>, UserId)>,
    /// No user id is this number or higher.
    pub(crate) next_user_id: u64,
    pub(crate) accounts: Vec<StoredAccount>,
    /// With the last use of each.
    pub(crate) tokens: Vec<(TokenHash, UserId, Timestamp)>,
    pub(crate) server_moderation: StoredServerModeration,
}

/// A stored channel.
pub(crate) struct RecoveredChannel {
    pub(crate) name: ChannelName,
    pub(crate) topic: Option<Text>,
    /// The account that set it.
    pub(crate) topic_by: Option<UserId>,
    pub(crate) last: MessageId,
    /// Messages up to this id are deleted.
    pub(crate) floor: MessageId,
    /// It exists; of others only the last id is stored.
    pub(crate) open: bool,
    pub(crate) running: StoredModeration,
}
