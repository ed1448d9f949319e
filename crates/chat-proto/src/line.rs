//! Splits bytes into lines. Parsing is elsewhere.
//!
//! A line ends with LF, CR LF or CR NUL (telnet's Enter), or with a CR alone if the caller requests
//! it. Decoding never fails: a line that is too long or is not UTF-8 is an item, and the codec
//! continues with the next line.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr2;
use tokio_util::codec::{Decoder, Encoder};
use zeroize::Zeroize as _;

use crate::limits::MAX_LINE_BYTES;

const LF: u8 = b'\n';
const CR: u8 = b'\r';
const NUL: u8 = 0;

/// A full line and the CR that may turn out to belong to its ending.
const MAX_HELD_BYTES: usize = MAX_LINE_BYTES + 1;

/// The content between two line endings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineItem {
    /// A line without its ending, never empty. It may contain control characters; see
    /// [`text::clean`](crate::text::clean).
    Line(String),
    /// A line longer than [`MAX_LINE_BYTES`], discarded.
    TooLong {
        /// Bytes of content beyond the limit.
        over: u64,
    },
    /// A line of valid length that is not UTF-8, discarded.
    NotUtf8,
}

/// Splits a byte stream into lines.
///
/// Every byte is examined once, independent of the chunks. Between chunks the codec stores only the
/// unfinished line: at most one line and its CR, without an allocation when it is empty. Empty
/// lines yield nothing. Discarded parts of the unfinished line are zeroed, since it may be a
/// password.
///
/// [`feed`](Self::feed) is for a caller with its own buffer; [`Decoder`] is the same state machine
/// behind Tokio's trait.
#[derive(Debug, Default)]
pub struct LineCodec {
    /// The unfinished line, with a trailing CR. Allocated only while it isn't empty.
    tail: Vec<u8>,
    /// Set while the unfinished line is too long; the tail is empty then.
    discarding: Option<Box<Discarded>>,
}

/// The state of a line that is too long.
#[derive(Debug)]
struct Discarded {
    /// Its bytes so far, including a trailing CR.
    bytes: u64,
    ends_with_cr: bool,
}

impl LineCodec {
    /// A codec at the beginning of a line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Consumes bytes from the front of `chunk` until an item is complete.
    ///
    /// Returns `None` when the chunk is consumed; otherwise call again with the rest.
    pub fn feed(&mut self, chunk: &mut &[u8]) -> Option<LineItem> {
        while let Some(end) = self.find_end(chunk) {
            let (head, rest) = chunk.split_at(end);
            *chunk = rest.get(1..).unwrap_or_default();
            let item = self.end_line(head);
            if item.is_some() {
                return item;
            }
        }
        self.hold(chunk);
        *chunk = &[];
        None
    }

    /// Ends the unfinished line at the end of the input.
    pub fn finish(&mut self) -> Option<LineItem> {
        self.end_line(&[])
    }

    /// Whether the unfinished line ends with a CR, which ends the line if an LF or NUL comes next.
    pub fn ends_with_cr(&self) -> bool {
        self.cr_before(&[], 0)
    }

    /// Ends the unfinished line at its trailing CR, whatever follows. For a peer that sends CR
    /// alone. An LF or NUL that follows belongs to the same ending: see [`LineCodec::after_cr`].
    pub fn end_at_cr(&mut self) -> Option<LineItem> {
        if self.ends_with_cr() { self.end_line(&[]) } else { None }
    }

    /// The rest of the next chunk after [`LineCodec::end_at_cr`] has ended a line.
    pub fn after_cr(chunk: &[u8]) -> &[u8] {
        match chunk {
            [LF | NUL, rest @ ..] => rest,
            _ => chunk,
        }
    }

    /// Whether the next byte begins a new line; the codec owns no memory then.
    pub fn is_idle(&self) -> bool {
        self.tail.is_empty() && self.discarding.is_none()
    }

    /// Whether the unfinished line is too long, so that its bytes are discarded.
    pub fn is_discarding(&self) -> bool {
        self.discarding.is_some()
    }

    /// Allocated bytes of the unfinished line.
    pub fn held_bytes(&self) -> usize {
        self.tail.capacity()
    }

    /// Erases the last character of the unfinished line, if there is one.
    ///
    /// A line that is already too long stays so, because its characters aren't stored.
    pub fn erase_char(&mut self) {
        // The shortest suffix that is UTF-8 is the last character. If there is none, one byte is
        // erased, so that a user can always get back to an empty line.
        let mut ends = (1..=4).filter_map(|bytes| self.tail.len().checked_sub(bytes));
        let char_start = ends.find(|&at| {
            self.tail.get(at..).is_some_and(|character| str::from_utf8(character).is_ok())
        });
        let start = char_start.unwrap_or(self.tail.len().saturating_sub(1));
        self.tail.get_mut(start..).unwrap_or_default().zeroize();
        self.tail.truncate(start);
        if self.tail.is_empty() {
            self.forget_tail();
        }
    }

    /// Erases the unfinished line, including one that is too long.
    pub fn erase_line(&mut self) {
        self.forget_tail();
        self.discarding = None;
    }

    fn forget_tail(&mut self) {
        self.tail.zeroize();
        self.tail = Vec::new();
    }

    /// The index in `chunk` of the LF or NUL that ends the unfinished line.
    fn find_end(&self, chunk: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(found) = memchr2(LF, NUL, chunk.get(from..)?) {
            let at = from + found;
            if chunk.get(at) == Some(&LF) || self.cr_before(chunk, at) {
                return Some(at);
            }
            from = at + 1;
        }
        None
    }

    /// Whether the byte before `chunk[at]`, on the same line, is a CR.
    fn cr_before(&self, chunk: &[u8], at: usize) -> bool {
        match (at.checked_sub(1), &self.discarding) {
            (Some(before), _) => chunk.get(before) == Some(&CR),
            (None, Some(discarded)) => discarded.ends_with_cr,
            (None, None) => self.tail.last() == Some(&CR),
        }
    }

    /// Appends to the unfinished line, or discards it once it is too long.
    fn hold(&mut self, part: &[u8]) {
        let Some(&last) = part.last() else { return };
        let ends_with_cr = last == CR;
        if let Some(discarded) = &mut self.discarding {
            discarded.bytes = discarded.bytes.saturating_add(part.len() as u64);
            discarded.ends_with_cr = ends_with_cr;
            return;
        }
        let bytes = self.tail.len() + part.len();
        if bytes - usize::from(ends_with_cr) > MAX_LINE_BYTES {
            self.forget_tail();
            self.discarding = Some(Box::new(Discarded { bytes: bytes as u64, ends_with_cr }));
            return;
        }
        if bytes > self.tail.capacity() {
            // Doubling makes byte-by-byte input cheap; the cap bounds the memory.
            let capacity = (self.tail.capacity() * 2).clamp(bytes, MAX_HELD_BYTES);
            let mut larger = Vec::with_capacity(capacity);
            larger.extend_from_slice(&self.tail);
            self.tail.zeroize();
            self.tail = larger;
        }
        self.tail.extend_from_slice(part);
    }

    /// Ends the line that `part` completes and begins a new one.
    fn end_line(&mut self, part: &[u8]) -> Option<LineItem> {
        if self.tail.is_empty() && self.discarding.is_none() && part.len() <= MAX_LINE_BYTES {
            return line_of(without_cr(part));
        }
        self.hold(part);
        if let Some(discarded) = self.discarding.take() {
            let content = discarded.bytes - u64::from(discarded.ends_with_cr);
            return Some(LineItem::TooLong { over: content - MAX_LINE_BYTES as u64 });
        }
        let mut line = std::mem::take(&mut self.tail);
        let item = line_of(without_cr(&line));
        line.zeroize();
        item
    }
}

/// Zeroes the unfinished line of a closed connection.
impl Drop for LineCodec {
    fn drop(&mut self) {
        self.tail.zeroize();
    }
}

/// The line without the one CR that belongs to its ending.
fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(&[CR]).unwrap_or(line)
}

fn line_of(content: &[u8]) -> Option<LineItem> {
    if content.is_empty() {
        return None;
    }
    Some(match str::from_utf8(content) {
        Ok(line) => LineItem::Line(line.to_owned()),
        Err(_) => LineItem::NotUtf8,
    })
}

impl Decoder for LineCodec {
    type Item = LineItem;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> io::Result<Option<LineItem>> {
        let mut chunk = src.as_ref();
        let item = self.feed(&mut chunk);
        let used = src.len() - chunk.len();
        src.advance(used);
        Ok(item)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> io::Result<Option<LineItem>> {
        let item = self.decode(src)?;
        Ok(item.or_else(|| self.finish()))
    }
}

impl Encoder<Bytes> for LineCodec {
    type Error = io::Error;

    /// Writes bytes that are already complete lines.
    fn encode(&mut self, lines: Bytes, dst: &mut BytesMut) -> io::Result<()> {
        dst.extend_from_slice(&lines);
        Ok(())
    }
}

// Each of a hundred thousand idle connections has one.
const _: () = assert!(size_of::<LineCodec>() <= 48);
