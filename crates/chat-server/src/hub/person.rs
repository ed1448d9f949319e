//! One connection's place in the system: its name, the bell that wakes its task, and its notes.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use chat_proto::event::{Away, Done, Farewell};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use futures_util::task::AtomicWaker;
use tokio::sync::mpsc;

use super::delivery::Delivery;
use super::lock;
use super::ports::Found;
use super::sequence::Sequence;

/// Tells people apart for as long as the server runs; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub(crate) u64);

/// One side of private chats: somebody connected, and whoever goes on under their name after they were
/// cut off. Never given twice, also over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Party(pub(crate) u64);

/// Somebody connected, with or without a name yet.
pub struct Person {
    pub(crate) id: PersonId,
    /// A [`Party`]; one of their own, unless they go on for somebody who was cut off.
    party: AtomicU64,
    /// Rung by whoever has something for this person.
    pub(crate) bell: Bell,
    /// Since when connected.
    pub(crate) since: Timestamp,
    /// When the last line came from this person, in milliseconds as in [`Timestamp`]. Written by its
    /// own task, read by `/whois`.
    pub(crate) last_line_at: AtomicI64,
    /// Private lines for which room was taken and that were not read yet. Counted up by those who write,
    /// down by this person's own task.
    pub(crate) private_lines: AtomicUsize,
    /// Has left the system; what was theirs goes to others.
    left: AtomicBool,
    card: Mutex<Card>,
    /// With their numbers, which grow.
    notes: Mutex<VecDeque<(u64, Note)>>,
    sequence: Arc<Sequence>,
}

#[derive(Default)]
struct Card {
    name: Option<UserName>,
    away: Option<Away>,
    /// The channels of which this person was made an operator.
    operates: Vec<ChannelName>,
    /// It is remembered that the name stands for this person.
    held: bool,
}

/// What is told to one person alone, and isn't said in a conversation.
pub(crate) enum Note {
    /// What became of a draft of this person's.
    Answer(Result<Done, Refusal>),
    /// What this person asked about the past.
    Found(Result<Found, Refusal>),
    /// Somebody began to write privately: their lines come out of this queue.
    Chat { lines: mpsc::Receiver<Arc<Delivery>> },
    /// Somebody opened a private chat and made it current on their side.
    Opened { with: UserName, by: PersonId },
    /// Put out of a channel.
    Kicked(Kick),
    /// An operator's right came to this person, because nobody else had it.
    NowOperator { channel: ChannelName },
    /// The server closes the connection.
    Bye(Farewell),
}

/// Somebody was put out of a channel.
pub(crate) struct Kick {
    pub(crate) channel: ChannelName,
    pub(crate) by: UserName,
    pub(crate) reason: Option<Text>,
    /// Out of the entry of this number.
    pub(crate) entry: u64,
    /// After this line.
    pub(crate) last_line: LineId,
}

/// Notes of others' doing that may wait for one person; past it the others are told `user-busy`.
/// Notes of the server's own are few by their nature: one farewell, one answer for each draft
/// that isn't settled and each question, one kick for each channel.
const MAX_WAITING_NOTES: usize = 64;

impl Person {
    pub(crate) fn new(id: PersonId, now: Timestamp, sequence: Arc<Sequence>) -> Self {
        Self {
            id,
            party: AtomicU64::new(id.0),
            bell: Bell::default(),
            since: now,
            last_line_at: AtomicI64::new(now.0),
            private_lines: AtomicUsize::new(0),
            left: AtomicBool::new(false),
            card: Mutex::default(),
            notes: Mutex::default(),
            sequence,
        }
    }

    /// Which side of their private chats they are.
    pub(crate) fn party(&self) -> Party {
        Party(self.party.load(Ordering::Acquire))
    }

    /// Goes on for somebody who was cut off, whose name is remembered as held.
    pub(super) fn goes_on_for(&self, party: Party) {
        self.party.store(party.0, Ordering::Release);
        lock(&self.card).held = true;
    }

    /// The name, if it isn't remembered yet that it stands for this person; from now on it is.
    pub(super) fn hold_name(&self) -> Option<UserName> {
        let mut card = lock(&self.card);
        let name = card.name.clone().filter(|_| !card.held)?;
        card.held = true;
        Some(name)
    }

    /// Whether it is remembered that the name stands for this person.
    pub(super) fn holds_name(&self) -> bool {
        lock(&self.card).held
    }

    /// The name, once there is one.
    pub(crate) fn name(&self) -> Option<UserName> {
        lock(&self.card).name.clone()
    }

    pub(crate) fn set_name(&self, name: UserName) {
        lock(&self.card).name = Some(name);
    }

    pub(crate) fn away(&self) -> Option<Away> {
        lock(&self.card).away.clone()
    }

    /// Tells whether this changed anything.
    pub(crate) fn set_away(&self, away: Option<Away>) -> bool {
        let mut card = lock(&self.card);
        let changed = card.away != away;
        card.away = away;
        changed
    }

    /// Leaves a note of the server's own, which always finds room.
    pub(crate) fn note(&self, note: Note) {
        let mut notes = lock(&self.notes);
        notes.push_back((self.sequence.next(), note));
        drop(notes);
        self.bell.ring(Bell::NOTES);
    }

    /// Leaves a note of somebody else's doing; `false` if too many wait already.
    pub(crate) fn try_note(&self, note: Note) -> bool {
        {
            let mut notes = lock(&self.notes);
            if notes.len() >= MAX_WAITING_NOTES {
                return false;
            }
            notes.push_back((self.sequence.next(), note));
        }
        self.bell.ring(Bell::NOTES);
        true
    }

    /// The number of the oldest note.
    pub(crate) fn oldest_note(&self) -> Option<u64> {
        lock(&self.notes).front().map(|(number, _)| *number)
    }

    /// Takes the oldest note.
    pub(crate) fn take_note(&self) -> Option<Note> {
        let mut notes = lock(&self.notes);
        let note = notes.pop_front().map(|(_, note)| note);
        if notes.is_empty() {
            // An idle connection owns no buffer.
            *notes = VecDeque::new();
        }
        note
    }

    /// Notes that the person was made an operator of a channel.
    pub(crate) fn operates(&self, channel: ChannelName) {
        let mut card = lock(&self.card);
        if !card.operates.contains(&channel) {
            card.operates.push(channel);
        }
    }

    /// The channels of which the person was made an operator, for them to pass the right on.
    pub(crate) fn take_operated(&self) -> Vec<ChannelName> {
        std::mem::take(&mut lock(&self.card).operates)
    }

    pub(crate) fn leave_system(&self) {
        self.left.store(true, Ordering::Release);
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn touch(&self, now: Timestamp) {
        self.last_line_at.store(now.0, Ordering::Relaxed);
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Wakes one connection's task and tells it where something waits.
///
/// A bit for each source: whoever puts something there sets the bit, and wakes the task only if none
/// was set, so a reader that has much waiting isn't woken for each line.
#[derive(Default)]
pub(crate) struct Bell {
    bits: AtomicU64,
    waker: AtomicWaker,
}

impl Bell {
    /// The bit of notes.
    pub(crate) const NOTES: u32 = 63;
    /// The bit of private lines.
    pub(crate) const PRIVATE: u32 = 62;
    /// The bits below are the channels', by the slot that a session gave each.
    pub(crate) const CHANNEL_SLOTS: u32 = 62;

    pub(crate) fn ring(&self, bit: u32) {
        if self.bits.fetch_or(1 << bit, Ordering::AcqRel) == 0 {
            self.waker.wake();
        }
    }

    /// Takes all that was set.
    pub(crate) fn take(&self) -> u64 {
        if self.bits.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.bits.swap(0, Ordering::AcqRel)
    }

    /// Whether anything was set since it was taken.
    pub(crate) fn is_rung(&self) -> bool {
        self.bits.load(Ordering::Acquire) != 0
    }

    /// Ready when any bit is set.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_rung() {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        if self.is_rung() { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_keeps_what_was_rung_until_it_is_taken() {
        let bell = Bell::default();
        assert_eq!(bell.take(), 0);
        bell.ring(3);
        bell.ring(Bell::NOTES);
        bell.ring(3);
        assert_eq!(bell.take(), 1 << 3 | 1 << 63);
        assert_eq!(bell.take(), 0);
    }

    #[test]
    fn others_notes_are_bounded_and_the_servers_own_find_room() {
        let person = Person::new(PersonId(1), Timestamp(0), Arc::default());
        let bob = UserName::new("bob").unwrap();
        let opened = || Note::Opened { with: bob.clone(), by: PersonId(2) };
        let taken = (0..1000).filter(|_| person.try_note(opened())).count();
        assert_eq!(taken, MAX_WAITING_NOTES);
        person.note(Note::Bye(Farewell::Shutdown));
        let waiting = std::iter::from_fn(|| person.take_note()).count();
        assert_eq!(waiting, MAX_WAITING_NOTES + 1);
    }
}
