//! Resumption of an account: its channels, and what came in the meantime.

use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Event, OkReply};
use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::execute::joined_channel;
use super::{Re, Session};
use crate::hub::apply::{LeavePosition, Membership};
use crate::hub::client::account::{Account, AccountMembership};
use crate::policy;
use crate::util::clock::on_the_wall;

impl Session {
    /// Enters the account's channels again. The last one entered becomes current.
    pub(super) fn rejoin_channels(
        &mut self,
        account: &Arc<Account>,
        now: Timestamp,
        out: &mut BytesMut,
    ) {
        for AccountMembership { channel, read } in account.channels() {
            if self.inbox.channel(&channel).is_some() {
                continue;
            }
            let most = self.hub.bounds.conversations_per_person;
            if policy::user::may_be_in_more(self.state.joined().len(), most).is_err() {
                return;
            }
            if let Err(refusal) = self.rejoin(account, &channel, read, now, true, out) {
                self.hub.forget_membership(account, &channel);
                self.notice(refusal.text(), out);
            }
        }
    }

    /// Enters a channel of the account, in which messages up to `read` are read.
    fn rejoin(
        &mut self,
        account: &Account,
        channel: &ChannelName,
        read: MessageId,
        now: Timestamp,
        makes_current: bool,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let slot = self.inbox.free_slot();
        let (name, may) = (account.name.clone(), policy::channel::may_enter);
        let membership = self.hub.enter(&self.client, name, channel, slot, now, may)?;
        let Membership { members, operator, last_line: last, .. } = membership;
        let (channel, topic) = (membership.channel.name.clone(), membership.topic.clone());
        if makes_current {
            self.join(membership, slot);
        } else {
            self.state.add_joined(joined_channel(channel.clone()));
            self.inbox.subscribe(membership, slot);
        }
        self.inbox.set_read(&channel, read);
        self.show(&Event::Reentered { channel, members, topic, operator, last }, out);
        Ok(())
    }

    /// Queues a change of the account's channels by another device. This session follows once its
    /// due replies are printed.
    pub(super) fn follow_later(&mut self, channel: ChannelName, reason: Option<Text>) {
        let followed = &mut self.cold.get_or_insert_default().followed;
        followed.retain(|(other, _)| *other != channel);
        followed.push((channel, reason));
    }

    /// Follows the changes of other devices. The current conversation stays.
    pub(super) fn follow_all(&mut self, out: &mut BytesMut) {
        let Some(cold) = &mut self.cold else { return };
        if cold.followed.is_empty() || self.awaits_reply() {
            return;
        }
        let followed = self.cold.as_mut().map(|cold| std::mem::take(&mut cold.followed));
        for (channel, reason) in followed.into_iter().flatten() {
            self.follow(channel, reason, out);
        }
    }

    fn follow(&mut self, channel: ChannelName, reason: Option<Text>, out: &mut BytesMut) {
        let (Some(account), now) = (self.client.signed_in(), self.last_line_at()) else { return };
        let own = self.inbox.channel(&channel).cloned();
        match (account.is_in(&channel), own) {
            (true, None) => {
                let most = self.hub.bounds.conversations_per_person;
                let has_room =
                    policy::user::may_be_in_more(self.state.joined().len(), most).is_ok();
                let read = account.read_marker(&channel);
                if has_room && let Some(read) = read {
                    // A refusal has no command to reply to.
                    let _ = self.rejoin(&account, &channel, read, now, false, out);
                }
            }
            (false, Some(own)) => {
                let user = account.name.clone();
                let left = self.hub.leave(&self.client, user.clone(), &own, reason, now);
                if let Some(LeavePosition { number, last_line }) = left {
                    self.unsubscribe(&channel, number, last_line, out);
                    self.state.leave(&Conversation::Channel(channel.clone()));
                    let current = self.state.current().cloned();
                    self.show(
                        &Event::YouLeft { channel, user, time: on_the_wall(now), current },
                        out,
                    );
                }
            }
            _ => {}
        }
    }

    /// Prints the number of unread messages in each channel, and the newest unread private
    /// messages.
    pub(super) fn show_unread(&mut self, re: Re, done: Option<OkReply>) {
        self.inbox.hold_chats();
        self.query_unread(re, done);
    }
}
