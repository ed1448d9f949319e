//! An entry into a channel whose record is being committed.

use chat_proto::event::OkReply;
use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;

use super::AuthIntent;
use crate::hub::client::notification::Kick;
use crate::hub::proposal::AccountUpdate;
use crate::session::{Re, Session};

/// An entry whose record is being committed.
pub(in crate::session) struct PendingEntry {
    pub(in crate::session) done: OkReply,
    pub(in crate::session) channel: ChannelName,
    /// Messages after this one are replayed.
    pub(in crate::session) after: Option<MessageId>,
    pub(in crate::session) last: MessageId,
    /// A kick during the entry, with its sequence number.
    pub(in crate::session) kick: Option<(u64, Kick)>,
}

impl Session {
    /// Records the entry into a channel. Live messages wait until the commit and the replay are
    /// done.
    pub(in crate::session) fn store_entry(
        &mut self,
        re: Re,
        entry: PendingEntry,
        update: AccountUpdate,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.inbox.hold(&entry.channel);
        self.submit(re, AuthIntent::Enter(Box::new(entry)), update, None, now)
    }

    /// The entry into this channel whose record is being committed.
    pub(in crate::session) fn entry_under_way(
        &mut self,
        channel: &ChannelName,
    ) -> Option<&mut PendingEntry> {
        match &mut self.auth_flow.as_mut()?.intent {
            AuthIntent::Enter(entry) if entry.channel == *channel => Some(entry),
            _ => None,
        }
    }
}
