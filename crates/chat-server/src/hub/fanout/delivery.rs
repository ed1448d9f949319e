//! Events on their way to several people.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use chat_proto::encoding::{encode, encoded, estimated_len};
use chat_proto::event::Event;
use chat_proto::format::Format;
use chat_proto::id::MessageId;

use crate::hub::id::{ClientId, Source};

/// Lines that are told as one delivery at the most, and about how many bytes in the text form: what is told as one is taken
/// out and copied as one, and has one place among all that is kept for who reads slowly.
const MOST_LINES: usize = 4;
const MOST_BYTES: usize = 8 * 1024;

/// A delivery of more bytes than this in the text form has more than one place in a ring, so a ring is bounded in bytes
/// too.
const PLACE_BYTES: usize = 4 * 1024;

/// Places of one delivery at the most, so that a ring always holds some.
const MOST_PLACES: usize = 64;

/// While more bytes than this are in deliveries of all rings and queues, a place holds an eighth;
/// then a thirty-second; then a ring holds the newest delivery alone.
const MANY_BYTES: usize = 24 * 1024 * 1024;
const TOO_MANY_BYTES: usize = 40 * 1024 * 1024;
const MOST_BYTES_ALIVE: usize = 56 * 1024 * 1024;

/// All places of a ring, or more.
pub(in crate::hub) const ALL_PLACES: usize = 256;

/// Bytes of the deliveries that are alive: in the rings of all channels, in private queues, and on their way.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Whether readers that don't read hold so much that senders are to make do with less.
pub(in crate::hub) fn is_much_alive() -> bool {
    ALIVE.load(Ordering::Relaxed) > MANY_BYTES
}

/// Bytes that count as alive until this is dropped.
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

/// An event that is told.
pub(crate) struct SequencedEvent {
    pub(crate) event: Event,
    /// Whose doing it is: they have their own answer and don't get this.
    pub(crate) by: Source,
    /// From the hub's [`super::sequence::Sequence`].
    pub(crate) number: u64,
    /// The last line of the conversation, this one included: tells how many lines lie between two
    /// events.
    pub(crate) last_line: MessageId,
    /// For what comes in more than one way and is told once to each person: the same for all of its
    /// copies.
    pub(crate) once: Option<u64>,
    /// Of a line said in a channel, by which its author knows for which of theirs it is the answer.
    pub(crate) correlation_id: u64,
}

impl SequencedEvent {
    pub(crate) fn new(event: Event, by: Source, number: u64, last_line: MessageId) -> Self {
        Self { event, by, number, last_line, once: None, correlation_id: 0 }
    }

    /// Whether it is a line somebody said, with an id of its own.
    pub(crate) fn is_line(&self) -> bool {
        matches!(self.event, Event::Message { .. } | Event::Private { .. })
    }

    /// The last line of the conversation before this.
    pub(crate) fn line_before(&self) -> MessageId {
        MessageId(self.last_line.0 - u64::from(self.is_line()))
    }

    /// About how many bytes it is in the text form.
    fn weight(&self) -> usize {
        estimated_len(&self.event, Format::Text)
    }
}

/// An event; or a run, lines that were said in a channel right after one another. It is encoded at most once for each
/// form, when the first receiver of that form needs it, and the bytes are shared.
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
    /// Where each of a run ends in it; of a single event nothing.
    ends: Box<[u32]>,
    _alive: Alive,
}

impl From<SequencedEvent> for Delivery {
    fn from(told: SequencedEvent) -> Self {
        let weight = told.weight();
        Self {
            weight,
            _alive: Alive::new(weight + size_of::<Self>()),
            first: told,
            more: Box::default(),
            text: OnceLock::new(),
            json: OnceLock::new(),
        }
    }
}

impl Delivery {
    /// Makes as few as may be of these lines, in their order.
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

    /// How many places it has in a ring.
    pub(in crate::hub) fn places(&self) -> usize {
        places(self.weight, ALIVE.load(Ordering::Relaxed))
    }

    /// How many events it is; never none.
    pub(crate) fn len(&self) -> usize {
        1 + self.more.len()
    }

    pub(crate) fn first(&self) -> &SequencedEvent {
        &self.first
    }

    pub(crate) fn last(&self) -> &SequencedEvent {
        self.more.last().unwrap_or(&self.first)
    }

    /// One of them; past the end the last.
    pub(crate) fn event_at(&self, at: usize) -> &SequencedEvent {
        at.checked_sub(1).map_or(&self.first, |at| self.more.get(at).unwrap_or_else(|| self.last()))
    }

    /// About how many bytes it is in the text form.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Whether some of it is nothing but lines, and none of them this person's own.
    pub(crate) fn is_from_others(&self, mut which: Range<usize>, own: ClientId) -> bool {
        which.all(|at| {
            let told = self.event_at(at);
            told.is_line() && told.by.id != own
        })
    }

    fn all(&self) -> impl Iterator<Item = &SequencedEvent> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// Some of them as lines in this form, with their endings.
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
            self.all().map(|told| estimated_len(&told.event, format)).sum(),
        );
        let ends = self.all().map(|told| {
            encode(&told.event, format, &mut bytes);
            u32::try_from(bytes.len()).unwrap_or(u32::MAX)
        });
        let ends = ends.collect();
        Encoded { _alive: Alive::new(bytes.len()), bytes: bytes.freeze(), ends }
    }
}

/// How many places a delivery of so many bytes has, while so many bytes are alive.
fn places(weight: usize, alive: usize) -> usize {
    let place = if alive <= MANY_BYTES {
        PLACE_BYTES
    } else if alive <= TOO_MANY_BYTES {
        PLACE_BYTES / 8
    } else if alive <= MOST_BYTES_ALIVE {
        PLACE_BYTES / 32
    } else {
        return ALL_PLACES;
    };
    (1 + weight / place).min(MOST_PLACES)
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
        SequencedEvent::new(event, Source::NOBODY, id, MessageId(id))
    }

    #[test]
    fn a_run_is_shown_as_its_lines_are_one_by_one() {
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
    fn a_large_delivery_has_several_places_in_a_ring() {
        for (bytes, places) in [(100, 1), (3000, 1), (7000, 2)] {
            let delivery = Delivery::from(line(1, &"x".repeat(bytes)));
            assert_eq!(delivery.places(), places, "{bytes}");
        }
    }

    #[test]
    fn the_more_is_alive_the_more_places_a_delivery_has() {
        for (alive, of_100, of_4000) in [
            (0, 1, 1),
            (MANY_BYTES + 1, 1, 8),
            (TOO_MANY_BYTES + 1, 1, 32),
            (MOST_BYTES_ALIVE + 1, ALL_PLACES, ALL_PLACES),
        ] {
            assert_eq!((places(100, alive), places(4000, alive)), (of_100, of_4000), "{alive}");
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
                runs.iter().flat_map(Delivery::all).map(|told| told.number).collect();
            assert!(numbers.iter().copied().eq(1..=count), "{numbers:?}");
        }
        assert_eq!(Delivery::runs(Vec::new()).count(), 0);
    }
}
