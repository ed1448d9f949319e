//! The inbox of one client: its event sources, merged by sequence number.
//!
//! Each channel has a ring, each private chat a queue, and notifications have one queue. Events
//! leave in the order of their sequence numbers, so none is seen before its cause. While only
//! messages of one channel wait, which is the usual case, they are copied a run at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use chat_proto::event::Event;
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;
use tokio::sync::broadcast::error::TryRecvError as RingError;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError as QueueError;

use crate::hub::apply::Membership;
use crate::hub::channel::{Channel, RingReader};
use crate::hub::client::Client;
use crate::hub::client::account::Account;
use crate::hub::client::notification::Notification;
use crate::hub::fanout::delivery::{Delivery, SequencedEvent};
use crate::hub::fanout::ready_set::ReadySet;
use crate::hub::id::ClientId;

/// The event sources of one client.
#[derive(Default)]
pub(crate) struct Inbox {
    subscriptions: Vec<Subscription>,
    chats: Vec<Chat>,
    /// Whether private messages wait for a replay.
    chats_held: bool,
    /// Bits taken from the ready set whose sources may hold events.
    pending: u64,
    /// Whether the next event waits for a held source.
    blocked: bool,
}

/// A subscription to a channel.
pub(crate) struct Subscription {
    pub(crate) channel: Arc<Channel>,
    /// Distinguishes this entry from other entries of the same client.
    pub(crate) entry: u64,
    /// The channel's bit in the ready set.
    slot: u32,
    ring: RingReader,
    /// Taken from the ring, and not fully delivered.
    head: Option<Arc<Delivery>>,
    /// Number of delivered events of `head`.
    begun: u8,
    /// The last message that was delivered, or that was sent before the entry.
    last_line: MessageId,
    /// The last message that was recorded as read.
    read: MessageId,
    /// The last message before the entry, if some are unread. The read marker doesn't move until
    /// one of the account's devices has read them.
    behind: MessageId,
    /// Whether live events wait for a replay.
    held: bool,
}

/// Private messages of one user.
struct Chat {
    queue: mpsc::Receiver<Arc<Delivery>>,
    /// Taken from the queue, and not delivered.
    head: Option<Arc<Delivery>>,
}

/// An event of the inbox.
pub(crate) enum InboxItem {
    /// An event of a channel: its delivery, its index, and what was missed before it.
    Channel(Arc<Delivery>, usize, Option<Missed>),
    Private(Arc<Delivery>),
    /// With its sequence number.
    Notification(u64, Notification),
}

/// Messages of a channel that the client missed.
pub(crate) struct Missed {
    pub(crate) channel: ChannelName,
    pub(crate) count: u64,
    /// The last message before the gap.
    pub(crate) after: MessageId,
}

/// The source of the next event.
#[derive(Clone, Copy)]
enum InboxSource {
    Subscription(usize),
    Chat(usize),
    Notifications,
}

impl Subscription {
    /// The sequence number of the next event in the ring.
    fn number(&mut self) -> Option<u64> {
        if self.head.is_none() {
            self.head = next_of_ring(&mut self.ring);
        }
        self.head.as_ref().map(|head| head.event_at(self.begun.into()).number)
    }

    /// The next event. `number` must have been called before.
    fn head(&self) -> Option<&SequencedEvent> {
        self.head.as_ref().map(|head| head.event_at(self.begun.into()))
    }

    /// Takes the next event.
    fn take(&mut self) -> Option<InboxItem> {
        let head = self.head.as_ref()?;
        let at = usize::from(self.begun);
        let sequenced = head.event_at(at);
        let (count, after) = self.missed_up_to(sequenced.line_before());
        let missed = (count > 0).then(|| {
            let channel = self.channel.name.clone();
            Missed { channel, count, after }
        });
        self.last_line = self.last_line.max(sequenced.last_line);
        let delivery = match u8::try_from(at + 1) {
            Ok(begun) if usize::from(begun) < head.len() => {
                self.begun = begun;
                Arc::clone(head)
            }
            _ => {
                self.begun = 0;
                self.head.take()?
            }
        };
        Some(InboxItem::Channel(delivery, at, missed))
    }

    /// Copies the rest of the next delivery if it consists of other clients' messages without a
    /// gap, with sequence numbers below `limit`, and fits into `space`. Returns whether it was
    /// copied.
    fn copy(
        &mut self,
        own: ClientId,
        limit: u64,
        space: usize,
        format: Format,
        out: &mut BytesMut,
    ) -> bool {
        let Some(head) = &self.head else { return false };
        let which = usize::from(self.begun)..head.len();
        let is_next = head.event_at(which.start).line_before() <= self.last_line;
        if !is_next
            || head.last().number >= limit
            || head.weight() > space
            || !head.is_from_others(which.clone(), own)
        {
            return false;
        }
        out.extend_from_slice(head.bytes(format, which));
        self.last_line = self.last_line.max(head.last().last_line);
        self.begun = 0;
        self.head = None;
        true
    }

    /// The number of messages missed up to `last_line`, and the last one before the gap.
    pub(crate) fn missed_up_to(&self, last_line: MessageId) -> (u64, MessageId) {
        (last_line.0.saturating_sub(self.last_line.0), self.last_line)
    }
}

impl Inbox {
    /// A free bit for a channel. There are as many bits as a client may have conversations.
    pub(crate) fn free_slot(&self) -> u32 {
        self.used_slots().trailing_ones() % ReadySet::CHANNEL_SLOTS
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
            begun: 0,
            last_line,
            read: last_line,
            behind: MessageId(0),
            held: false,
        };
        // Most clients are in one channel.
        self.subscriptions.reserve_exact(1);
        self.subscriptions.push(subscription);
        // Events may have come before the subscription.
        self.pending |= 1 << slot;
    }

    /// Holds a channel's events until its release.
    pub(crate) fn hold(&mut self, name: &ChannelName) {
        if let Some(one) = self.subscriptions.iter_mut().find(|one| one.channel.name == *name) {
            one.held = true;
        }
    }

    /// Holds private messages until their release.
    pub(crate) fn hold_chats(&mut self) {
        self.chats_held = true;
    }

    pub(crate) fn release_chats(&mut self) {
        self.chats_held = false;
        self.blocked = false;
        self.pending |= 1 << ReadySet::PRIVATE;
    }

    /// Releases a channel's events. If the ring has lost messages meanwhile, it returns the range,
    /// counts them as delivered, and stays held.
    pub(crate) fn release(&mut self, name: &ChannelName) -> Option<(MessageId, MessageId)> {
        let one = self.subscriptions.iter_mut().find(|one| one.channel.name == *name)?;
        if one.number().is_some()
            && let Some(head) = &one.head
        {
            let before = head.event_at(one.begun.into()).line_before();
            let (missed, after) = one.missed_up_to(before);
            if missed > 0 {
                one.last_line = before;
                return Some((after, before));
            }
        }
        one.held = false;
        self.pending |= 1 << one.slot;
        self.blocked = false;
        None
    }

    /// The last delivered message of a channel.
    pub(crate) fn last_line(&self, name: &ChannelName) -> Option<MessageId> {
        self.subscription(name).map(|one| one.last_line)
    }

    /// Ends a subscription and drops its events.
    pub(crate) fn unsubscribe(&mut self, name: &ChannelName) -> Option<Subscription> {
        let at = self.subscriptions.iter().position(|one| one.channel.name == *name)?;
        let ended = self.subscriptions.remove(at);
        self.pending &= !(1 << ended.slot);
        self.blocked = false;
        if self.subscriptions.is_empty() {
            self.subscriptions = Vec::new();
        }
        Some(ended)
    }

    /// Ends all subscriptions and private chats.
    pub(crate) fn leave_all(&mut self) {
        *self = Self { pending: self.pending & 1 << ReadySet::NOTES, ..Self::default() };
    }

    /// The last message of each channel with deliveries since the last call.
    pub(crate) fn take_unread(&mut self, account: &Account) -> Vec<(ChannelName, MessageId)> {
        let is_news = |one: &&mut Subscription| {
            one.read < one.last_line
                && (one.behind == MessageId(0)
                    || account
                        .read_marker(&one.channel.name)
                        .is_some_and(|read| read >= one.behind))
        };
        let news = self.subscriptions.iter_mut().filter(is_news);
        news.map(|one| {
            one.read = one.last_line;
            one.behind = MessageId(0);
            (one.channel.name.clone(), one.last_line)
        })
        .collect()
    }

    /// Sets the read marker of a channel.
    pub(crate) fn set_read(&mut self, name: &ChannelName, line: MessageId) {
        if let Some(one) = self.subscriptions.iter_mut().find(|one| one.channel.name == *name) {
            one.read = line;
            one.behind = if line < one.last_line { one.last_line } else { MessageId(0) };
        }
    }

    /// Marks the messages before the entry as read.
    pub(crate) fn catch_up(&mut self, name: &ChannelName) {
        if let Some(one) = self.subscriptions.iter_mut().find(|one| one.channel.name == *name) {
            one.behind = MessageId(0);
        }
    }

    /// Marks the messages before the entry as read in all channels except some.
    pub(crate) fn catch_up_except(&mut self, but: impl Fn(&ChannelName) -> bool) {
        for one in &mut self.subscriptions {
            if !but(&one.channel.name) {
                one.behind = MessageId(0);
            }
        }
    }

    pub(crate) fn subscription(&self, name: &ChannelName) -> Option<&Subscription> {
        self.subscriptions.iter().find(|one| one.channel.name == *name)
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.subscriptions.iter().map(|one| &one.channel)
    }

    /// The channel of this name, if the client is in it.
    pub(crate) fn channel(&self, name: &ChannelName) -> Option<&Arc<Channel>> {
        self.subscription(name).map(|one| &one.channel)
    }

    /// Adds the queue of a private chat.
    pub(crate) fn open(&mut self, queue: mpsc::Receiver<Arc<Delivery>>) {
        self.chats.push(Chat { queue, head: None });
        self.pending |= 1 << ReadySet::PRIVATE;
    }

    /// Whether any source may hold an event.
    pub(crate) fn has_more(&self) -> bool {
        self.pending != 0 && !self.blocked
    }

    /// Takes the event with the lowest sequence number, if that is below `limit`.
    pub(crate) fn take(&mut self, client: &Client, limit: u64) -> Option<InboxItem> {
        let (number, source) = self.next(client)?;
        if number >= limit {
            return None;
        }
        self.blocked = self.waits_for_held(source);
        if self.blocked {
            return client
                .pop_awaited()
                .map(|(number, note)| InboxItem::Notification(number, note));
        }
        Some(match source {
            InboxSource::Notifications => {
                InboxItem::Notification(number, client.pop_notification()?)
            }
            InboxSource::Chat(at) => {
                let delivery = self.chats.get_mut(at)?.head.take()?;
                if delivery.first().is_line() {
                    client.private_lines.fetch_sub(1, Ordering::AcqRel);
                }
                InboxItem::Private(delivery)
            }
            InboxSource::Subscription(at) => self.subscriptions.get_mut(at)?.take()?,
        })
    }

    /// Whether the next event of a source comes after what is held. A departure or a rename is
    /// published once, in the first conversation, so it waits for held messages of the same client.
    /// An entry waits for held events with a lower number: one may be the departure of the last
    /// client with that name.
    fn waits_for_held(&mut self, source: InboxSource) -> bool {
        let head = match source {
            InboxSource::Notifications => return false,
            InboxSource::Chat(at) => {
                self.chats.get(at).and_then(|chat| Some(chat.head.as_ref()?.first()))
            }
            InboxSource::Subscription(at) => {
                self.subscriptions.get(at).and_then(Subscription::head)
            }
        };
        let Some(head) = head else { return false };
        if head.once.is_some() {
            return self.chats_held || self.subscriptions.iter().any(|one| one.held);
        }
        let number = head.number;
        matches!(head.event, Event::Entered { .. }) && self.holds_before(number)
    }

    /// Whether an event with a lower number is held.
    fn holds_before(&mut self, number: u64) -> bool {
        let mut held = self.subscriptions.iter_mut().filter(|one| one.held);
        if held.any(|one| one.number().is_some_and(|held| held < number)) {
            return true;
        }
        self.chats_held && {
            self.chats.retain_mut(Chat::is_open);
            let mut heads = self.chats.iter().filter_map(|chat| chat.head.as_ref());
            heads.any(|head| head.first().number < number)
        }
    }

    /// Copies messages while only messages of other clients in one channel wait, with sequence
    /// numbers below `limit`, until `out` holds `enough` bytes.
    pub(crate) fn copy_lines(
        &mut self,
        client: &Client,
        limit: u64,
        enough: usize,
        format: Format,
        out: &mut BytesMut,
    ) {
        self.pending |= client.ready.take();
        if !self.pending.is_power_of_two() {
            return;
        }
        let mut one = self.subscriptions.iter_mut();
        let Some(one) = one.find(|one| self.pending == 1 << one.slot).filter(|one| !one.held)
        else {
            return;
        };
        while one.number().is_some() {
            let space = enough.saturating_sub(out.len());
            // As in `next`, no other source may have got an event meanwhile.
            if client.ready.is_ready() || !one.copy(client.id, limit, space, format, out) {
                return;
            }
        }
        self.pending = 0;
    }

    /// The source with the lowest sequence number. It looks again until no source has got an event
    /// meanwhile, so a cause is always seen before its effect.
    fn next(&mut self, client: &Client) -> Option<(u64, InboxSource)> {
        loop {
            self.pending |= client.ready.take();
            let next = self.lowest(client);
            if !client.ready.is_ready() {
                return next;
            }
        }
    }

    fn lowest(&mut self, client: &Client) -> Option<(u64, InboxSource)> {
        let mut lowest: Option<(u64, InboxSource)> = None;
        let mut consider = |number: u64, source: InboxSource| {
            if lowest.is_none_or(|(lowest, _)| number < lowest) {
                lowest = Some((number, source));
            }
        };
        let mut pending = self.pending;
        let mut done = 0;
        for (at, one) in self.subscriptions.iter_mut().enumerate() {
            if pending & 1 << one.slot == 0 {
                continue;
            }
            if one.held {
                done |= 1 << one.slot;
                continue;
            }
            match one.number() {
                Some(number) => consider(number, InboxSource::Subscription(at)),
                None => done |= 1 << one.slot,
            }
        }
        if pending & 1 << ReadySet::PRIVATE != 0 {
            let mut any = false;
            if !self.chats_held {
                self.chats.retain_mut(Chat::is_open);
            }
            let chats = if self.chats_held { &[] } else { self.chats.as_slice() };
            for (at, chat) in chats.iter().enumerate() {
                if let Some(head) = &chat.head {
                    any = true;
                    consider(head.first().number, InboxSource::Chat(at));
                }
            }
            done |= u64::from(!any) << ReadySet::PRIVATE;
        }
        if pending & 1 << ReadySet::NOTES != 0 {
            match client.oldest_notification() {
                Some(number) => consider(number, InboxSource::Notifications),
                None => done |= 1 << ReadySet::NOTES,
            }
        }
        pending &= !done;
        // Bits of channels that were left are stale.
        self.pending =
            pending & (self.used_slots() | 1 << ReadySet::PRIVATE | 1 << ReadySet::NOTES);
        lowest
    }
}

fn next_of_ring(ring: &mut RingReader) -> Option<Arc<Delivery>> {
    loop {
        match ring.try_recv() {
            Ok(Some(delivery)) => return Some(delivery),
            // A filler slot of the delivery before, or a gap, which the next event counts.
            Ok(None) | Err(RingError::Lagged(_)) => {}
            Err(RingError::Empty | RingError::Closed) => return None,
        }
    }
}

impl Chat {
    /// Takes the next message. Returns `false` once the chat is closed and empty.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::channel::{RING, Ring};
    use crate::hub::fanout::delivery::SequencedEvent;
    use crate::hub::fanout::sequence::Sequence;
    use crate::hub::id::Source;
    use chat_proto::event::{CloseReason, MessageStamp};
    use chat_proto::name::UserName;
    use chat_proto::text::Text;
    use chat_proto::time::Timestamp;
    use tokio::sync::broadcast;

    const ENOUGH: usize = 64 * 1024;

    /// A client in one channel, with the ends that feed it.
    struct Reader {
        client: Arc<Client>,
        sequence: Arc<Sequence>,
        ring: Ring,
        inbox: Inbox,
    }

    impl Reader {
        fn new() -> Self {
            let sequence = Arc::<Sequence>::default();
            let client =
                Arc::new(Client::new(ClientId(1), None, Timestamp(0), Arc::clone(&sequence)));
            let name = ChannelName::new("den").unwrap();
            let channel = Arc::new(Channel::new(name, None, MessageId(0), Arc::clone(&sequence)));
            let ring = broadcast::Sender::new(RING);
            let membership = Membership {
                channel,
                ring: ring.subscribe(),
                entry: 1,
                last_line: MessageId(0),
                floor: MessageId(0),
                members: 1,
                topic: None,
                operator: false,
            };
            let mut inbox = Inbox::default();
            inbox.subscribe(membership, 0);
            Self { client, sequence, ring, inbox }
        }

        /// A second channel of the client, with bit 1 of the ready set.
        fn second_channel(&mut self) -> Ring {
            let ring = broadcast::Sender::new(RING);
            let name = ChannelName::new("attic").unwrap();
            let sequence = Arc::clone(&self.sequence);
            let membership = Membership {
                channel: Arc::new(Channel::new(name, None, MessageId(0), sequence)),
                ring: ring.subscribe(),
                entry: 2,
                last_line: MessageId(0),
                floor: MessageId(0),
                members: 1,
                topic: None,
                operator: false,
            };
            self.inbox.subscribe(membership, 1);
            ring
        }

        fn line(&self, id: u64) -> SequencedEvent {
            let event = Event::Message {
                stamp: MessageStamp { id: MessageId(id), time: Timestamp(0) },
                channel: ChannelName::new("den").unwrap(),
                from: UserName::new("ann").unwrap(),
                text: Text::new("hello").unwrap(),
                action: false,
                past: false,
            };
            SequencedEvent::new(event, Source::NONE, self.sequence.next(), MessageId(id))
        }

        fn publish_lines(&self, lines: Vec<SequencedEvent>) {
            for run in Delivery::runs(lines) {
                assert!(self.ring.send(Some(Arc::new(run))).is_ok(), "nobody reads");
            }
            self.client.ready.notify(0);
        }

        /// Takes everything below a sequence number. Returns the number of messages copied
        /// together, and 0 for a notification.
        fn take_all(&mut self, limit: u64, space: usize) -> Vec<usize> {
            let mut taken = Vec::new();
            loop {
                let copied = self.copy(limit, space);
                taken.extend((copied > 0).then_some(copied));
                match self.inbox.take(&self.client, limit) {
                    Some(InboxItem::Channel(..)) => taken.push(1),
                    Some(InboxItem::Private(_) | InboxItem::Notification(..)) => taken.push(0),
                    None => return taken,
                }
            }
        }

        /// The number of copied messages.
        fn copy(&mut self, limit: u64, space: usize) -> usize {
            let mut out = BytesMut::new();
            self.inbox.copy_lines(&self.client, limit, space, Format::Text, &mut out);
            memchr::memchr_iter(b'\n', &out).count()
        }
    }

    #[test]
    fn messages_are_copied_together_where_they_fit() {
        let mut reader = Reader::new();
        for (space, taken) in [(ENOUGH, &[5][..]), (100, &[1; 5])] {
            reader.publish_lines((1..=5).map(|id| reader.line(id)).collect());
            assert_eq!(reader.take_all(u64::MAX, space), taken, "{space}");
        }
    }

    #[test]
    fn an_event_in_between_is_delivered_in_between() {
        let mut reader = Reader::new();
        let mut lines = vec![reader.line(1), reader.line(2)];
        reader.client.push(Notification::Closing(CloseReason::Quit));
        lines.extend([reader.line(3), reader.line(4)]);
        reader.publish_lines(lines);
        // One event later it is known that nothing else waits.
        assert_eq!(reader.take_all(u64::MAX, ENOUGH), [1, 1, 0, 1, 1]);
    }

    #[test]
    fn a_bound_within_a_run_holds() {
        let mut reader = Reader::new();
        let lines: Vec<_> = (1..=4).map(|id| reader.line(id)).collect();
        let limit = lines[2].number;
        reader.publish_lines(lines);
        assert_eq!(reader.take_all(limit, ENOUGH), [1, 1]);
        assert_eq!(reader.take_all(u64::MAX, ENOUGH), [2]);
    }

    #[test]
    fn a_rename_is_not_delivered_before_held_messages_of_the_user() {
        let mut reader = Reader::new();
        let den = ChannelName::new("den").unwrap();
        let other = reader.second_channel();
        reader.inbox.hold(&den);
        reader.publish_lines(vec![reader.line(1)]);
        let [from, to] = ["ann", "anna"].map(|name| UserName::new(name).unwrap());
        let event = Event::Renamed { from, to };
        let renamed =
            SequencedEvent::new(event, Source::NONE, reader.sequence.next(), MessageId(0));
        let renamed = Arc::new(Delivery::from(SequencedEvent { once: Some(1), ..renamed }));
        for ring in [&reader.ring, &other] {
            assert!(ring.send(Some(Arc::clone(&renamed))).is_ok());
        }
        reader.client.ready.notify(0);
        reader.client.ready.notify(1);
        reader.client.push(Notification::Closing(CloseReason::Quit));
        assert_eq!(reader.take_all(u64::MAX, ENOUGH), [0; 0]);
        assert!(!reader.inbox.has_more(), "it waits for its release alone");
        // The reply that leads to the release isn't held.
        reader.client.push(Notification::Committed(Ok(())));
        assert_eq!(reader.take_all(u64::MAX, ENOUGH), [0]);
        reader.inbox.release(&den);
        assert!(reader.inbox.has_more());
        assert_eq!(reader.take_all(u64::MAX, ENOUGH), [1, 1, 1, 0]);
    }

    #[test]
    fn an_entry_comes_after_a_departure_that_is_held() {
        let mut reader = Reader::new();
        let den = ChannelName::new("den").unwrap();
        let attic = reader.second_channel();
        reader.inbox.hold(&den);
        let user = UserName::new("ann").unwrap();
        let publish = |ring: &Ring, slot: u32, event: Event, once: Option<u64>| {
            let number = reader.sequence.next();
            let sequenced = SequencedEvent {
                once,
                ..SequencedEvent::new(event, Source::NONE, number, MessageId(0))
            };
            assert!(ring.send(Some(Arc::new(sequenced.into()))).is_ok());
            reader.client.ready.notify(slot);
        };
        let entered = || Event::Entered {
            channel: ChannelName::new("attic").unwrap(),
            user: user.clone(),
            time: Timestamp(0),
        };
        publish(&attic, 1, entered(), None);
        publish(&reader.ring, 0, Event::Gone { user: user.clone(), reason: None }, Some(1));
        publish(&attic, 1, entered(), None);
        assert_eq!(reader.take_all(u64::MAX, ENOUGH), [1], "the first entry came before");
        reader.inbox.release(&den);
        let Some(InboxItem::Channel(first, ..)) = reader.inbox.take(&reader.client, u64::MAX)
        else {
            panic!("nothing was released");
        };
        assert!(matches!(first.first().event, Event::Gone { .. }));
        assert_eq!(reader.take_all(u64::MAX, ENOUGH), [1]);
    }

    #[test]
    fn missed_messages_of_runs_are_counted() {
        for (each, rounds, kept) in
            [(1, 600, RING), (3, 600, 3 * RING), (6, 300, 3 * RING), (40, 100, 4 * RING)]
        {
            let mut reader = Reader::new();
            let all = each * rounds;
            for round in 0..rounds {
                reader
                    .publish_lines((1..=each).map(|nth| reader.line(round * each + nth)).collect());
            }
            let (mut lines, mut missed) = (0, 0);
            loop {
                lines += reader.copy(u64::MAX, ENOUGH) as u64;
                let Some(taken) = reader.inbox.take(&reader.client, u64::MAX) else { break };
                let InboxItem::Channel(delivery, at, before) = taken else { panic!("no line") };
                if let Some(before) = before {
                    assert_eq!(before.after, MessageId(lines + missed));
                    missed += before.count;
                }
                lines += 1;
                assert_eq!(delivery.event_at(at).last_line, MessageId(lines + missed));
            }
            assert_eq!(lines + missed, all, "by {each}");
            // Four runs share one slot.
            assert_eq!(lines, kept as u64, "by {each}");
        }
    }
}
