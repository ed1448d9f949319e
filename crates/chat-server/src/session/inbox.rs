//! Where things for one person wait: a ring for each channel, a queue for each private chat.

use std::sync::Arc;

use chat_proto::id::LineId;
use chat_proto::name::ChannelName;
use tokio::sync::{broadcast, mpsc};

use crate::hub::apply::Membership;
use crate::hub::channel::Channel;
use crate::hub::delivery::Delivery;
use crate::hub::person::Bell;

/// Everything that a person reads from.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Each stands at the bit of the bell that it was given on entry.
    subscriptions: Vec<Subscription>,
    /// The queues of private lines, one for each person who wrote.
    chats: Vec<mpsc::Receiver<Arc<Delivery>>>,
    /// Bits of the bell that were taken and whose sources are not empty yet.
    todo: u64,
}

/// A channel that the person is in.
pub(super) struct Subscription {
    pub(super) channel: Arc<Channel>,
    slot: u32,
    ring: broadcast::Receiver<Arc<Delivery>>,
    /// The place of the last event that was taken out.
    seq: u64,
    /// The last line that was taken out, or that was said before the entry.
    last_line: LineId,
}

/// What a channel's ring gives next.
pub(super) enum Next {
    /// An event, and how many lines before it were missed, after which one.
    Event {
        delivery: Arc<Delivery>,
        missed: u64,
        after: LineId,
    },
    Nothing,
}

impl Subscription {
    pub(super) fn next(&mut self) -> Next {
        loop {
            match self.ring.try_recv() {
                Ok(delivery) => {
                    let after = self.last_line;
                    let line = u64::from(delivery.is_line());
                    let missed = delivery.last_line.0.saturating_sub(after.0 + line);
                    self.seq = delivery.seq;
                    self.last_line = delivery.last_line;
                    return Next::Event { delivery, missed, after };
                }
                // The next event tells how many lines that were.
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return Next::Nothing,
            }
        }
    }

    /// Whether everything up to this place was taken out.
    pub(super) fn is_past(&self, seq: u64) -> bool {
        self.seq >= seq
    }
}

impl Inbox {
    /// The bit for a channel that is about to be entered. There are more bits than conversations that
    /// a person may be in.
    pub(crate) fn free_slot(&self) -> u32 {
        let used = self.subscriptions.iter().fold(0u64, |used, one| used | 1 << one.slot);
        used.trailing_ones() % Bell::CHANNEL_SLOTS
    }

    pub(crate) fn subscribe(&mut self, membership: Membership, slot: u32) {
        let Membership { channel, ring, seq, last_line, .. } = membership;
        self.subscriptions.push(Subscription { channel, slot, ring, seq, last_line });
    }

    pub(super) fn take_subscription(&mut self, name: &ChannelName) -> Option<Subscription> {
        let at = self.subscriptions.iter().position(|one| one.channel.name == *name)?;
        let taken = self.subscriptions.remove(at);
        if self.subscriptions.is_empty() {
            self.subscriptions = Vec::new();
        }
        Some(taken)
    }

    pub(super) fn subscription(&mut self, name: &ChannelName) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|one| one.channel.name == *name)
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> + Clone {
        self.subscriptions.iter().map(|one| &one.channel)
    }

    /// The channel of this name, if the person is in it.
    pub(crate) fn channel(&self, name: &ChannelName) -> Option<&Arc<Channel>> {
        self.channels().find(|channel| channel.name == *name)
    }

    pub(super) fn open(&mut self, lines: mpsc::Receiver<Arc<Delivery>>) {
        self.chats.push(lines);
        self.todo |= 1 << Bell::PRIVATE;
    }

    /// Notes what the bell says.
    pub(super) fn rung(&mut self, bits: u64) {
        self.todo |= bits;
    }

    pub(crate) fn has_more(&self) -> bool {
        self.todo != 0
    }

    pub(super) fn take_notes_bit(&mut self) -> bool {
        let bit = 1 << Bell::NOTES;
        let set = self.todo & bit != 0;
        self.todo &= !bit;
        set
    }

    /// A channel whose ring is not known to be empty.
    pub(super) fn waiting_subscription(&mut self) -> Option<&mut Subscription> {
        let channels = self.todo & ((1 << Bell::CHANNEL_SLOTS) - 1);
        self.subscriptions.iter_mut().find(|one| channels & (1 << one.slot) != 0)
    }

    /// The ring of this channel is empty, or its channel is not the person's any more.
    pub(super) fn drained(&mut self, name: &ChannelName) {
        if let Some(slot) = self.subscription(name).map(|one| one.slot) {
            self.todo &= !(1 << slot);
        }
    }

    /// Bits of channels that were left mean nothing any more.
    pub(super) fn forget_stray_bits(&mut self) {
        let used = self.subscriptions.iter().fold(0u64, |used, one| used | 1 << one.slot);
        self.todo &= used | 1 << Bell::NOTES | 1 << Bell::PRIVATE;
    }

    /// The next private line, in the order in which each person wrote.
    pub(super) fn next_private(&mut self) -> Option<Arc<Delivery>> {
        if self.todo & (1 << Bell::PRIVATE) == 0 {
            return None;
        }
        let mut at = 0;
        while let Some(chat) = self.chats.get_mut(at) {
            match chat.try_recv() {
                Ok(delivery) => return Some(delivery),
                Err(mpsc::error::TryRecvError::Empty) => at += 1,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.chats.remove(at);
                }
            }
        }
        self.todo &= !(1 << Bell::PRIVATE);
        None
    }
}
