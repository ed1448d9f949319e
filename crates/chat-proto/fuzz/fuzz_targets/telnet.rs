#![no_main]

use chat_server::conn::telnet::Telnet;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&cut, stream)) = data.split_first() else { return };
    let (before, after) = stream.split_at(usize::from(cut).min(stream.len()));
    let mut telnet = Telnet::new();
    let mut signals = 0;
    telnet.feed(before, &mut |_| signals += 1);
    telnet.feed(after, &mut |_| signals += 1);
    // Each byte may end some text and be a signal itself; more would be a loop.
    assert!(signals <= 2 * stream.len(), "{signals} signals out of {} bytes", stream.len());
});
