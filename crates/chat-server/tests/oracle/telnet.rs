//! Invariants of the telnet parser for any input, for tests and the fuzzer.

use chat_server::conn::telnet::{Signal, Telnet};

/// The first byte is the position at which the stream is split.
pub(crate) fn check(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let cut = usize::from(cut).min(stream.len());
    let whole = fed([stream, &[]]);
    assert_eq!(fed([&stream[..cut], &stream[cut..]]), whole, "a cut at {cut} shows");
    // Each byte may end some text and be a signal itself; more would be a loop.
    assert!(whole.len() <= 2 * stream.len(), "{} signals of {} bytes", whole.len(), stream.len());
    let replies = whole.iter().filter(|seen| matches!(seen, Seen::Reply(_))).count();
    assert!(3 * replies <= stream.len(), "{replies} replies to {} bytes", stream.len());
    if !stream.contains(&255) {
        assert!(replies == 0 && !whole.contains(&Seen::Other), "telnet sent to one who has none");
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Data(Vec<u8>),
    Reply([u8; 3]),
    Other,
}

/// The signals of the parts. Data is joined, so that splits don't show.
fn fed(parts: [&[u8]; 2]) -> Vec<Seen> {
    let mut telnet = Telnet::new();
    let mut seen = Vec::new();
    for part in parts {
        telnet.feed(part, &mut |signal| match (signal, seen.last_mut()) {
            (Signal::Data(data), Some(Seen::Data(before))) => before.extend_from_slice(data),
            (Signal::Data(data), _) => seen.push(Seen::Data(data.to_vec())),
            (Signal::Reply(reply), _) => {
                assert!(reply[0] == 255 && [252, 254].contains(&reply[1]), "more than refused");
                seen.push(Seen::Reply(reply));
            }
            _ => seen.push(Seen::Other),
        });
    }
    seen
}
