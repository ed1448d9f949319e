//! Every scenario works. How fast it is, is no matter of a test.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::process::Command;

fn smoke(scenario: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_chat-bench"));
    bench.args([scenario, "--smoke", "--data"]).arg(folder.path());
    let output = bench.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn durable() {
    let report = smoke("durable");
    assert_eq!(report.matches("lines/s").count(), 3, "{report}");
    assert_eq!(report.matches("a bare commit").count(), 2, "{report}");
}

#[test]
fn history() {
    let report = smoke("history");
    assert_eq!(report.matches("/search").count(), 9, "{report}");
    assert!(report.contains("| /enter after, 20 lines |"), "{report}");
}
