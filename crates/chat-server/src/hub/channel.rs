//! One channel: its members, its topic, and the ring through which everything in it goes.

use std::sync::{Arc, Mutex, MutexGuard};

use chat_proto::event::Event;
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::ChannelName;
use chat_proto::text::Text;
use indexmap::IndexMap;
use tokio::sync::broadcast;

use super::delivery::Delivery;
use super::lock;
use super::person::{Note, Person, PersonId};
use super::sequence::Sequence;

/// How many deliveries a channel holds for its slowest reader. A reader that lags further behind is
/// told how many lines it missed and goes on from the oldest that is kept.
pub(crate) const RING: usize = 1024;

/// A channel. It is kept for some time when nobody is in it.
pub(crate) struct Channel {
    /// As its maker wrote it.
    pub(crate) name: ChannelName,
    state: Mutex<State>,
}

/// What a person is in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) member: bool,
    pub(crate) operator: bool,
}

impl Channel {
    /// A channel that nobody is in yet, where so many lines were said before.
    pub(super) fn new(
        name: ChannelName,
        topic: Option<Text>,
        last_line: LineId,
        sequence: Arc<Sequence>,
    ) -> Self {
        Self { name, state: Mutex::new(State { topic, sequence, last_line, ..State::default() }) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) topic: Option<Text>,
    pub(super) members: IndexMap<PersonId, Member>,
    /// Those who have the right, also while they are elsewhere; who left the system has lost it.
    operators: Vec<Arc<Person>>,
    /// There only while there are members: a channel nobody is in costs little.
    ring: Option<broadcast::Sender<Arc<Delivery>>>,
    sequence: Arc<Sequence>,
    pub(super) last_line: LineId,
    /// Lines up to this one are kept no more.
    pub(super) floor: LineId,
    entries: u64,
    /// Comings and goings that are not told yet, while the channel is large.
    pub(super) entered: u64,
    pub(super) left: u64,
    /// Since when nobody is in it.
    pub(super) empty_since: Option<Timestamp>,
    /// Taken off the list of channels: who still holds it must look again.
    pub(super) dropped: bool,
}

pub(super) struct Member {
    pub(super) person: Arc<Person>,
    /// The bit of the person's bell that stands for this channel.
    slot: u32,
    /// Grows with each entry: the smallest has been here longest.
    pub(super) entry: u64,
    /// What they said and is being kept.
    pub(super) unsettled: u32,
    /// Is being put out: what they say from now on is refused.
    pub(super) barred: bool,
}

impl State {
    /// Adds a member; tells the number of the entry. What happens in the channel from now on comes
    /// out of the receiver.
    pub(super) fn admit(
        &mut self,
        person: &Arc<Person>,
        slot: u32,
    ) -> (u64, broadcast::Receiver<Arc<Delivery>>) {
        self.entries += 1;
        let person_in = Arc::clone(person);
        let member =
            Member { person: person_in, slot, entry: self.entries, unsettled: 0, barred: false };
        self.members.insert(person.id, member);
        self.empty_since = None;
        let ring = self.ring.get_or_insert_with(|| broadcast::Sender::new(RING));
        (self.entries, ring.subscribe())
    }

    /// Takes a member out; `None` if they were not in.
    pub(super) fn dismiss(&mut self, id: PersonId, now: Timestamp) -> Option<Member> {
        let member = self.members.swap_remove(&id)?;
        if self.members.is_empty() {
            self.empty_since = Some(now);
            self.ring = None;
            self.members = IndexMap::new();
        }
        Some(member)
    }

    /// Hands an event to everybody who is in.
    pub(super) fn tell(&self, event: Event, by: PersonId) {
        self.tell_once(event, by, None);
    }

    /// The same for an event that comes in other ways too, all with this number.
    pub(super) fn tell_once(&self, event: Event, by: PersonId, once: Option<u64>) {
        let Some(ring) = &self.ring else { return };
        let mut delivery = Delivery::new(event, by, self.sequence.next(), self.last_line);
        delivery.once = once;
        // Without a receiver nobody is in to hear it.
        let _ = ring.send(Arc::new(delivery));
        for member in self.members.values() {
            member.person.bell.ring(member.slot);
        }
    }

    /// Whether somebody may say something.
    pub(super) fn hears(&self, id: PersonId) -> bool {
        self.members.get(&id).is_some_and(|member| !member.barred)
    }

    /// Somebody says something that is being kept.
    pub(super) fn begin_line(&mut self, id: PersonId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.unsettled += 1;
        }
    }

    /// It is kept, or refused.
    pub(super) fn end_line(&mut self, id: PersonId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.unsettled = member.unsettled.saturating_sub(1);
        }
    }

    pub(super) fn role(&self, id: PersonId) -> Role {
        Role { member: self.hears(id), operator: self.is_operator(id) }
    }

    /// Makes a person an operator of this channel.
    pub(super) fn appoint(&mut self, person: &Arc<Person>, name: &ChannelName) {
        person.operates(name.clone());
        self.operators.push(Arc::clone(person));
    }

    /// An operator who left the system has lost the right. If nobody else has it, it belongs to
    /// whoever has been in the channel longest.
    pub(super) fn is_operator(&self, id: PersonId) -> bool {
        let mut present = self.operators.iter().filter(|operator| !operator.has_left()).peekable();
        if present.peek().is_none() {
            return self.oldest().is_some_and(|person| person.id == id);
        }
        present.any(|operator| operator.id == id)
    }

    fn oldest(&self) -> Option<&Arc<Person>> {
        let present = self.members.values().filter(|member| !member.person.has_left());
        present.min_by_key(|member| member.entry).map(|member| &member.person)
    }

    /// Makes [`State::is_operator`] lasting after somebody came or went, and tells whoever got the
    /// right.
    pub(super) fn settle_operators(&mut self, name: &ChannelName) {
        self.operators.retain(|operator| !operator.has_left());
        if !self.operators.is_empty() {
            return;
        }
        if let Some(person) = self.oldest().map(Arc::clone) {
            person.note(Note::NowOperator { channel: name.clone() });
            person.operates(name.clone());
            self.operators.push(person);
        }
    }
}
