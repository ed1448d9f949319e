//! Delivers events of the inbox to the client.

use std::collections::VecDeque;

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Event, MessageStamp, OkReply};
use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use chat_proto::refusal::Refusal;

use super::{PendingReply, Session};
use crate::hub::client::notification::{IgnoreChange, Kick, KickCause, Notification};
use crate::hub::fanout::delivery::{Delivery, SequencedEvent};
use crate::inbox::{InboxItem, Missed};

/// Upper bound in bytes on the events of a channel delivered after leaving it. The rest is counted
/// as missed.
const LAST_WORDS: usize = 64 * 1024;

/// Sent to a device that reads too slowly; the other devices got the messages.
const MISSED_PRIVATELY: &str =
    "You missed private lines, which your other devices got. /history @USER shows them.";

const NOW_ADMIN: &str = "You are an operator of this server now. /help shows what you can do.";

impl Session {
    /// Whether anything waits for delivery.
    pub(crate) fn has_more(&self) -> bool {
        (self.inbox.has_more() && self.held_from().is_none())
            || self.client.ready.is_ready()
            || self.has_rows_to_show()
    }

    /// Appends events from the inbox to `out`, until the inbox is empty or `out` holds `enough`
    /// bytes. Returns whether the inbox is empty. Once the session is ending, later events don't
    /// count, so a busy channel can't delay the end.
    pub(crate) fn deliver(&mut self, enough: usize, out: &mut BytesMut) -> bool {
        self.show_rows(enough, out);
        self.follow_all(out);
        let last = self.closing_position().map_or(u64::MAX, |(_, number)| number);
        let limit = self.held_from().map_or(last, |held| held.min(last));
        let all = self.deliver_before(limit, enough, out);
        self.follow_all(out);
        all
    }

    /// Discards all events. Only the effect of pending proposals matters now.
    pub(crate) fn discard(&mut self, enough: usize, out: &mut BytesMut) {
        while !self.deliver_before(u64::MAX, enough, out) {
            out.clear();
        }
        out.clear();
    }

    /// Delivers events with a sequence number below `number`.
    pub(super) fn deliver_before(
        &mut self,
        number: u64,
        enough: usize,
        out: &mut BytesMut,
    ) -> bool {
        while out.len() < enough {
            if self.client.has_missed_private_lines() {
                self.notice(MISSED_PRIVATELY, out);
            }
            if self.state.ignores_none() {
                self.inbox.copy_lines(
                    &self.client,
                    number,
                    enough,
                    self.state.dialect.format(),
                    out,
                );
                if out.len() >= enough {
                    return false;
                }
            }
            match self.inbox.take(&self.client, number) {
                Some(InboxItem::Channel(delivery, at, missed)) => {
                    if let Some(Missed { channel, count, after }) = missed {
                        self.show_missed(channel, count, after, out);
                    }
                    self.show_event(&delivery, at, out);
                }
                Some(InboxItem::Private(delivery)) => {
                    let sequenced = delivery.first();
                    if (self.was_replayed(sequenced) || self.show_event(&delivery, 0, out))
                        && let Event::Private { from, stamp, .. } = &sequenced.event
                    {
                        self.record_private_sender(sequenced.by.user_id, from.clone(), stamp.id);
                    }
                }
                Some(InboxItem::Notification(number, note)) => {
                    self.on_notification(number, note, out);
                }
                None => return true,
            }
        }
        false
    }

    /// Delivers the events of a channel below a sequence number, and ends the subscription.
    pub(super) fn unsubscribe(
        &mut self,
        name: &ChannelName,
        number: u64,
        last_line: MessageId,
        out: &mut BytesMut,
    ) {
        self.deliver_before(number, out.len() + LAST_WORDS, out);
        if let Some(ended) = self.inbox.unsubscribe(name) {
            let (missed, after) = ended.missed_up_to(last_line);
            self.show_missed(name.clone(), missed, after, out);
        }
    }

    fn show_missed(&self, channel: ChannelName, count: u64, after: MessageId, out: &mut BytesMut) {
        if count > 0 {
            self.show(&Event::Missed { channel, count, after }, out);
        }
    }

    /// Prints an event, unless it is the client's own, comes from an ignored user, or was delivered
    /// by another way. Returns whether it was printed.
    fn show_event(&mut self, delivery: &Delivery, at: usize, out: &mut BytesMut) -> bool {
        let sequenced = delivery.event_at(at);
        if sequenced.by.id == self.client.id {
            self.on_own_event(sequenced, out);
            return false;
        }
        if let Some(once) = sequenced.once
            && !self.state.is_first(once)
        {
            return false;
        }
        if let Event::Renamed { to, .. } = &sequenced.event {
            self.state.renamed(sequenced.by, to);
        }
        let hidden = match &sequenced.event {
            Event::Message { from: user, .. }
            | Event::Private { from: user, .. }
            | Event::Entered { user, .. }
            | Event::Left { user, .. }
            | Event::Gone { user, .. }
            | Event::Renamed { from: user, .. }
            | Event::Topic { by: user, .. } => self.state.ignores(sequenced.by.user_id, user),
            Event::Kicked { by, reason: Some(_), .. }
            | Event::Muted { by, reason: Some(_), .. }
                if self.state.ignores(sequenced.by.user_id, by) =>
            {
                self.show(&without_reason(sequenced.event.clone()), out);
                return true;
            }
            _ => false,
        };
        if !hidden {
            out.extend_from_slice(delivery.bytes(self.state.dialect.format(), at..at + 1));
        }
        !hidden
    }

    /// The client's own message in a channel is its ack, at the place where others see the message.
    fn on_own_event(&mut self, sequenced: &SequencedEvent, out: &mut BytesMut) {
        if let Event::Message { stamp, channel, .. } = &sequenced.event {
            self.on_ack(
                sequenced.correlation_id,
                Conversation::Channel(channel.clone()),
                *stamp,
                out,
            );
        }
    }

    /// An ack comes through the channel and as a notification; the first one counts.
    fn on_ack(
        &mut self,
        correlation_id: u64,
        to: Conversation,
        stamp: MessageStamp,
        out: &mut BytesMut,
    ) {
        let awaited = |waiting: &PendingReply| matches!(waiting, PendingReply::Submitted { correlation_id: own, .. } if *own == correlation_id);
        if self.pending.front().is_some_and(awaited) {
            self.on_reply(Ok(OkReply::Said { to, stamp }), out);
        }
    }

    fn on_notification(&mut self, number: u64, note: Notification, out: &mut BytesMut) {
        match note {
            Notification::Reply(answer) => self.on_reply(answer, out),
            Notification::Sent { correlation_id, to, stamp } => {
                self.on_ack(correlation_id, to, stamp, out);
            }
            Notification::QueryResult(found) => self.on_query_result(found, out),
            Notification::PrivateQueue { lines } => self.inbox.open(lines),
            Notification::Committed(kept) => self.on_committed(kept, out),
            Notification::Auth(answer) => self.on_auth_answer(answer, out),
            Notification::OtherDevice(channel, reason) => self.follow_later(channel, reason),
            Notification::IgnoreList(IgnoreChange::Added(hidden)) => self.state.hide(hidden),
            Notification::IgnoreList(IgnoreChange::Removed(name, user_id)) => {
                self.state.unignore(&name, user_id);
            }
            Notification::Broadcast(delivery) => {
                self.show_event(&delivery, 0, out);
            }
            Notification::Admin(true) => self.notice(NOW_ADMIN, out),
            Notification::Admin(false) => {
                self.notice("You are no operator of this server any more.", out);
            }
            Notification::SignedOut(by) => self.on_signed_out(by, out),
            Notification::PrivateOpened { with, by } => {
                if !self.state.ignores(by, &with) {
                    self.show(&Event::Opened { with }, out);
                }
            }
            Notification::Kicked(kick) => {
                if let Some(kick) = self.defer_kick(number, kick) {
                    self.on_kick(0, kick, out);
                }
            }
            Notification::Invited { channel, user, by } => {
                if !self.state.ignores(by, &user) {
                    self.show(&Event::Invited { channel, by: user }, out);
                }
            }
            Notification::NowOperator { channel } => {
                self.notice(format!("You are now the operator of {channel}."), out);
            }
            Notification::Closing(close_reason) => self.end(close_reason),
        }
    }

    /// Delivers earlier events first.
    pub(super) fn on_kick(&mut self, number: u64, kick: Kick, out: &mut BytesMut) {
        let Kick { channel, cause, by, reason, entry, last_line } = kick;
        let reason = reason.filter(|_| !self.state.ignores_name(&by));
        let current = self.inbox.subscription(&channel).map(|one| one.entry);
        if current == Some(entry) {
            self.unsubscribe(&channel, number, last_line, out);
            self.state.leave(&Conversation::Channel(channel.clone()));
        }
        let current = self.state.current().cloned();
        let ban = match cause {
            KickCause::OwnDrop => return,
            KickCause::Drop => {
                self.show(&Event::Dropped { channel, by, reason, current }, out);
                return;
            }
            KickCause::Ban(term) => Some(term),
            KickCause::Kick => None,
        };
        let Some(user) = self.state.name.clone() else { return };
        self.show(&Event::YouWereKicked { channel, user, by, reason, ban, current }, out);
    }

    fn on_reply(&mut self, answer: Result<OkReply, Refusal>, out: &mut BytesMut) {
        let Some(PendingReply::Submitted { re, bytes, opened, notice, .. }) =
            self.pending.pop_front()
        else {
            return;
        };
        self.pending_bytes -= u32::from(bytes);
        if let Some(cold) = &mut self.cold {
            cold.no_recipient = None;
        }
        match (answer, opened) {
            (Ok(done), opened) => {
                if let OkReply::Said { to: Conversation::Channel(channel), .. } = &done {
                    self.inbox.catch_up(channel);
                }
                if let Some(notice) = notice {
                    self.show(&Event::Notice(notice), out);
                }
                let done = match (done, opened) {
                    (OkReply::Said { stamp, .. }, Some(with)) => {
                        OkReply::PrivateOpened { with, stamp: Some(stamp) }
                    }
                    (OkReply::Dropped { channel, .. }, _) => {
                        OkReply::Dropped { channel, current: self.state.current().cloned() }
                    }
                    (done, _) => done,
                };
                self.reply(re, done, out);
            }
            (Err(refusal), _) => self.show(&Event::Refused { re, refusal }, out),
        }
        while let Some(PendingReply::Ready(event)) =
            self.pending.pop_front_if(|next| matches!(next, PendingReply::Ready(_)))
        {
            self.show(&event, out);
        }
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
            if !self.is_auth_busy()
                && let Some(by) = self.signed_out.take()
            {
                self.on_signed_out(by, out);
            }
        }
    }
}

/// A moderation action of an ignored user, without the reason.
fn without_reason(mut event: Event) -> Event {
    if let Event::Kicked { reason, .. } | Event::Muted { reason, .. } = &mut event {
        *reason = None;
    }
    event
}
