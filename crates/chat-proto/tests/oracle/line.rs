//! The contract of the line codec, as a simple reference implementation, for tests and the fuzzer.

#![allow(clippy::expect_used, reason = "a test may panic")]

use bytes::BytesMut;
use chat_proto::limits::MAX_LINE_BYTES;
use chat_proto::line::{LineCodec, LineItem};
use tokio_util::codec::Decoder as _;

/// Feeds `data` in pieces; its first byte determines the cuts.
///
/// `~` stands for a thousand letters, so that short inputs reach the limit.
pub(crate) fn check(data: &[u8]) {
    let Some((&seed, short)) = data.split_first() else { return };
    let mut stream = Vec::new();
    for &byte in short {
        match byte {
            b'~' => stream.resize(stream.len() + 1000, b'x'),
            byte => stream.push(byte),
        }
    }
    check_cuts(&stream, &cuts(seed, stream.len()));
}

/// The items don't depend on the cuts.
pub(crate) fn check_cuts(stream: &[u8], cuts: &[usize]) {
    let expected = items_of(stream);
    assert_eq!(fed(stream, cuts), expected, "feed");
    assert_eq!(decoded(stream, cuts), expected, "Decoder");
}

/// The items of a complete stream.
pub(crate) fn items_of(stream: &[u8]) -> Vec<LineItem> {
    let mut items = Vec::new();
    let mut line = Vec::new();
    for &byte in stream {
        if byte == b'\n' || (byte == 0 && line.last() == Some(&b'\r')) {
            items.extend(item_of(std::mem::take(&mut line)));
        } else {
            line.push(byte);
        }
    }
    items.extend(item_of(line));
    items
}

fn item_of(mut line: Vec<u8>) -> Option<LineItem> {
    line.pop_if(|last| *last == b'\r');
    if line.is_empty() {
        return None;
    }
    if line.len() > MAX_LINE_BYTES {
        return Some(LineItem::TooLong { over: (line.len() - MAX_LINE_BYTES) as u64 });
    }
    Some(String::from_utf8(line).map_or(LineItem::NotUtf8, LineItem::Line))
}

/// The pieces between the cuts.
fn pieces<'a>(stream: &'a [u8], cuts: &[usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    bounds.extend([0, stream.len()]);
    bounds.sort_unstable();
    (1..bounds.len()).map(move |end| &stream[bounds[end - 1]..bounds[end]])
}

/// 0 cuts nowhere, 1 everywhere, other seeds at random.
fn cuts(seed: u8, len: usize) -> Vec<usize> {
    let mut state = u32::from(seed);
    match seed {
        0 => Vec::new(),
        1 => (0..len).collect(),
        _ => (0..seed % 64)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as usize
            })
            .collect(),
    }
}

fn fed(stream: &[u8], cuts: &[usize]) -> Vec<LineItem> {
    let mut codec = LineCodec::new();
    let mut items = Vec::new();
    for mut piece in pieces(stream, cuts) {
        while let Some(item) = codec.feed(&mut piece) {
            items.push(item);
            assert_holds_little(&codec);
        }
        assert!(piece.is_empty(), "bytes left over");
        assert_holds_little(&codec);
    }
    items.extend(codec.finish());
    assert!(codec.is_idle());
    assert_holds_little(&codec);
    assert_eq!(codec.finish(), None, "the end was told twice");
    items
}

fn decoded(stream: &[u8], cuts: &[usize]) -> Vec<LineItem> {
    let mut codec = LineCodec::new();
    let mut items = Vec::new();
    let mut buffer = BytesMut::new();
    for piece in pieces(stream, cuts) {
        buffer.extend_from_slice(piece);
        while let Some(item) = codec.decode(&mut buffer).expect("decoding never fails") {
            items.push(item);
        }
        assert!(buffer.is_empty(), "bytes left over");
    }
    while let Some(item) = codec.decode_eof(&mut buffer).expect("decoding never fails") {
        items.push(item);
    }
    items
}

/// One line and its CR at most; nothing between lines.
fn assert_holds_little(codec: &LineCodec) {
    assert!(codec.held_bytes() <= MAX_LINE_BYTES + 2, "{} bytes held", codec.held_bytes());
    assert!(!codec.is_idle() || codec.held_bytes() == 0, "an idle codec owns memory");
}
