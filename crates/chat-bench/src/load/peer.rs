//! One connection: its write buffer, and the pattern that it counts in its input.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;

use crate::dialect::Dialect;
use crate::stamp;

/// The pattern that a connection counts in its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Nothing: input is read and discarded.
    Nothing,
    /// The number of messages with a stamp. It costs next to nothing.
    Count,
    /// The same, and the latency of each.
    Times,
    /// `ok`s of the JSON format.
    Oks,
    /// A line with this in it, or a refusal.
    Answer(&'static [u8]),
}

/// The findings of all connections.
pub(super) struct PeerProgress {
    /// The origin of stamps.
    pub(super) begun: Instant,
    /// Messages with a stamp.
    pub(super) marks: u64,
    /// `ok`s.
    pub(super) oks: u64,
    /// Latencies in nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// Connections with [`reacts`](LoadPeer::reacts) that found something, and how many items.
    pub(super) reactions: Vec<(usize, u64)>,
}

/// One connection.
pub(super) struct LoadPeer {
    pub(super) stream: TcpStream,
    pub(super) watch: Watch,
    /// The pattern once the answer has arrived.
    pub(super) then: Watch,
    /// Whether its findings are reported in [`reactions`](PeerProgress::reactions).
    pub(super) reacts: bool,
    /// Set on a connection that doesn't read.
    pub(super) stalled: bool,
    out: Vec<u8>,
    /// The beginning of an unfinished line.
    carry: Vec<u8>,
}

/// The result of a read.
#[derive(Default)]
pub(super) struct PeerInput {
    /// The awaited answer has arrived.
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

    /// The write buffer.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Writes as much of the write buffer as the socket takes, in one call if it takes all.
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

    /// Drains the socket. Readiness is edge-triggered, so it reads until a read is short; if the
    /// peer has `closed`, until the end of the input.
    pub(super) fn read(
        &mut self,
        id: usize,
        closed: bool,
        buffer: &mut [u8],
        dialect: Dialect,
        found: &mut PeerProgress,
    ) -> anyhow::Result<PeerInput> {
        let mut came = PeerInput::default();
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(PeerInput { end: true, ..came }),
                Ok(some) => {
                    came.answer |= self.take(id, &buffer[..some], dialect, found)?;
                    if some < buffer.len() && !closed {
                        return Ok(came);
                    }
                }
                Err(error) if not_now(&error) => return Ok(came),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Ok(PeerInput { end: true, ..came }),
            }
        }
    }

    /// Searches the input; returns whether it held the awaited answer.
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
            // Counting needs no line boundaries.
            found.marks += stamp::count(rest);
        } else {
            self.carry.extend_from_slice(rest);
        }
        if self.reacts && some > 0 {
            found.reactions.push((id, some));
        }
        Ok(answered)
    }

    /// Whether a line is the awaited answer, and whether it is one that [`watch`](Self::watch)
    /// looks for.
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

/// Whether to try again later. Reading a socket that isn't connected yet fails with `NotConnected`.
fn not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

/// In nanoseconds; saturates after five hundred years.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
