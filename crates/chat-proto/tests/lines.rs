//! Splitting bytes into lines, independent of the chunks.

use bytes::{Bytes, BytesMut};
use chat_proto::limits::MAX_LINE_BYTES;
use chat_proto::line::{LineCodec, LineItem};
use proptest::prelude::*;
use tokio_util::codec::Encoder as _;

#[path = "oracle/line.rs"]
mod oracle;

fn items(stream: &[u8]) -> Vec<LineItem> {
    let mut codec = LineCodec::new();
    let mut rest = stream;
    let mut items: Vec<_> = std::iter::from_fn(|| codec.feed(&mut rest)).collect();
    items.extend(codec.finish());
    items
}

fn line(text: &str) -> LineItem {
    LineItem::Line(text.to_owned())
}

#[test]
fn a_line_ends_with_lf_cr_lf_or_cr_nul() {
    let table: &[(&[u8], &[LineItem])] = &[
        (b"", &[]),
        (b"a\nb\n", &[line("a"), line("b")]),
        (b"a\r\nb\r\n", &[line("a"), line("b")]),
        (b"a\r\0b\r\0", &[line("a"), line("b")]),
        // Exactly one CR belongs to the ending; the rest is content.
        (b"a\r\r\n", &[line("a\r")]),
        (b"a\r\r\0", &[line("a\r")]),
        (b"a\rb\n", &[line("a\rb")]),
        (b"a\n\rb\n", &[line("a"), line("\rb")]),
        // A NUL without a CR is content, also after an ending.
        (b"a\0b\n", &[line("a\0b")]),
        (b"\0\n", &[line("\0")]),
        (b"a\r\n\0b\n", &[line("a"), line("\0b")]),
        (b"a\r\0\0b\n", &[line("a"), line("\0b")]),
        // Empty lines yield nothing.
        (b"\n\r\n\r\0\n", &[]),
        (b"a\r\0\nb\n", &[line("a"), line("b")]),
        (b"\r\r\n", &[line("\r")]),
        // The end of the input ends a line.
        (b"a", &[line("a")]),
        (b"a\r", &[line("a")]),
        (b"\r", &[]),
        (b"\0", &[line("\0")]),
        // Invalid UTF-8 affects only its own line.
        (b"\xFF\nb\n", &[LineItem::NotUtf8, line("b")]),
        (b"caf\xC3\nb", &[LineItem::NotUtf8, line("b")]),
        ("grüße\n\u{feff}\n".as_bytes(), &[line("grüße"), line("\u{feff}")]),
    ];
    for (stream, expected) in table {
        assert_eq!(items(stream), *expected, "{:?}", stream.escape_ascii().to_string());
    }
}

#[test]
fn a_line_at_the_limit_is_accepted_and_the_excess_of_a_longer_one_reported() {
    for ending in [&b"\n"[..], b"\r\n", b"\r\0", b"\r", b""] {
        for (content, over) in [(4095, 0), (4096, 0), (4097, 1), (4098, 2), (9000, 4904)] {
            let mut stream = vec![b'x'; content];
            stream.extend_from_slice(ending);
            let expected =
                if over == 0 { line(&"x".repeat(content)) } else { LineItem::TooLong { over } };
            let mut followed = vec![expected];
            if ending.len() == 2 || ending == b"\n" {
                stream.extend_from_slice(b"next\n");
                followed.push(line("next"));
            }
            // Cut once or twice anywhere near the limit, the ending and the next line.
            let near = content.saturating_sub(2)..stream.len();
            let cuts: Vec<usize> = (4094..4101).chain(near).collect();
            assert_eq!(oracle::items_of(&stream), followed, "{content} and {ending:?}");
            for &first in &cuts {
                for &second in &cuts {
                    oracle::check_cuts(&stream, &[first, second]);
                }
            }
        }
    }
}

#[test]
fn a_line_that_is_both_too_long_and_not_utf8_is_too_long() {
    assert_eq!(items(&vec![0xFF; MAX_LINE_BYTES + 1]), [LineItem::TooLong { over: 1 }]);
    assert_eq!(items(&vec![0xFF; MAX_LINE_BYTES]), [LineItem::NotUtf8]);
}

#[test]
fn an_endless_line_takes_no_memory_and_the_next_one_is_read() {
    for byte in [b'x', b'\r', 0] {
        for chunk_len in [1, 3, 4096, 5000, 1 << 20] {
            let chunk = vec![byte; chunk_len];
            let chunks = (2 << 20) / chunk_len;
            let mut codec = LineCodec::new();
            for _ in 0..chunks {
                assert_eq!(codec.feed(&mut &chunk[..]), None);
                assert!(codec.held_bytes() <= MAX_LINE_BYTES + 2);
            }
            assert_eq!(codec.held_bytes(), 0, "a line given up is still held");
            assert!(!codec.is_idle());
            let over = (chunks * chunk_len - MAX_LINE_BYTES - usize::from(byte == b'\r')) as u64;
            let mut rest = &b"\nnext\n"[..];
            assert_eq!(codec.feed(&mut rest), Some(LineItem::TooLong { over }));
            assert_eq!(codec.feed(&mut rest), Some(line("next")));
            assert!(codec.is_idle());
        }
    }
}

#[test]
fn an_idle_codec_owns_no_memory() {
    let mut codec = LineCodec::new();
    assert!(codec.is_idle() && codec.held_bytes() == 0);
    assert_eq!(codec.feed(&mut &b"hal"[..]), None);
    assert!(!codec.is_idle() && codec.held_bytes() > 0);
    assert_eq!(codec.feed(&mut &b"lo\n"[..]), Some(line("hallo")));
    assert!(codec.is_idle() && codec.held_bytes() == 0);
    // An empty line in two chunks.
    assert_eq!(codec.feed(&mut &b"\r"[..]), None);
    assert_eq!(codec.feed(&mut &b"\n"[..]), None);
    assert!(codec.is_idle() && codec.held_bytes() == 0);
}

#[test]
fn typed_characters_can_be_erased() {
    let table: &[(&[u8], usize, &[LineItem])] = &[
        (b"helo", 1, &[line("hel!")]),
        ("grü".as_bytes(), 1, &[line("gr!")]),
        ("a\u{1F600}".as_bytes(), 1, &[line("a!")]),
        (b"ab", 9, &[line("!")]),
        (b"done\nab", 9, &[line("done"), line("!")]),
        // Invalid bytes are erased one at a time, without a valid character.
        (b"a\xFF", 1, &[line("a!")]),
        (b"a\x80\x80", 2, &[line("a!")]),
        (b"a\xC3", 1, &[line("a!")]),
    ];
    for (stream, erasures, expected) in table {
        let mut codec = LineCodec::new();
        let mut rest = *stream;
        let mut items: Vec<_> = std::iter::from_fn(|| codec.feed(&mut rest)).collect();
        for _ in 0..*erasures {
            codec.erase_char();
        }
        assert!(!codec.is_idle() || codec.held_bytes() == 0);
        items.extend(codec.feed(&mut &b"!\n"[..]));
        assert_eq!(items, *expected, "{:?}", stream.escape_ascii().to_string());
    }
}

#[test]
fn a_too_long_line_stays_so_until_it_is_erased_whole() {
    let long = vec![b'x'; MAX_LINE_BYTES + 3];
    let mut codec = LineCodec::new();
    assert_eq!(codec.feed(&mut &long[..]), None);
    (0..9).for_each(|_| codec.erase_char());
    assert_eq!(codec.feed(&mut &b"\n"[..]), Some(LineItem::TooLong { over: 3 }));

    assert_eq!(codec.feed(&mut &long[..]), None);
    codec.erase_line();
    assert!(codec.is_idle());
    assert_eq!(codec.feed(&mut &b"short\n"[..]), Some(line("short")));

    assert_eq!(codec.feed(&mut &b"typo"[..]), None);
    codec.erase_line();
    assert!(codec.is_idle() && codec.held_bytes() == 0);
}

#[test]
fn output_is_written_as_it_is() {
    let mut out = BytesMut::from("a\r\n");
    LineCodec::new().encode(Bytes::from_static(b"b\nc"), &mut out).unwrap();
    assert_eq!(out, "a\r\nb\nc");
}

const BITS: &[&[u8]] = &[b"\n", b"\r", b"\0", b"\r\n", b"\r\0", b"a", b"\xC3", b"\xFF"];

/// Streams in which endings, near-endings and the limit are common.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(BITS).prop_map(<[u8]>::to_vec),
        2 => ".{0,6}".prop_map(String::into_bytes),
        1 => (4090..4100_usize).prop_map(|len| vec![b'x'; len]),
        1 => (0..3000_usize).prop_map(|len| vec![b'y'; len]),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
enum Key {
    Char(char),
    EraseChar,
    EraseLine,
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        5 => prop::sample::select(&['a', 'é', '€', '\u{1F600}', '\r', '\n']).prop_map(Key::Char),
        2 => Just(Key::EraseChar),
        1 => Just(Key::EraseLine),
    ]
}

proptest! {
    #[test]
    fn lines_are_independent_of_the_cuts(
        stream in stream(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        oracle::check_cuts(&stream, &cuts);
        if stream.len() < 2000 {
            oracle::check_cuts(&stream, &(0..stream.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_bytes_are_decoded(
        stream in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        oracle::check_cuts(&stream, &cuts);
        oracle::check(&stream);
    }

    #[test]
    fn typing_and_erasing_agree_with_a_model(
        keys in prop::collection::vec(key(), 0..60),
    ) {
        let mut codec = LineCodec::new();
        let mut items = Vec::new();
        let (mut typed, mut expected) = (String::new(), Vec::new());
        for key in keys.into_iter().chain([Key::Char('\n')]) {
            match key {
                Key::Char(c) => {
                    items.extend(codec.feed(&mut c.to_string().as_bytes()));
                    typed.push(c);
                }
                Key::EraseChar => {
                    codec.erase_char();
                    typed.pop();
                }
                Key::EraseLine => {
                    codec.erase_line();
                    typed.clear();
                }
            }
            if typed.ends_with('\n') {
                expected.append(&mut oracle::items_of(typed.as_bytes()));
                typed.clear();
            }
            prop_assert_eq!(codec.is_idle(), typed.is_empty());
            prop_assert_eq!(codec.held_bytes() == 0, typed.is_empty());
        }
        prop_assert_eq!(items, expected);
    }
}
