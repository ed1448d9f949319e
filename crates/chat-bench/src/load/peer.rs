//! One connection: what waits to be written, and what is looked for in what is read.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;

use crate::dialect::Dialect;
use crate::stamp;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Nothing: what comes is read and thrown away.
    Nothing,
    /// How many lines have a stamp. It costs next to nothing.
    Count,
    /// The same, and how long each was under way.
    Times,
    /// `ok`s of the JSON form.
    Oks,
    /// A line with this in it, or a refusal.
    Answer(&'static [u8]),
}

/// What all connections have found.
pub(super) struct PeerProgress {
    /// When stamps count from.
    pub(super) begun: Instant,
    /// Lines with a stamp.
    pub(super) marks: u64,
    /// `ok`s.
    pub(super) oks: u64,
    /// Nanoseconds that lines were under way.
    pub(super) latency: Histogram<u64>,
    /// Those who react to what they found, and how much it was.
    pub(super) reactions: Vec<(usize, u64)>,
}

/// One connection.
pub(super) struct LoadPeer {
    pub(super) stream: TcpStream,
    pub(super) watch: Watch,
    /// What is looked for once the answer has come.
    pub(super) then: Watch,
    /// Whether its findings are told one by one.
    pub(super) reacts: bool,
    /// It reads nothing.
    pub(super) stalled: bool,
    out: Vec<u8>,
    /// The beginning of a line of which the end hasn't come yet.
    carry: Vec<u8>,
}

/// What came of reading.
#[derive(Default)]
pub(super) struct PeerInput {
    /// What was waited for is there.
    pub(super) answer: bool,
    /// The server closed the connection.
    pub(super) end: bool,
}

impl LoadPeer {
    pub(super) fn new(stream: TcpStream, watch: Watch) -> Self {
        Self {
            stream,
            watch,
            then: watch,
            reacts: false,
            stalled: false,
            out: Vec::new(),
            carry: Vec::new(),
        }
    }

    /// Lines to be written are appended here.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Writes as much as the socket takes, with one call for all that waits.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.out.len() {
            match self.stream.write(&self.out[written..]) {
                Ok(some) => written += some,
                Err(error) if not_now(&error) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.drain(..written);
        Ok(())
    }

    /// Reads what there is. Readiness is told only once, so it reads until a read isn't full; if
    /// the other side has `closed`, until the end.
    pub(super) fn read(
        &mut self,
        id: usize,
        closed: bool,
        room: &mut [u8],
        dialect: Dialect,
        found: &mut PeerProgress,
    ) -> anyhow::Result<PeerInput> {
        let mut came = PeerInput::default();
        loop {
            match self.stream.read(room) {
                Ok(0) => return Ok(PeerInput { end: true, ..came }),
                Ok(some) => {
                    came.answer |= self.take(id, &room[..some], dialect, found)?;
                    if some < room.len() && !closed {
                        return Ok(came);
                    }
                }
                Err(error) if not_now(&error) => return Ok(came),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Ok(PeerInput { end: true, ..came }),
            }
        }
    }

    /// Looks at what was read; tells whether the answer was in it.
    fn take(
        &mut self,
        id: usize,
        bytes: &[u8],
        dialect: Dialect,
        found: &mut PeerProgress,
    ) -> anyhow::Result<bool> {
        if dialect.may_ask(bytes) {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                dialect.still_here(line, &mut self.out);
            }
            self.flush()?;
        }
        if matches!(self.watch, Watch::Count | Watch::Nothing) {
            let some = if self.watch == Watch::Count { stamp::count(bytes) } else { 0 };
            found.marks += some;
            if self.reacts && some > 0 {
                found.reactions.push((id, some));
            }
            return Ok(false);
        }
        let now = nanos(found.begun.elapsed());
        let mut answered = false;
        let mut some = 0;
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            let mut whole = std::mem::take(&mut self.carry);
            let line = if whole.is_empty() {
                line
            } else {
                whole.extend_from_slice(line);
                &whole
            };
            let (is_answer, is_found) = self.look(line, now, dialect, found)?;
            answered |= is_answer;
            some += u64::from(is_found);
        }
        if self.watch == Watch::Count {
            // Whoever only counts doesn't care where a line ends.
            found.marks += stamp::count(rest);
        } else {
            self.carry.extend_from_slice(rest);
        }
        if self.reacts && some > 0 {
            found.reactions.push((id, some));
        }
        Ok(answered)
    }

    /// Whether a line is the answer, and whether it is one of those that are looked for.
    fn look(
        &mut self,
        line: &[u8],
        now: u64,
        dialect: Dialect,
        found: &mut PeerProgress,
    ) -> anyhow::Result<(bool, bool)> {
        match self.watch {
            Watch::Nothing => Ok((false, false)),
            Watch::Count => {
                let marks = stamp::count(line);
                found.marks += marks;
                Ok((false, marks > 0))
            }
            Watch::Times => {
                let Some(said) = stamp::read(line) else { return Ok((false, false)) };
                found.marks += 1;
                found.latency.saturating_record(now.saturating_sub(said));
                Ok((false, true))
            }
            Watch::Oks => {
                anyhow::ensure!(!dialect.refuses(line), "refused: {}", line.escape_ascii());
                let is_ok = line.starts_with(br#"{"type":"ok""#);
                found.oks += u64::from(is_ok);
                Ok((false, is_ok))
            }
            Watch::Answer(answer) => {
                anyhow::ensure!(!dialect.refuses(line), "refused: {}", line.escape_ascii());
                let is_answer = memchr::memmem::find(line, answer).is_some();
                if is_answer {
                    self.watch = self.then;
                }
                Ok((is_answer, false))
            }
        }
    }
}

/// A socket that isn't connected yet says so when it is read.
fn not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

/// In nanoseconds; a run lasts no five hundred years.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
