//! Every scenario works. Speed isn't tested.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

fn bench(args: &[&str], data: &Path) -> String {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_chat-bench"));
    bench.args(args).arg("--smoke").arg("--data").arg(data);
    let output = bench.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a scenario with each of these servers; its table has `rows` rows.
fn smoke(scenario: &str, servers: &[&str], rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    for server in servers {
        let table = bench(&[scenario, "--server", server], folder.path());
        let found = table.lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(found, rows + 1, "{scenario} {server}:\n{table}");
    }
}

const OURS: &[&str] = &["chat", "chat-json"];
const ALL: &[&str] = &["chat", "chat-json", "floor", "floor-batch"];

#[test]
fn connect() {
    smoke("connect", ALL, 1);
}

#[test]
fn idle() {
    smoke("idle", ALL, 2);
}

#[test]
fn fanout() {
    smoke("fanout", ALL, 2);
}

#[test]
fn rooms() {
    smoke("rooms", OURS, 2);
    smoke("rooms", &["floor", "floor-batch"], 1);
}

#[test]
fn pingpong() {
    smoke("pingpong", ALL, 1);
}

#[test]
fn slow() {
    smoke("slow", ALL, 2);
}

#[test]
fn storm() {
    smoke("storm", ALL, 1);
}

#[test]
fn mixed() {
    smoke("mixed", OURS, 1);
}

#[test]
fn login() {
    smoke("login", OURS, 1);
}

#[test]
fn passwords() {
    smoke("passwords", OURS, 2);
}

#[test]
fn replay() {
    smoke("replay", OURS, 1);
}

#[test]
fn durable() {
    smoke("durable", &["chat-json"], 5);
}

#[test]
fn history() {
    smoke("history", &["chat-json"], 12);
}

#[test]
fn sessions_are_simulated_over_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["million", "--sessions", "1300", "--room", "200", "--movers", "20"];
    let received = bench(&args, folder.path());
    assert!(received.contains("a line to the room of 200, until the last has it"), "{received}");
    let received = bench(&["contention", "--threads", "1,2", "--seconds", "0.05"], folder.path());
    assert_eq!(received.lines().count(), 7, "{received}");
}

#[test]
fn json_has_what_the_table_has() {
    let folder = tempfile::tempdir().unwrap();
    let received = bench(&["fanout", "--server", "chat,floor-batch", "--json"], folder.path());
    let outcomes: serde_json::Value = serde_json::from_str(&received).unwrap();
    let of = |server: &str| {
        let all = outcomes.as_array().unwrap().iter();
        all.filter(|outcome| outcome["server"] == server).count()
    };
    assert_eq!((of("chat"), of("floor-batch")), (2, 2), "{received}");
    assert_eq!(outcomes[0]["figures"]["lost"], 0.0, "{received}");
}

#[test]
fn no_delivery_is_lost_and_no_client_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    for scenario in ["rooms", "mixed", "login"] {
        let received = bench(&[scenario, "--server", "chat,chat-json", "--json"], folder.path());
        let outcomes: serde_json::Value = serde_json::from_str(&received).unwrap();
        for outcome in outcomes.as_array().unwrap() {
            let figures = &outcome["figures"];
            assert_eq!(figures["lost"], 0.0, "{scenario}: {outcome}");
            assert!(figures["dropped"].as_f64().unwrap_or(0.0) < 1.0, "{scenario}: {outcome}");
        }
    }
}

#[test]
fn a_report_has_a_page_with_tables_and_plots() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let shown = page.to_str().unwrap();
    let only = "fanout,load,idle";
    let servers = "chat,floor,floor-batch";
    bench(&["report", "--page", shown, "--only", only, "--server", servers], folder.path());
    let text = std::fs::read_to_string(&page).unwrap();
    for title in ["### fanout", "### load", "### idle", "| floor-batch |"] {
        assert!(text.contains(title), "no {title} in:\n{text}");
    }
    for plot in ["latency", "cost", "memory"] {
        let svg = std::fs::read_to_string(folder.path().join(format!("page/{plot}.svg"))).unwrap();
        assert!(text.contains(&format!("(page/{plot}.svg)")), "{text}");
        assert!(svg.starts_with("<svg") && svg.contains("chat-server"), "{svg}");
    }
    let results = folder.path().join("results.json");
    let again = folder.path().join("again.md");
    let (results, again) = (results.to_str().unwrap(), again.to_str().unwrap());
    bench(&["report", "--page", again, "--from", results], folder.path());
    let again = std::fs::read_to_string(again).unwrap();
    assert_eq!(again.replace("(again/", "(page/"), text, "the same results make the same page");
}
