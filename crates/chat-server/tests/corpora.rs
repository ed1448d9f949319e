//! The fuzzer's seeds, and inputs that it once found, as plain tests.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::fs;
use std::path::Path;

#[path = "oracle/telnet.rs"]
mod oracle;

#[test]
fn telnet() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chat-proto/fuzz/corpus/telnet");
    let mut seeds = 0;
    for seed in fs::read_dir(corpus).unwrap() {
        let path = seed.unwrap().path();
        println!("{}", path.display());
        let data = fs::read(&path).unwrap();
        // With every possible split, in addition to its own.
        for cut in 0..=u8::try_from(data.len()).unwrap() {
            let mut data = data.clone();
            if let Some(first) = data.first_mut() {
                *first = cut;
            }
            oracle::check(&data);
        }
        oracle::check(&data);
        seeds += 1;
    }
    assert!(seeds >= 12, "{seeds} seeds");
}
