//! Effects on memberships: creating, entering and leaving channels.

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::OkReply;
use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::{Re, joined_channel};
use crate::hub::apply::{LeavePosition, Membership};
use crate::hub::proposal::AccountUpdate;
use crate::policy;
use crate::session::Session;
use crate::session::account::PendingEntry;

/// More than the events in a ring and in one client's notifications.
const FULL_RING: usize = 16 * 1024 * 1024;

impl Session {
    pub(super) fn create(
        &mut self,
        name: &ChannelName,
        topic: Option<Text>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(OkReply, MessageId, Option<AccountUpdate>), Refusal> {
        let slot = self.inbox.free_slot();
        let membership = self.hub.create(&self.client, name, topic.clone(), slot, now)?;
        if self.inbox.channel(name).is_some() {
            // A dropped channel of the same name, whose end isn't delivered yet.
            self.finish_ended_channel(name, out);
        }
        let last = membership.last_line;
        self.join(membership, slot);
        let update = self.account_entry(name, last, now);
        Ok((OkReply::Created { channel: name.clone(), topic, last }, last, update))
    }

    pub(super) fn enter(
        &mut self,
        name: &ChannelName,
        after: Option<MessageId>,
        re: Re,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        if let Some(after) = after {
            let channel = self.hub.channel_for(&self.client, name, now)?;
            let name = self.name()?;
            let may = policy::channel::may_enter;
            channel.ask_to_show(&self.client, now, name.as_str(), &mut None, may)?;
            let last = channel.last_line();
            if after > last {
                let place = Conversation::Channel(channel.name.clone());
                return Err(Refusal::no_such_line(&place, after, last));
            }
        }
        if let Some(channel) = self.inbox.channel(name).cloned() {
            let role = channel.role(&self.client);
            if role.member {
                let (members, topic) = (channel.count(), channel.topic());
                let channel = channel.name.clone();
                self.state.make_current(joined_channel(channel.clone()));
                let operator = role.operator;
                let last = self.inbox.last_line(&channel).unwrap_or_default();
                let done =
                    OkReply::Current { channel: channel.clone(), members, topic, operator, last };
                // Messages after `last` are delivered live.
                let after = after.unwrap_or(last).min(last);
                self.replay_on_entry(re, done, channel, Some(after), last, out);
                return Ok(());
            }
            self.finish_ended_channel(name, out);
        }
        let slot = self.inbox.free_slot();
        let membership = self.hub.enter(
            &self.client,
            self.name()?,
            name,
            slot,
            now,
            policy::channel::may_enter,
        )?;
        let Membership { members, operator, last_line: last, floor, .. } = membership;
        let (channel, topic) = (membership.channel.name.clone(), membership.topic.clone());
        self.join(membership, slot);
        let done = OkReply::Entered { channel: channel.clone(), members, topic, operator, last };
        // An ephemeral channel has no history.
        let after = if floor >= last { Some(last) } else { after };
        if let Some(update) = self.account_entry(&channel, last, now) {
            return self.store_entry(
                re,
                PendingEntry { done, channel, after, last, kick: None },
                update,
                now,
            );
        }
        self.replay_on_entry(re, done, channel, after, last, out);
        Ok(())
    }

    /// The update that records the account's entry into a channel, with the read marker.
    fn account_entry(
        &self,
        channel: &ChannelName,
        read: MessageId,
        now: Timestamp,
    ) -> Option<AccountUpdate> {
        let account = self.client.signed_in()?;
        let now = self.hub.record_entry(&account, channel, read, now);
        self.hub.notify_other_devices(&account, &self.client, channel, None);
        let (user_id, channel) = (account.user_id, channel.clone());
        Some(AccountUpdate::Enter { user_id, channel, read, now })
    }

    /// Finishes a channel that this client was removed from. The event is queued already and is
    /// delivered before anything else.
    fn finish_ended_channel(&mut self, name: &ChannelName, out: &mut BytesMut) {
        self.deliver(out.len() + FULL_RING, out);
        if self.inbox.unsubscribe(name).is_some() {
            self.state.leave(&Conversation::Channel(name.clone()));
        }
    }

    pub(in crate::session) fn join(&mut self, membership: Membership, slot: u32) {
        self.state.make_current(joined_channel(membership.channel.name.clone()));
        self.inbox.subscribe(membership, slot);
    }

    pub(super) fn leave(
        &mut self,
        conversation: Conversation,
        reason: Option<Text>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(OkReply, Option<AccountUpdate>), Refusal> {
        let mut update = None;
        if let Conversation::Channel(name) = &conversation {
            let channel = self.inbox.channel(name).cloned();
            let channel = channel.ok_or_else(|| Refusal::not_in_channel(name))?;
            let reason = reason.filter(|reason| self.may_say_in(&channel, reason, now));
            let shown_reason = reason.clone();
            let left = self.hub.leave(&self.client, self.name()?, &channel, shown_reason, now);
            let Some(LeavePosition { number, last_line }) = left else {
                self.finish_ended_channel(name, out);
                return Err(Refusal::not_in_channel(name));
            };
            self.unsubscribe(name, number, last_line, out);
            if let Some(account) = self.client.signed_in() {
                update = channel.left_by(&account);
                let name = &channel.name;
                self.hub.notify_other_devices(&account, &self.client, name, reason.as_ref());
            }
        }
        self.state.leave(&conversation);
        Ok((OkReply::Left { conversation, current: self.state.current().cloned() }, update))
    }
}
