//! The fuzzer's seeds, and inputs that it once found, as plain tests.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::fs;
use std::path::Path;

#[path = "oracle/command.rs"]
mod command;
#[path = "oracle/line.rs"]
mod line;

/// Runs a check on every file of a corpus; the name of a failing file is printed.
fn each_seed(target: &str, check: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut seeds = 0;
    for seed in fs::read_dir(corpus).unwrap() {
        let path = seed.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        seeds += 1;
    }
    assert!(seeds >= 12, "{seeds} seeds of {target}");
}

#[test]
fn lines() {
    each_seed("line", line::check);
}

#[test]
fn commands() {
    each_seed("command", command::check);
}
