//! What one person sees of all that is told.

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Done, Event, Sentence};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::text::Text;

use super::inbox::Next;
use super::{Session, Waiting};
use crate::hub::delivery::Delivery;
use crate::hub::person::{Answer, Note};

impl Session {
    /// Whether anything waits to be told.
    pub(crate) fn has_more(&self) -> bool {
        self.inbox.has_more()
    }

    /// Takes out what waits and appends it to `out`, until nothing waits or `out` holds `enough`
    /// bytes.
    pub(crate) fn deliver(&mut self, enough: usize, out: &mut BytesMut) {
        loop {
            let rung = self.person.bell.take();
            self.inbox.rung(rung);
            // Notes come first: they tell where a channel's events end for this person.
            if self.inbox.take_notes_bit() {
                while let Some(note) = self.person.take_note() {
                    self.on_note(note, out);
                }
            }
            self.inbox.forget_stray_bits();
            if !self.inbox.has_more() {
                return;
            }
            while out.len() < enough {
                let Some(delivery) = self.inbox.next_private() else { break };
                self.show_private(&delivery, out);
            }
            while out.len() < enough {
                let Some(subscription) = self.inbox.waiting_subscription() else { break };
                let channel = subscription.channel.name.clone();
                self.drain(&channel, enough, out);
            }
            if out.len() >= enough {
                return;
            }
        }
    }

    /// Takes out one channel's events until its ring is empty or `out` holds `enough` bytes.
    fn drain(&mut self, name: &ChannelName, enough: usize, out: &mut BytesMut) {
        while out.len() < enough {
            let Some(subscription) = self.inbox.subscription(name) else { return };
            match subscription.next() {
                Next::Event { delivery, missed, after } => {
                    if delivery.ends_for == Some(self.person.id) {
                        // The note that tells it is there already.
                        self.inbox.drained(name);
                        return;
                    }
                    if missed > 0 {
                        let channel = name.clone();
                        self.show(&Event::Missed { channel, count: missed, after }, out);
                    }
                    self.show_in_channel(&delivery, name, out);
                }
                Next::Nothing => {
                    self.inbox.drained(name);
                    return;
                }
            }
        }
    }

    /// Takes out one channel's events up to a place, whatever room that takes; a ring is bounded.
    pub(super) fn drain_up_to(&mut self, name: &ChannelName, upto: u64, out: &mut BytesMut) {
        while let Some(subscription) = self.inbox.subscription(name) {
            if subscription.is_past(upto) {
                return;
            }
            match subscription.next() {
                Next::Event { delivery, missed, after } => {
                    if missed > 0 {
                        let channel = name.clone();
                        self.show(&Event::Missed { channel, count: missed, after }, out);
                    }
                    if delivery.seq <= upto {
                        self.show_in_channel(&delivery, name, out);
                    }
                }
                Next::Nothing => return,
            }
        }
    }

    fn show_in_channel(&mut self, delivery: &Delivery, name: &ChannelName, out: &mut BytesMut) {
        if self.is_for_me(delivery) && self.counts_through(delivery, Some(name)) {
            self.write(delivery, out);
        }
    }

    fn show_private(&mut self, delivery: &Delivery, out: &mut BytesMut) {
        if self.is_for_me(delivery) && self.counts_through(delivery, None) {
            if let Event::Private { from, .. } = &delivery.event {
                self.me.reply_to = Some(from.clone());
            }
            self.write(delivery, out);
        }
    }

    fn write(&self, delivery: &Delivery, out: &mut BytesMut) {
        out.extend_from_slice(delivery.bytes(self.me.form));
    }

    /// Own doings have their own answer; the doings of the ignored are hidden.
    fn is_for_me(&mut self, delivery: &Delivery) -> bool {
        if delivery.by == self.person.id {
            return false;
        }
        if let Event::Renamed { from, to } = &delivery.event {
            self.me.renamed(from, to);
        }
        match &delivery.event {
            Event::Message { from: user, .. }
            | Event::Private { from: user, .. }
            | Event::Entered { user, .. }
            | Event::Left { user, .. }
            | Event::Gone { user, .. }
            | Event::Renamed { from: user, .. } => !self.me.ignores(delivery.by, user),
            _ => true,
        }
    }

    /// What is told once to each person counts through the first of its channels that they are in,
    /// and through a private chat only if they are in none.
    fn counts_through(&self, delivery: &Delivery, channel: Option<&ChannelName>) -> bool {
        let Some(among) = &delivery.once_among else { return true };
        among.iter().find(|name| self.inbox.channel(name).is_some()) == channel
    }

    fn on_note(&mut self, note: Note, out: &mut BytesMut) {
        match note {
            Note::Answer(answer) => self.on_answer(answer, out),
            Note::Chat { lines } => self.inbox.open(lines),
            Note::Opened { with, by } => {
                if !self.me.ignores(by, &with) {
                    self.show(&Event::Opened { with }, out);
                }
            }
            Note::Kicked { channel, by, reason, upto } => {
                self.drain_up_to(&channel, upto, out);
                self.on_kicked(channel, by, reason, out);
            }
            Note::NowOperator { channel, upto } => {
                // Whose leaving brought it is told first.
                self.drain_up_to(&channel, upto, out);
                let text = format!("You are now the operator of {channel}.");
                self.show(&Event::Notice(Sentence::new(text)), out);
            }
            Note::Bye(farewell) => self.end(farewell),
        }
    }

    fn on_kicked(
        &mut self,
        channel: ChannelName,
        by: UserName,
        reason: Option<Text>,
        out: &mut BytesMut,
    ) {
        self.inbox.take_subscription(&channel);
        self.me.leave(&Conversation::Channel(channel.clone()));
        let current = self.me.current().cloned();
        let Some(user) = self.me.name.clone() else { return };
        self.show(&Event::YouWereKicked { channel, user, by, reason, current }, out);
    }

    fn on_answer(&mut self, answer: Answer, out: &mut BytesMut) {
        let Some(Waiting { re, opened }) = self.waiting.pop_front() else { return };
        if self.waiting.is_empty() {
            self.waiting = std::collections::VecDeque::new();
        }
        let Answer { to, placed, upto } = answer;
        if let Conversation::Channel(channel) = &to {
            self.drain_up_to(channel, upto, out);
        }
        let event = match (placed, opened) {
            (Ok(placed), None) => Event::Ok { re, done: Done::Said { to, placed } },
            (Ok(placed), Some(with)) => {
                Event::Ok { re, done: Done::PrivateOpened { with, placed: Some(placed) } }
            }
            (Err(refusal), _) => Event::Refused { re, refusal },
        };
        self.show(&event, out);
    }
}
