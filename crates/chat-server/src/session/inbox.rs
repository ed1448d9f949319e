//! Where things for one person wait, and the order in which they are taken out.
//!
//! Each channel has a ring, each private chat a queue, and notes a queue of their own. What waits in all of them
//! is taken out by its number, so that nothing is seen before what it came after.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::id::LineId;
use chat_proto::name::ChannelName;
use tokio::sync::broadcast::error::TryRecvError as RingError;
use tokio::sync::mpsc::error::TryRecvError as QueueError;
use tokio::sync::{broadcast, mpsc};

use crate::hub::account::Account;
use crate::hub::apply::Membership;
use crate::hub::channel::Channel;
use crate::hub::delivery::Delivery;
use crate::hub::person::{Bell, Note, Person};

/// Everything that a person reads from.
#[derive(Default)]
pub(crate) struct Inbox {
    subscriptions: Vec<Subscription>,
    chats: Vec<Chat>,
    /// No private line is taken out until what was before is told.
    chats_held: bool,
    /// Bits of the bell that were taken and whose sources are not known to be empty.
    todo: u64,
}

/// A channel that the person is in.
pub(super) struct Subscription {
    pub(super) channel: Arc<Channel>,
    /// Tells this entry from others of the same person.
    pub(super) entry: u64,
    /// The bit of the bell.
    slot: u32,
    ring: broadcast::Receiver<Arc<Delivery>>,
    /// Out of the ring, and not taken yet.
    head: Option<Arc<Delivery>>,
    /// The last line that was taken, or that was said before the entry.
    last_line: LineId,
    /// What of it was noted as read.
    read: LineId,
    /// Lines up to this one were said before the entry; until they are looked at, on whatever device, nothing is read.
    behind: LineId,
    /// Nothing is taken out until what was before the entry is told.
    held: bool,
}

/// Private lines from one person.
struct Chat {
    queue: mpsc::Receiver<Arc<Delivery>>,
    /// Out of the queue, and not taken yet.
    head: Option<Arc<Delivery>>,
}

/// What was taken out.
pub(super) enum Taken {
    /// Something of a channel, and what was missed before.
    Channel(Arc<Delivery>, Option<Missed>),
    Private(Arc<Delivery>),
    /// With its number.
    Note(u64, Note),
}

/// Lines of a channel that one read too slowly for.
pub(super) struct Missed {
    pub(super) channel: ChannelName,
    pub(super) count: u64,
    /// After this one.
    pub(super) after: LineId,
}

/// Which source has what is to be taken next.
#[derive(Clone, Copy)]
enum Source {
    Subscription(usize),
    Chat(usize),
    Notes,
}

impl Subscription {
    /// How many lines up to this one were missed, and after which.
    pub(super) fn missed_up_to(&self, last_line: LineId) -> (u64, LineId) {
        (last_line.0.saturating_sub(self.last_line.0), self.last_line)
    }
}

impl Inbox {
    /// The bit for a channel that is about to be entered. There are more bits than conversations that
    /// a person may be in.
    pub(crate) fn free_slot(&self) -> u32 {
        self.used_slots().trailing_ones() % Bell::CHANNEL_SLOTS
    }

    fn used_slots(&self) -> u64 {
        self.subscriptions.iter().fold(0, |used, one| used | 1 << one.slot)
    }

    pub(crate) fn subscribe(&mut self, membership: Membership, slot: u32) {
        let Membership { channel, ring, entry, last_line, .. } = membership;
        let head = None;
        let subscription = Subscription {
            channel,
            entry,
            slot,
            ring,
            head,
            last_line,
            read: last_line,
            behind: LineId(0),
            held: false,
        };
        // Most people are in one channel: room for more is taken when it is needed.
        self.subscriptions.reserve_exact(1);
        self.subscriptions.push(subscription);
        // Something may have come before it was here.
        self.todo |= 1 << slot;
    }

    /// Nothing of a channel is taken out until it is released.
    pub(super) fn hold(&mut self, name: &ChannelName) {
        if let Some(one) = self.subscriptions.iter_mut().find(|one| one.channel.name == *name) {
            one.held = true;
        }
    }

    /// Nothing of private chats is taken out until it is released.
    pub(super) fn hold_chats(&mut self) {
        self.chats_held = true;
    }

    pub(super) fn release_chats(&mut self) {
        self.chats_held = false;
        self.todo |= 1 << Bell::PRIVATE;
    }

    /// What happens in a channel is taken out again; unless lines between two ids went out of the
    /// ring meanwhile, which then are taken as told.
    pub(super) fn release(&mut self, name: &ChannelName) -> Option<(LineId, LineId)> {
        let one = self.subscriptions.iter_mut().find(|one| one.channel.name == *name)?;
        if one.head.is_none() {
            one.head = next_of_ring(&mut one.ring);
        }
        if let Some(head) = &one.head {
            let before = LineId(head.last_line.0 - u64::from(head.is_line()));
            let (missed, after) = one.missed_up_to(before);
            if missed > 0 {
                one.last_line = before;
                return Some((after, before));
            }
        }
        one.held = false;
        self.todo |= 1 << one.slot;
        None
    }

    /// The last line of a channel that was taken out.
    pub(super) fn last_line(&self, name: &ChannelName) -> Option<LineId> {
        self.subscription(name).map(|one| one.last_line)
    }

    /// Ends a subscription; what waits in it is not seen any more.
    pub(super) fn unsubscribe(&mut self, name: &ChannelName) -> Option<Subscription> {
        let at = self.subscriptions.iter().position(|one| one.channel.name == *name)?;
        let ended = self.subscriptions.remove(at);
        self.todo &= !(1 << ended.slot);
        if self.subscriptions.is_empty() {
            self.subscriptions = Vec::new();
        }
        Some(ended)
    }

    /// Ends all subscriptions and private chats.
    pub(super) fn leave_all(&mut self) {
        *self = Self { todo: self.todo & 1 << Bell::NOTES, ..Self::default() };
    }

    /// The last line of each channel in which something was taken out since this was last asked.
    pub(super) fn take_unread(&mut self, account: &Account) -> Vec<(ChannelName, LineId)> {
        let is_news = |one: &&mut Subscription| {
            one.read < one.last_line
                && (one.behind == LineId(0)
                    || account.read_of(&one.channel.name).is_some_and(|read| read >= one.behind))
        };
        let news = self.subscriptions.iter_mut().filter(is_news);
        news.map(|one| {
            one.read = one.last_line;
            one.behind = LineId(0);
            (one.channel.name.clone(), one.last_line)
        })
        .collect()
    }

    /// What came after this line isn't read yet.
    pub(super) fn is_read_up_to(&mut self, name: &ChannelName, line: LineId) {
        if let Some(one) = self.subscriptions.iter_mut().find(|one| one.channel.name == *name) {
            one.read = line;
            one.behind = if line < one.last_line { one.last_line } else { LineId(0) };
        }
    }

    /// What was said in a channel before the entry has been looked at.
    pub(super) fn catch_up(&mut self, name: &ChannelName) {
        if let Some(one) = self.subscriptions.iter_mut().find(|one| one.channel.name == *name) {
            one.behind = LineId(0);
        }
    }

    /// The same for all channels but some.
    pub(super) fn catch_up_but(&mut self, but: impl Fn(&ChannelName) -> bool) {
        for one in &mut self.subscriptions {
            if !but(&one.channel.name) {
                one.behind = LineId(0);
            }
        }
    }

    pub(super) fn subscription(&self, name: &ChannelName) -> Option<&Subscription> {
        self.subscriptions.iter().find(|one| one.channel.name == *name)
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.subscriptions.iter().map(|one| &one.channel)
    }

    /// The channel of this name, if the person is in it.
    pub(crate) fn channel(&self, name: &ChannelName) -> Option<&Arc<Channel>> {
        self.subscription(name).map(|one| &one.channel)
    }

    /// Begins to read a private chat.
    pub(super) fn open(&mut self, queue: mpsc::Receiver<Arc<Delivery>>) {
        self.chats.push(Chat { queue, head: None });
        self.todo |= 1 << Bell::PRIVATE;
    }

    /// Whether anything may wait.
    pub(crate) fn has_more(&self) -> bool {
        self.todo != 0
    }

    /// Takes out what has the lowest number, if that is below `limit`.
    pub(super) fn take(&mut self, person: &Person, limit: u64) -> Option<Taken> {
        let (number, source) = self.next(person)?;
        if number >= limit {
            return None;
        }
        Some(match source {
            Source::Notes => Taken::Note(number, person.take_note()?),
            Source::Chat(at) => {
                let delivery = self.chats.get_mut(at)?.head.take()?;
                if delivery.is_line() {
                    person.private_lines.fetch_sub(1, Ordering::AcqRel);
                }
                Taken::Private(delivery)
            }
            Source::Subscription(at) => {
                let one = self.subscriptions.get_mut(at)?;
                let delivery = one.head.take()?;
                let before = delivery.last_line.0 - u64::from(delivery.is_line());
                let (count, after) = one.missed_up_to(LineId(before));
                one.last_line = one.last_line.max(delivery.last_line);
                let missed = (count > 0).then(|| {
                    let channel = one.channel.name.clone();
                    Missed { channel, count, after }
                });
                Taken::Channel(delivery, missed)
            }
        })
    }

    /// Where the lowest number is. Sources are looked at until none has got anything meanwhile: what is
    /// there to be seen is there before anything that it caused.
    fn next(&mut self, person: &Person) -> Option<(u64, Source)> {
        loop {
            self.todo |= person.bell.take();
            let next = self.lowest(person);
            if !person.bell.is_rung() {
                return next;
            }
        }
    }

    fn lowest(&mut self, person: &Person) -> Option<(u64, Source)> {
        // Mostly it is one channel in which much is said.
        if self.todo.is_power_of_two()
            && let Some(at) = self.subscriptions.iter().position(|one| self.todo == 1 << one.slot)
            && let Some(one) = self.subscriptions.get_mut(at).filter(|one| !one.held)
        {
            if one.head.is_none() {
                one.head = next_of_ring(&mut one.ring);
            }
            let number = one.head.as_ref().map(|head| head.number);
            if number.is_none() {
                self.todo = 0;
            }
            return number.map(|number| (number, Source::Subscription(at)));
        }
        let mut lowest: Option<(u64, Source)> = None;
        let mut consider = |number: u64, source: Source| {
            if lowest.is_none_or(|(lowest, _)| number < lowest) {
                lowest = Some((number, source));
            }
        };
        let mut todo = self.todo;
        let mut done = 0;
        for (at, one) in self.subscriptions.iter_mut().enumerate() {
            if todo & 1 << one.slot == 0 {
                continue;
            }
            if one.held {
                done |= 1 << one.slot;
                continue;
            }
            if one.head.is_none() {
                one.head = next_of_ring(&mut one.ring);
            }
            match &one.head {
                Some(head) => consider(head.number, Source::Subscription(at)),
                None => done |= 1 << one.slot,
            }
        }
        if todo & 1 << Bell::PRIVATE != 0 {
            let mut any = false;
            if !self.chats_held {
                self.chats.retain_mut(Chat::is_open);
            }
            let chats = if self.chats_held { &[] } else { self.chats.as_slice() };
            for (at, chat) in chats.iter().enumerate() {
                if let Some(head) = &chat.head {
                    any = true;
                    consider(head.number, Source::Chat(at));
                }
            }
            done |= u64::from(!any) << Bell::PRIVATE;
        }
        if todo & 1 << Bell::NOTES != 0 {
            match person.oldest_note() {
                Some(number) => consider(number, Source::Notes),
                None => done |= 1 << Bell::NOTES,
            }
        }
        todo &= !done;
        // Bits of channels that were left mean nothing any more.
        self.todo = todo & (self.used_slots() | 1 << Bell::PRIVATE | 1 << Bell::NOTES);
        lowest
    }
}

fn next_of_ring(ring: &mut broadcast::Receiver<Arc<Delivery>>) -> Option<Arc<Delivery>> {
    loop {
        match ring.try_recv() {
            Ok(delivery) => return Some(delivery),
            // What comes next tells how many lines that were.
            Err(RingError::Lagged(_)) => {}
            Err(RingError::Empty | RingError::Closed) => return None,
        }
    }
}

impl Chat {
    /// Looks for the next line; `false` once the chat is given up and empty.
    fn is_open(&mut self) -> bool {
        if self.head.is_some() {
            return true;
        }
        match self.queue.try_recv() {
            Ok(delivery) => {
                self.head = Some(delivery);
                true
            }
            Err(QueueError::Empty) => true,
            Err(QueueError::Disconnected) => false,
        }
    }
}
