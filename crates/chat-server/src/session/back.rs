//! What somebody comes back to: the channels that their account is in, and what was written to them meanwhile.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::event::{Done, Event};
use chat_proto::id::Timestamp;

use super::Session;
use crate::hub::account::{Account, Remembered};
use crate::hub::apply::Membership;
use crate::policy;

impl Session {
    /// Enters the channels of the account again; the one that was entered last is current.
    pub(super) fn enter_again(
        &mut self,
        account: &Arc<Account>,
        now: Timestamp,
        out: &mut BytesMut,
    ) {
        for Remembered { channel, read } in account.channels() {
            if self.inbox.channel(&channel).is_some() {
                continue;
            }
            let most = self.hub.bounds.conversations_per_person;
            if policy::user::may_be_in_more(self.me.places().len(), most).is_err() {
                return;
            }
            let slot = self.inbox.free_slot();
            let name = account.name.clone();
            let may = policy::channel::may_enter;
            let entered = self.hub.enter(&self.person, name, &channel, slot, now, may);
            let membership = match entered {
                Ok(membership) => membership,
                Err(refusal) => {
                    self.hub.forget_membership(account, &channel);
                    self.notice(refusal.text(), out);
                    continue;
                }
            };
            let Membership { members, operator, last_line: last, .. } = membership;
            let topic = membership.topic.clone();
            self.arrive_in(membership, slot);
            self.inbox.is_read_up_to(&channel, read);
            self.show(&Event::Reentered { channel, members, topic, operator, last }, out);
        }
    }

    /// What the account hasn't read: of its channels how much, of what was written privately the newest lines.
    pub(super) fn look_what_waits(&mut self, re: Cow<'static, str>, done: Option<Done>) {
        self.inbox.hold_chats();
        self.ask_what_waits(re, done);
    }
}
