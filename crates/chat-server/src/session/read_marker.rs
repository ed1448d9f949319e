//! What a person has read: what their device was told of before they typed a line.
//!
//! It counts for all devices of an account. One that is left alone reads nothing, whatever comes in on it, and
//! neither does one whose connection is dead.

use chat_proto::id::MessageId;
use chat_proto::name::UserName;

use super::Session;
use crate::hub::id::UserId;

/// Private chats of which it is remembered what was told; past it the oldest count as unread.
const MAX_CHATS: usize = 64;

impl Session {
    /// The person is there: what they were told is read.
    pub(super) fn record_read(&mut self) {
        let Some(account) = self.client.signed_in() else { return };
        for (channel, line) in self.inbox.take_unread(&account) {
            self.hub.record_read(&account, &channel, line);
        }
        let Some(cold) = &mut self.cold else { return };
        for (with, line) in cold.private_deliveries.drain(..) {
            self.hub.record_read_private(&account, with, line);
        }
    }

    /// Somebody's private line was told.
    pub(super) fn record_private_sender(
        &mut self,
        user_id: UserId,
        from: UserName,
        line: MessageId,
    ) {
        if user_id == self.client.user_id() {
            // Their own, from another device.
            return;
        }
        self.state.set_reply_to((user_id, from));
        if !self.state.is_signed_in() {
            return;
        }
        self.record_private_delivery(user_id, line);
    }

    pub(super) fn record_private_delivery(&mut self, with: UserId, line: MessageId) {
        let unread = &mut self.cold.get_or_insert_default().private_deliveries;
        let known = unread.iter_mut().find(|(user_id, _)| *user_id == with);
        if let Some((_, last)) = known {
            *last = line.max(*last);
            return;
        }
        if unread.len() == MAX_CHATS {
            unread.remove(0);
        }
        unread.push((with, line));
    }
}
