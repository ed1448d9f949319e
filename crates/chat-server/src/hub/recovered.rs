//! The state that the store held when the server started.

use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::admin::server_moderation::StoredServerModeration;
use crate::hub::channel::StoredModeration;
use crate::hub::client::account::StoredAccount;
use crate::hub::id::{TokenHash, UserId};

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
