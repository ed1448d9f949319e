//! The real server is killed repeatedly, while a user types and another one writes.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::gate::Gate;
use super::store::{Store, Talker};
use super::terminal::Terminal;

const KILLS: usize = 10;
/// Messages of bob around each kill: more than `/enter` replays.
const TALK: usize = 30;

/// For each request bob sends a message to the channel and one to alice, and reports that he has.
fn talks(mut bob: Talker, asked: &Receiver<()>, done: &SyncSender<()>) -> Talker {
    let mut said = 0;
    while asked.recv().is_ok() {
        bob.says(&format!("c{said}"), "#general", &format!("bob-{said}."));
        bob.says(&format!("p{said}"), "@alice", &format!("hey-{said}."));
        said += 1;
        done.send(()).unwrap();
    }
    bob
}

/// The rows of one conversation, as `name: text`.
fn shown_in(place: &str, rows: &[String]) -> Vec<String> {
    let sign = format!("[{place}] ");
    rows.iter().filter_map(|row| row.split_once(&sign)).map(|(_, said)| said.to_owned()).collect()
}

fn said_by(who: &str, beginning: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{who}: {beginning}-{n}.")).collect()
}

fn only(who: &str, lines: &[String]) -> Vec<String> {
    let by_them = |line: &&String| {
        line.starts_with(&format!("{who}: ")) || line.starts_with(&format!("* {who} "))
    };
    lines.iter().filter(by_them).cloned().collect()
}

#[test]
fn ten_kills_lose_and_duplicate_nothing() {
    let mut store = Store::start();
    let gate = Gate::before(store.address());
    let arguments = ["-c", gate.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut alice = Terminal::start(&arguments);
    alice.shows_last("#general>");
    let mut carol = store.talker("carol");
    let bob = store.talker("bob");
    let (ask, asked) = sync_channel(2 * TALK);
    let (done, has_said) = sync_channel(2 * TALK);
    let bob = thread::spawn(move || talks(bob, &asked, &done));

    // The private chat begins before the first kill: after a reconnection a client requests missed
    // messages only of the private chats that it knows.
    ask.send(()).unwrap();
    has_said.recv().unwrap();
    alice.writes("[@bob] bob: hey-0.");

    let (mut typed, mut whispered, mut said) = (0, 0, 1);
    let mut actions = Vec::new();
    for kill in 0..KILLS {
        alice.presses(&format!("alice-{typed}.\r"));
        alice.writes(&format!("[#general] alice: alice-{typed}."));
        typed += 1;
        let lost_answer = kill % 2 == 0;
        if lost_answer {
            gate.shut();
            // Every second time an action, which has no key.
            let is_action = kill % 4 == 0;
            if is_action {
                actions.push(typed);
            }
            alice.presses(&format!("{}alice-{typed}.\r", if is_action { "/me " } else { "" }));
            carol.hears("alice", &format!("alice-{typed}."));
            typed += 1;
        }
        for _ in 0..TALK {
            ask.send(()).unwrap();
        }
        said += TALK;
        // With a lost answer, alice misses all of bob's messages; otherwise the kill comes in the
        // middle of them.
        for _ in 0..if lost_answer { TALK } else { 2 } {
            has_said.recv().unwrap();
        }
        for _ in 0..3 {
            alice.presses(&format!("alice-{typed}.\r/msg bob psst-{whispered}.\r"));
            typed += 1;
            whispered += 1;
        }
        store.kill();
        alice.shows("that it is offline", |rows| {
            rows.last().is_some_and(|last| last.starts_with("(offline)"))
        });
        gate.open();
        alice.presses(&format!("alice-{typed}.\r"));
        store.start_again();
        // Bob comes back too.
        ask.send(()).unwrap();
        said += 1;
        // The backoff grows with the number of losses; an empty line reconnects at once.
        alice.presses("\r");
        alice.writes(&format!("[#general] alice: alice-{typed}."));
        typed += 1;
        for _ in 0..if lost_answer { 1 } else { TALK - 1 } {
            has_said.recv().unwrap();
        }
    }
    drop(ask);
    let mut bob = bob.join().unwrap();
    alice.writes(&format!("[@bob] bob: hey-{}.", said - 1));
    alice.presses("that is all\r");
    alice.writes("[#general] alice: that is all");
    let rows = alice.all_rows();

    let kept = bob.history("#general");
    assert_eq!(shown_in("#general", &rows), kept, "shown once each, in the order of all");
    let mut expected = said_by("alice", "alice", typed);
    for n in actions {
        expected[n] = format!("* alice alice-{n}.");
    }
    expected.push("alice: that is all".into());
    assert_eq!(only("alice", &kept), expected, "kept once each, in the order typed");
    assert_eq!(only("bob", &kept), said_by("bob", "bob", said));

    let kept = bob.history("@alice");
    assert_eq!(shown_in("@bob", &rows), kept, "and so privately");
    assert_eq!(only("alice", &kept), said_by("alice", "psst", whispered));
    assert_eq!(only("bob", &kept), said_by("bob", "hey", said));
}
