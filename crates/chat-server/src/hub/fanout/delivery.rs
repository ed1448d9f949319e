//! Events on their way to several clients.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use chat_proto::encoding::{encode, encoded, estimated_len};
use chat_proto::event::Event;
use chat_proto::format::Format;
use chat_proto::id::MessageId;

use crate::hub::id::{ClientId, Source};

/// Messages in one run at most, and their bytes in the text format, roughly: a run is taken out and
/// copied as one, and takes one slot of the ring.
const MOST_LINES: usize = 4;
const MOST_BYTES: usize = 8 * 1024;

/// A larger delivery takes several slots of a ring, which bounds a ring in bytes too.
const SLOT_BYTES: usize = 4 * 1024;

/// Slots of one delivery at most, so a ring always holds several deliveries.
const MOST_SLOTS: usize = 64;

/// Memory of all deliveries beyond which a slot counts for an eighth of its bytes; then for a
/// thirty-second; then a ring holds the newest delivery alone.
const MANY_BYTES: usize = 24 * 1024 * 1024;
const TOO_MANY_BYTES: usize = 40 * 1024 * 1024;
const MOST_BYTES_ALIVE: usize = 56 * 1024 * 1024;

/// All slots of a ring, or more.
pub(in crate::hub) const ALL_SLOTS: usize = 256;

/// Bytes of all deliveries in rings, in private queues, and on their way.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Whether slow readers hold so much that senders get less.
pub(in crate::hub) fn is_much_alive() -> bool {
    ALIVE.load(Ordering::Relaxed) > MANY_BYTES
}

/// Counted in [`ALIVE`] until it is dropped.
struct Alive(usize);

impl Alive {
    fn new(bytes: usize) -> Self {
        ALIVE.fetch_add(bytes, Ordering::Relaxed);
        Self(bytes)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// An event to publish.
pub(crate) struct SequencedEvent {
    pub(crate) event: Event,
    /// The source, which gets its own reply instead.
    pub(crate) by: Source,
    /// From the hub's [`super::sequence::Sequence`].
    pub(crate) number: u64,
    /// The last message of the conversation, this one included: shows how many messages lie between
    /// two events.
    pub(crate) last_line: MessageId,
    /// The same for all copies of an event that reaches a client in several ways, which shows it
    /// once.
    pub(crate) once: Option<u64>,
    /// Of a channel message: correlates the ack with the submission.
    pub(crate) correlation_id: u64,
}

impl SequencedEvent {
    pub(crate) fn new(event: Event, by: Source, number: u64, last_line: MessageId) -> Self {
        Self { event, by, number, last_line, once: None, correlation_id: 0 }
    }

    /// Whether it is a message, with an id of its own.
    pub(crate) fn is_line(&self) -> bool {
        matches!(self.event, Event::Message { .. } | Event::Private { .. })
    }

    /// The last message of the conversation before this.
    pub(crate) fn line_before(&self) -> MessageId {
        MessageId(self.last_line.0 - u64::from(self.is_line()))
    }

    /// Bytes in the text format, roughly.
    fn weight(&self) -> usize {
        estimated_len(&self.event, Format::Text)
    }
}

/// An event; or a run of consecutive messages of a channel. It is encoded at most once for each
/// format, when the first receiver needs it, and the bytes are shared.
pub(crate) struct Delivery {
    first: SequencedEvent,
    more: Box<[SequencedEvent]>,
    weight: usize,
    text: OnceLock<Encoded>,
    json: OnceLock<Encoded>,
    _alive: Alive,
}

struct Encoded {
    bytes: Bytes,
    /// Where each event of a run ends; empty for a single event.
    ends: Box<[u32]>,
    _alive: Alive,
}

impl From<SequencedEvent> for Delivery {
    fn from(sequenced: SequencedEvent) -> Self {
        let weight = sequenced.weight();
        Self {
            weight,
            _alive: Alive::new(weight + size_of::<Self>()),
            first: sequenced,
            more: Box::default(),
            text: OnceLock::new(),
            json: OnceLock::new(),
        }
    }
}

impl Delivery {
    /// Packs messages into as few runs as possible, in their order.
    pub(crate) fn runs(lines: Vec<SequencedEvent>) -> impl Iterator<Item = Self> {
        let mut lines = lines.into_iter().peekable();
        std::iter::from_fn(move || {
            let first = lines.next()?;
            let mut weight = first.weight();
            let mut more = Vec::new();
            while let Some(next) = lines
                .next_if(|next| more.len() + 1 < MOST_LINES && weight + next.weight() <= MOST_BYTES)
            {
                weight += next.weight();
                more.push(next);
            }
            let more: Box<[SequencedEvent]> = more.into();
            let alive = weight + size_of::<Self>() + size_of_val(&*more);
            Some(Self { more, weight, _alive: Alive::new(alive), ..Self::from(first) })
        })
    }

    /// The number of slots that it takes in a ring.
    pub(in crate::hub) fn slots(&self) -> usize {
        slots(self.weight, ALIVE.load(Ordering::Relaxed))
    }

    /// The number of events, at least one.
    pub(crate) fn len(&self) -> usize {
        1 + self.more.len()
    }

    pub(crate) fn first(&self) -> &SequencedEvent {
        &self.first
    }

    pub(crate) fn last(&self) -> &SequencedEvent {
        self.more.last().unwrap_or(&self.first)
    }

    /// An event of the run; past the end the last.
    pub(crate) fn event_at(&self, at: usize) -> &SequencedEvent {
        at.checked_sub(1).map_or(&self.first, |at| self.more.get(at).unwrap_or_else(|| self.last()))
    }

    /// Bytes in the text format, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Whether a part of the run is messages only, none of them by this client.
    pub(crate) fn is_from_others(&self, mut which: Range<usize>, own: ClientId) -> bool {
        which.all(|at| {
            let sequenced = self.event_at(at);
            sequenced.is_line() && sequenced.by.id != own
        })
    }

    fn all(&self) -> impl Iterator<Item = &SequencedEvent> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// A part of the run as encoded lines, with their endings.
    pub(crate) fn bytes(&self, format: Format, which: Range<usize>) -> &[u8] {
        let cell = match format {
            Format::Text => &self.text,
            Format::Json => &self.json,
        };
        let Encoded { bytes, ends, .. } = cell.get_or_init(|| self.encoding(format));
        if which.len() == self.len() {
            return bytes;
        }
        let end = |of: usize| of.checked_sub(1).and_then(|at| ends.get(at)).map_or(0, |end| *end);
        bytes.get(end(which.start) as usize..end(which.end) as usize).unwrap_or_default()
    }

    fn encoding(&self, format: Format) -> Encoded {
        if self.more.is_empty() {
            let bytes = encoded(&self.first.event, format);
            return Encoded { _alive: Alive::new(bytes.len()), bytes, ends: Box::default() };
        }
        let mut bytes = BytesMut::with_capacity(
            self.all().map(|sequenced| estimated_len(&sequenced.event, format)).sum(),
        );
        let ends = self.all().map(|sequenced| {
            encode(&sequenced.event, format, &mut bytes);
            u32::try_from(bytes.len()).unwrap_or(u32::MAX)
        });
        let ends = ends.collect();
        Encoded { _alive: Alive::new(bytes.len()), bytes: bytes.freeze(), ends }
    }
}

/// The number of slots of a delivery of this size, at this total.
fn slots(weight: usize, alive: usize) -> usize {
    let place = if alive <= MANY_BYTES {
        SLOT_BYTES
    } else if alive <= TOO_MANY_BYTES {
        SLOT_BYTES / 8
    } else if alive <= MOST_BYTES_ALIVE {
        SLOT_BYTES / 32
    } else {
        return ALL_SLOTS;
    };
    (1 + weight / place).min(MOST_SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::event::MessageStamp;
    use chat_proto::name::{ChannelName, UserName};
    use chat_proto::text::Text;
    use chat_proto::time::Timestamp;

    fn line(id: u64, text: &str) -> SequencedEvent {
        let event = Event::Message {
            stamp: MessageStamp { id: MessageId(id), time: Timestamp(0) },
            channel: ChannelName::new("den").unwrap(),
            from: UserName::new("ann").unwrap(),
            text: Text::new(text).unwrap(),
            action: false,
            past: false,
        };
        SequencedEvent::new(event, Source::NONE, id, MessageId(id))
    }

    #[test]
    fn a_run_is_encoded_like_its_messages() {
        for format in [Format::Text, Format::Json] {
            let runs: Vec<_> =
                Delivery::runs((1..=4).map(|id| line(id, &format!("line {id}"))).collect())
                    .collect();
            let [run] = &runs[..] else { panic!("{} runs", runs.len()) };
            assert_eq!((run.len(), run.first().number, run.last().number), (4, 1, 4));
            for begin in 0..4 {
                for end in begin + 1..=4 {
                    let alone: Vec<u8> = (begin..end)
                        .flat_map(|at| encoded(&run.event_at(at).event, format).to_vec())
                        .collect();
                    assert_eq!(run.bytes(format, begin..end), alone, "{begin}..{end}");
                }
            }
        }
    }

    #[test]
    fn a_large_delivery_takes_several_slots_of_a_ring() {
        for (bytes, slots) in [(100, 1), (3000, 1), (7000, 2)] {
            let delivery = Delivery::from(line(1, &"x".repeat(bytes)));
            assert_eq!(delivery.slots(), slots, "{bytes}");
        }
    }

    #[test]
    fn the_more_memory_is_held_the_more_slots_a_delivery_takes() {
        for (alive, of_100, of_4000) in [
            (0, 1, 1),
            (MANY_BYTES + 1, 1, 8),
            (TOO_MANY_BYTES + 1, 1, 32),
            (MOST_BYTES_ALIVE + 1, ALL_SLOTS, ALL_SLOTS),
        ] {
            assert_eq!((slots(100, alive), slots(4000, alive)), (of_100, of_4000), "{alive}");
        }
    }

    #[test]
    fn runs_are_bounded_in_lines_and_bytes_and_keep_the_order() {
        let long = "x".repeat(3500);
        for (count, text, lengths) in
            [(10, "short", &[4, 4, 2][..]), (5, long.as_str(), &[2, 2, 1]), (1, "alone", &[1])]
        {
            let runs: Vec<_> =
                Delivery::runs((1..=count).map(|id| line(id, text)).collect()).collect();
            assert_eq!(runs.iter().map(Delivery::len).collect::<Vec<_>>(), lengths);
            let numbers: Vec<_> =
                runs.iter().flat_map(Delivery::all).map(|sequenced| sequenced.number).collect();
            assert!(numbers.iter().copied().eq(1..=count), "{numbers:?}");
        }
        assert_eq!(Delivery::runs(Vec::new()).count(), 0);
    }
}
