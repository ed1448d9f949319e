//! Read markers: a message is read if it was delivered before the last input.
//!
//! Markers are shared by the devices of an account. A device without input, or with a dead
//! connection, reads nothing.

use chat_proto::id::MessageId;
use chat_proto::name::UserName;

use super::Session;
use crate::hub::id::UserId;

/// Private chats with a pending marker; beyond it the oldest one stays unread.
const MAX_CHATS: usize = 64;

impl Session {
    /// Marks everything delivered so far as read.
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

    /// Records the author of a private message for `/reply` and for the read marker.
    pub(super) fn record_private_sender(
        &mut self,
        user_id: UserId,
        from: UserName,
        line: MessageId,
    ) {
        if user_id == self.client.user_id() {
            // Sent by another device of the same account.
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
