//! Bytes to lines, and nothing more: what a line means is decided elsewhere.
//!
//! A line ends with LF, CR LF or CR NUL (telnet's Enter), or with a CR alone where the caller says
//! so. Whatever else a peer sends, the codec goes on with the next line: a line that is too long or
//! is not UTF-8 is an item like any other, and decoding never fails.

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

/// What the bytes between two line endings amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineItem {
    /// A line without its ending, never empty. It may still hold control characters; see
    /// [`text::clean`](crate::text::clean).
    Line(String),
    /// A line longer than [`MAX_LINE_BYTES`], discarded whole.
    TooLong {
        /// Bytes of content beyond the limit.
        over: u64,
    },
    /// A line of a proper length that is not UTF-8, discarded.
    NotUtf8,
}

/// Cuts a stream of bytes into lines.
///
/// Every byte is looked at once, however the stream is cut into chunks. Between chunks the codec
/// holds the unfinished line and nothing else: at most one line and its CR, no allocation when
/// there is none. Empty lines yield nothing. What is given up of the unfinished line is zeroed,
/// since it may be a password.
///
/// [`feed`](Self::feed) is for a caller with a buffer of its own; the [`Decoder`] is the same
/// machine behind Tokio's trait.
#[derive(Debug, Default)]
pub struct LineCodec {
    /// The unfinished line, with its CR if that came last. Owns memory only while it isn't empty.
    tail: Vec<u8>,
    /// Set while the unfinished line is known to be too long; the tail is empty then.
    discarding: Option<Box<Discarded>>,
}

/// What is still known of a line that is too long.
#[derive(Debug)]
struct Discarded {
    /// All its bytes so far, a CR at the end included.
    bytes: u64,
    ends_with_cr: bool,
}

impl LineCodec {
    /// A codec at the beginning of a line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes off the front of `chunk` until an item is complete.
    ///
    /// `None` means that the chunk is used up; otherwise call again with what is left of it.
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

    /// The end of the input ends an unfinished line too.
    pub fn finish(&mut self) -> Option<LineItem> {
        self.end_line(&[])
    }

    /// Whether the unfinished line ends with a CR, which ends the line if an LF or NUL comes next.
    pub fn ends_with_cr(&self) -> bool {
        self.cr_before(&[], 0)
    }

    /// The CR at the end of the unfinished line ends it, whatever comes next. For a peer that sends
    /// CR alone; an LF or NUL that comes next nevertheless belongs to the same ending: see
    /// [`LineCodec::after_cr`].
    pub fn end_at_cr(&mut self) -> Option<LineItem> {
        if self.ends_with_cr() { self.end_line(&[]) } else { None }
    }

    /// What is left of the next chunk after [`LineCodec::end_at_cr`] ended a line.
    pub fn after_cr(chunk: &[u8]) -> &[u8] {
        match chunk {
            [LF | NUL, rest @ ..] => rest,
            _ => chunk,
        }
    }

    /// Whether the next byte begins a new line, so that the codec owns no memory.
    pub fn is_idle(&self) -> bool {
        self.tail.is_empty() && self.discarding.is_none()
    }

    /// Whether the unfinished line is too long already, and thrown away as it comes.
    pub fn is_discarding(&self) -> bool {
        self.discarding.is_some()
    }

    /// Bytes of memory that the unfinished line occupies.
    pub fn held_bytes(&self) -> usize {
        self.tail.capacity()
    }

    /// Takes back the last character of the unfinished line, if there is one.
    ///
    /// A line already known to be too long stays so: its characters are no longer there to count.
    pub fn erase_char(&mut self) {
        // The shortest end that is UTF-8 is the last character. Of bytes that are not UTF-8 one
        // goes, so that a person can always get back to an empty line.
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

    /// Takes back the whole unfinished line, also one that was too long.
    pub fn erase_line(&mut self) {
        self.forget_tail();
        self.discarding = None;
    }

    fn forget_tail(&mut self) {
        self.tail.zeroize();
        self.tail = Vec::new();
    }

    /// Where in `chunk` the LF or NUL is that ends the unfinished line.
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

    /// Adds to the unfinished line, or gives it up once it is certainly too long.
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
            // Doubling keeps a dripping line cheap; the cap keeps memory to what a line can need.
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

/// The connection ends in the middle of a line.
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

    /// Writes bytes that are whole lines already.
    fn encode(&mut self, lines: Bytes, dst: &mut BytesMut) -> io::Result<()> {
        dst.extend_from_slice(&lines);
        Ok(())
    }
}

// A hundred thousand idle connections hold one each.
const _: () = assert!(size_of::<LineCodec>() <= 48);
