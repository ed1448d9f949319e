//! Messages after a restart; history and search.

use std::fs;
use std::path::{Path, PathBuf};

use chat_server::store::{Durability, NewLine, Store, StoreLocation, WriteOp};
use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer};
use serde_json::Value;
use socket2::SockRef;
use tempfile::TempDir;
use tokio::net::TcpStream;

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// A server on a directory that outlives the process.
struct Kept {
    folder: TempDir,
    setup: ServerSetup,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
        Self { folder, setup }
    }

    fn with(config: &str) -> Self {
        let kept = Self::new();
        Self { setup: kept.setup.config(config), ..kept }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The next server, on the same address.
    async fn again(&self, before: &TestServer) -> TestServer {
        self.setup.clone().listening_at(before.address()).start().await
    }

    /// Messages from before the first start, a number of days old, in the channel of this number.
    fn past(&self, number: u32, name: &str, lines: &[(i64, &str)]) {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let now = i64::try_from(now).unwrap();
        let store =
            Store::open(&StoreLocation::Directory(self.data()), Durability::Machine).unwrap();
        let (mut book, _) = store.into_parts();
        let key = format!("#{name}");
        let channel = WriteOp::Channel { number, name: &key, shown: name, topic: None, open: true };
        let mut entries = vec![channel];
        for (id, (days, text)) in (1..).zip(lines) {
            let time = now - days * DAY_MILLIS;
            let author = "past";
            entries.push(WriteOp::Line(NewLine {
                number,
                id,
                time,
                author,
                text,
                ..NewLine::default()
            }));
        }
        book.commit(&entries).unwrap();
    }
}

fn ok(output: (Vec<Value>, Value)) -> (Vec<Value>, Value) {
    assert_eq!(output.1["type"], "ok", "{}", output.1);
    output
}

fn code(output: &(Vec<Value>, Value)) -> &str {
    output.1["code"].as_str().unwrap_or_else(|| panic!("no refusal: {}", output.1))
}

/// Queries history. Returns the messages alone.
async fn past(client: &mut TestClient, line: &str) -> Vec<Value> {
    let (mut rows, _) = ok(client.ask_json(line).await);
    rows.retain(|row| row["past"] == true);
    rows
}

async fn past_texts(client: &mut TestClient, line: &str) -> Vec<String> {
    texts(&past(client, line).await)
}

fn texts(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

fn ids(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

async fn say(client: &mut TestClient, line: &str) -> u64 {
    ok(client.ask_json(line).await).1["id"].as_u64().unwrap()
}

async fn say_many(client: &mut TestClient, channel: &str, count: u64) {
    let lines: String = (1..=count).map(|n| format!("/say {channel} {n}\n")).collect();
    client.send_raw(lines.as_bytes()).await;
    for _ in 1..=count {
        ok(client.answer_json().await);
    }
}

async fn quit(mut client: TestClient) {
    client.send("/quit").await;
    client.read_to_end().await;
}

fn no_faults(data: &Path) {
    assert_eq!(Store::open_to_read(data).unwrap().faults().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_channel_its_topic_and_its_messages_survive_a_restart() {
    let kept = Kept::new();
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("Alice", ClientFormat::Json).await;
    ok(alice.ask_json("/create Dev First").await);
    assert_eq!(say(&mut alice, "one").await, 1);
    assert_eq!(say(&mut alice, "/me does two").await, 2);
    ok(alice.ask_json("/topic Set").await);
    assert_eq!(say(&mut alice, "größer als 東京 😀").await, 3);
    ok(alice.ask_json("/create quiet Nothing said").await);
    assert!(server.terminate().await.success());

    let mut server = kept.again(&server).await;
    let mut alice = server.person_in("Alice", ClientFormat::Json).await;
    let (_, entered) = ok(alice.ask_json("/enter dev").await);
    assert_eq!((&entered["topic"], entered["last"].as_u64()), (&"Set".into(), Some(3)));
    assert_eq!(say(&mut alice, "four").await, 4);
    ok(alice.ask_json("/topic Set anew").await);
    server.kill().await;

    let server = kept.again(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    let (rows, entered) = ok(bob.ask_json("/enter dev after 0").await);
    let rows = lines_of(&rows);
    assert_eq!((&entered["topic"], &entered["channel"]), (&"Set anew".into(), &"#Dev".into()));
    let rows = lines_of(&rows);
    assert_eq!(texts(&rows), ["one", "does two", "größer als 東京 😀", "four"]);
    assert_eq!(ids(&rows), [1, 2, 3, 4]);
    assert_eq!(rows[1]["action"], true);
    assert!(rows.iter().all(|row| row["from"] == "Alice" && row["past"] == true));
    let (_, entered) = ok(bob.ask_json("/enter quiet").await);
    assert_eq!(entered["topic"], "Nothing said");
    assert_eq!(say(&mut bob, "/say #dev five").await, 5);
    no_faults(&kept.data());
}

#[tokio::test]
async fn entering_after_an_id_is_exact_under_traffic() {
    let kept = Kept::new();
    let lines = vec![(0, "past"); 5000];
    kept.past(1, "general", &lines);
    let server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    ok(alice.ask_json("/enter general").await);
    for after in [0, 17, 4999, 5000] {
        let mut bob = server.person_in("bob", ClientFormat::Json).await;
        let (_, before) = ok(alice.ask_json("/history general 1").await);
        assert_eq!(before["count"], 1);
        // More than the ring holds, during the replay.
        let more = 3000;
        let ((), mut heard) = tokio::join!(say_many(&mut alice, "#general", more), async {
            let (rows, entered) = ok(bob.ask_json(&format!("/enter general after {after}")).await);
            let last = entered["last"].as_u64().unwrap();
            let mut heard = ids(&lines_of(&rows));
            assert!(heard.len() as u64 >= last - after, "{} of {}", heard.len(), last - after);
            bob.send("/ping entered").await;
            let (rows, _) = bob.answer_json().await;
            heard.extend(rows.iter().flat_map(heard_of));
            heard
        });
        let end = say(&mut alice, "the end").await;
        while heard.last() != Some(&end) {
            let output = bob.json().await;
            heard.extend(heard_of(&output));
        }
        assert_eq!(heard, (after + 1..=end).collect::<Vec<_>>(), "after {after}");
        // The same once more, as a member.
        let (rows, _) = ok(bob.ask_json(&format!("/enter general after {}", end - 2)).await);
        assert_eq!(ids(&lines_of(&rows)), [end - 1, end]);
        assert_eq!(code(&bob.ask_json("/enter general after 999999").await), "bad-argument");
        quit(bob).await;
        alice.settle().await;
    }
    no_faults(&kept.data());
}

/// The ids of messages received, or reported as missed to a slow reader.
fn heard_of(row: &Value) -> Vec<u64> {
    let number = |key: &str| row[key].as_u64().unwrap();
    match row["type"].as_str() {
        Some("message") => vec![number("id")],
        Some("missed") => (number("after") + 1..=number("after") + number("count")).collect(),
        _ => Vec::new(),
    }
}

fn lines_of(rows: &[Value]) -> Vec<Value> {
    rows.iter().filter(|row| row["type"] == "message").cloned().collect()
}

#[tokio::test]
async fn history_is_read_in_any_range_and_replayed_on_entry() {
    let kept = Kept::new();
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    ok(alice.ask_json("/create general").await);
    say_many(&mut alice, "#general", 700).await;
    server.kill().await;
    let server = kept.again(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    let range = |from: u64, to: u64| (from..=to).collect::<Vec<_>>();
    assert_eq!(ids(&past(&mut bob, "/enter general").await), range(681, 700));
    for (line, found) in [
        ("/history", range(681, 700)),
        ("/history general 5", range(696, 700)),
        ("/history 5", range(696, 700)),
        ("/history before 100", range(80, 99)),
        ("/history 3 before 100", range(97, 99)),
        ("/history before 4", range(1, 3)),
        ("/history before 1", vec![]),
        ("/history 3 before 99999", range(698, 700)),
        ("/history after 600", range(601, 700)),
        ("/history after 600 4", range(601, 604)),
        ("/history after 0", range(1, 700)),
        ("/history after 700", vec![]),
        ("/history 10000", range(1, 700)),
    ] {
        let (rows, answer) = ok(bob.ask_json(line).await);
        assert_eq!(ids(&rows), found, "{line}");
        assert_eq!(answer["count"].as_u64(), Some(found.len() as u64), "{line}");
    }
    assert_eq!(code(&bob.ask_json("/history after 701").await), "bad-argument");
    // In the text format, with the date.
    let mut carol = server.person("carol").await;
    let output = carol.ask("/enter general").await;
    assert_eq!(output[0], "* You entered #general (2 here).");
    assert_eq!(output.len(), 21, "{output:#?}");
    assert!(
        output[1].starts_with("[#general 20") && output[1].ends_with("] alice: 681"),
        "{}",
        output[1]
    );
    assert!(carol.ask("/history 3 before 10").await.iter().any(|line| line.ends_with("alice: 9")));
    // Non-members receive nothing.
    let mut dave = server.person_in("dave", ClientFormat::Json).await;
    assert_eq!(code(&dave.ask_json("/history general").await), "not-in-channel");
}

#[tokio::test]
async fn as_many_lines_are_replayed_as_the_settings_say() {
    for lines in [0, 3] {
        let kept = Kept::with(&format!("[history]\nreplay_lines = {lines}"));
        let server = kept.setup.start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        ok(alice.ask_json("/create general").await);
        say_many(&mut alice, "#general", 30).await;
        let mut bob = server.person_in("bob", ClientFormat::Json).await;
        let output = past(&mut bob, "/enter general").await;
        assert_eq!(ids(&output), (31 - lines..=30).collect::<Vec<_>>());
        assert_eq!(past(&mut bob, "/enter general after 5").await.len(), 25);
    }
}

#[tokio::test]
async fn messages_expire_by_the_limit_of_their_channel() {
    let config = "[history]\nkeep_lines = 10\n[history.channels.\"#dev\"]\nkeep_lines = 25\n\
                  [history.channels.\"#all\"]\nkeep_lines = 0";
    let kept = Kept::with(config);
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    for channel in ["general", "dev", "all"] {
        ok(alice.ask_json(&format!("/create {channel}")).await);
        say_many(&mut alice, &format!("#{channel}"), 600).await;
    }
    for kill in [false, true] {
        for (channel, first) in [("general", 591), ("dev", 576), ("all", 1)] {
            let (rows, _) = ok(alice.ask_json(&format!("/history {channel} after 0")).await);
            assert_eq!(ids(&rows), (first..=600).collect::<Vec<_>>(), "{channel}");
            let (rows, _) = ok(alice.ask_json(&format!("/enter {channel} after 3")).await);
            assert_eq!(ids(&lines_of(&rows)), (first.max(4)..=600).collect::<Vec<_>>());
            let found = past_texts(&mut alice, &format!("/search #{channel} \"590\"")).await;
            assert_eq!(found.len(), usize::from(first <= 590), "{channel}");
        }
        if !kill {
            server.kill().await;
            server = kept.again(&server).await;
            alice = server.person_in("alice", ClientFormat::Json).await;
            for channel in ["general", "dev", "all"] {
                ok(alice.ask_json(&format!("/enter {channel}")).await);
            }
        }
    }
    // An id is never given twice.
    assert_eq!(say(&mut alice, "/say #general on").await, 601);
    assert!(server.terminate().await.success());
    no_faults(&kept.data());
}

#[tokio::test]
async fn the_first_messages_after_an_expired_one_are_the_remaining_ones() {
    let kept = Kept::with("[history]\nkeep_lines = 20\n");
    let server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    ok(alice.ask_json("/create general").await);
    say_many(&mut alice, "#general", 100).await;
    for (asked, first, last) in
        [("after 0 5", 81, 85), ("after 50 5", 81, 85), ("after 83 5", 84, 88)]
    {
        let (rows, _) = ok(alice.ask_json(&format!("/history general {asked}")).await);
        assert_eq!(ids(&rows), (first..=last).collect::<Vec<_>>(), "{asked}");
    }
}

#[tokio::test]
async fn messages_expired_by_a_single_message_are_deleted_without_another_one() {
    let kept = Kept::with("[history.channels.\"#dev\"]\nkeep_lines = 5\n");
    let server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    for channel in ["general", "dev"] {
        ok(alice.ask_json(&format!("/create {channel}")).await);
    }
    // Enough commits for lone messages to be committed by their author's task.
    for n in 0..100 {
        say(&mut alice, &format!("/say #general {n}")).await;
    }
    for n in 0..20 {
        say(&mut alice, &format!("/say #general {n}")).await;
        say(&mut alice, &format!("/say #dev {n}")).await;
    }
    let rows = || {
        let database = rusqlite::Connection::open(kept.data().join("chat.db")).unwrap();
        let counted = database.query_row("SELECT count(*) FROM line", (), |row| row.get(0));
        counted.unwrap_or(0_u64)
    };
    while rows() != 125 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_kick_during_a_replay_is_delivered_in_order() {
    let kept = Kept::new();
    let server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    ok(alice.ask_json("/create general").await);
    let said = "x".repeat(800);
    for _ in 0..50 {
        alice.send_raw(format!("{said}\n").repeat(100).as_bytes()).await;
        for _ in 0..100 {
            ok(alice.answer_json().await);
        }
    }
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    // More than bob's side buffers, so the kick comes in the middle.
    bob.send("/enter general after 0").await;
    alice.read_until(|line| line.contains(r#""type":"entered""#)).await;
    for n in 1..=5 {
        say(&mut alice, &format!("live {n}")).await;
    }
    ok(alice.ask_json("/kick bob").await);
    let output = bob.read_until(|line| line.contains(r#""type":"kicked""#)).await;
    let output: Vec<Value> =
        output.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let heard: Vec<u64> = output.iter().filter_map(|row| row["id"].as_u64()).collect();
    assert_eq!(heard, (1..=5005).collect::<Vec<_>>());
    let answer = output.iter().position(|row| row["re"] == "enter").unwrap();
    assert_eq!(output[answer]["type"], "ok");
    assert!(output[..answer].iter().all(|row| row["past"] == true));
    assert!(!output.iter().any(|row| row["type"] == "missed"), "{:?}", output.last());
    assert!(!bob.settle().await.iter().any(|line| line.contains("general")));
}

/// Messages sent while another user reads history.
const LINES: u64 = 2000;

#[tokio::test]
async fn a_private_message_is_delivered_as_history_or_live_and_not_both() {
    let kept = Kept::new();
    let server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    let talk = async {
        let mut said = 0;
        while said < LINES {
            let ahead = 8.min(LINES - said);
            bob.send_raw("/msg alice hello\n".repeat(usize::try_from(ahead).unwrap()).as_bytes())
                .await;
            for _ in 0..ahead {
                let output = bob.answer_json().await;
                // On a busy machine alice reads more slowly than bob sends.
                if output.1["code"] != "user-busy" {
                    ok(output);
                    said += 1;
                }
            }
        }
    };
    let listen = async {
        let mut output = std::collections::HashSet::new();
        let mut live = std::collections::HashSet::new();
        while output.len() < usize::try_from(LINES).unwrap() {
            let (rows, _) = ok(alice.ask_json("/history @bob 5").await);
            for row in rows.iter().filter(|row| row["type"] == "private") {
                let id = row["id"].as_u64().unwrap();
                if row["past"] == true {
                    output.insert(id);
                } else {
                    assert!(output.insert(id) && live.insert(id), "line {id} twice");
                }
            }
        }
    };
    tokio::join!(talk, listen);
}

#[tokio::test]
async fn messages_expire_by_the_age_of_their_channel() {
    let config = "[history]\nkeep_days = 10\n[history.channels.\"#dev\"]\nkeep_days = 25\n\
                  [history.channels.\"#all\"]\nkeep_days = 0";
    let kept = Kept::with(config);
    let ages = [(30, "thirty"), (20, "twenty"), (11, "eleven"), (9, "nine"), (0, "now")];
    for (number, name) in [(1, "general"), (2, "dev"), (3, "all")] {
        kept.past(number, name, &ages);
    }
    kept.past(4, "gone", &ages[..2]);
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    for (channel, left) in [("general", 2), ("dev", 4), ("all", 5), ("gone", 0)] {
        ok(alice.ask_json(&format!("/enter {channel}")).await);
        // It is done in steps.
        loop {
            let rows = past(&mut alice, &format!("/history {channel} after 0")).await;
            let output = texts(&rows);
            if output.len() == left {
                let all: Vec<&str> = ages.iter().map(|(_, text)| *text).collect();
                let kept = &all[..if channel == "gone" { 2 } else { 5 }];
                assert_eq!(output, kept[kept.len() - left..], "{channel}");
                break;
            }
            assert!(output.len() > left, "{channel}: {output:?}");
        }
    }
    assert_eq!(say(&mut alice, "/say #gone on").await, 3);
    assert!(server.terminate().await.success());
    no_faults(&kept.data());
}

/// A client whose connection breaks, which isn't leaving.
async fn lost(server: &TestServer, who: &str) -> (TestClient, impl FnOnce()) {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let stream = stream.into_std().unwrap();
    let other = stream.try_clone().unwrap();
    let mut client = TestClient::over(who, TcpStream::from_std(stream).unwrap());
    client.settle_in(ClientFormat::Json).await;
    let reset = move || {
        SockRef::from(&other).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(other);
    };
    (client, reset)
}

#[tokio::test]
async fn a_private_chat_is_read_by_its_two_users_only() {
    let kept = Kept::new();
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    assert_eq!(say(&mut alice, "/msg bob one secret").await, 1);
    assert_eq!(say(&mut bob, "/msg alice two secret").await, 2);
    for _ in 0..2 {
        for (one, other) in [(&mut alice, "bob"), (&mut bob, "alice")] {
            let rows = past(one, &format!("/history @{other}")).await;
            assert_eq!(texts(&rows), ["one secret", "two secret"]);
            assert_eq!((&rows[0]["from"], &rows[0]["to"]), (&"alice".into(), &"bob".into()));
            assert_eq!((&rows[1]["from"], &rows[1]["to"]), (&"bob".into(), &"alice".into()));
            let found = past_texts(one, "/search secret").await;
            assert_eq!(found, ["two secret", "one secret"]);
            assert_eq!(past_texts(one, &format!("/search in:@{other} two")).await, ["two secret"]);
        }
        let mut eve = server.person_in("eve", ClientFormat::Json).await;
        for line in ["/history @alice", "/history @bob", "/search secret", "/search in:@bob secret"]
        {
            assert_eq!(past_texts(&mut eve, line).await, [""; 0], "{line}");
        }
        server.kill().await;
        server = kept.again(&server).await;
        alice = server.person_in("alice", ClientFormat::Json).await;
        bob = server.person_in("bob", ClientFormat::Json).await;
    }
    // The chat continues for both.
    assert_eq!(say(&mut alice, "/msg bob three").await, 3);
    let rows = bob.read_until(|line| line.contains("three")).await;
    assert!(rows.last().unwrap().contains(r#""id":3"#), "{rows:?}");
    // A client that lost its connection returns to it.
    quit(alice).await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    assert_eq!(past_texts(&mut alice, "/history @bob").await, [""; 0], "the first alice has left");
    assert_eq!(past_texts(&mut alice, "/search secret").await, [""; 0]);
    assert_eq!(say(&mut alice, "/msg bob as another").await, 1);
    let (mut carol, reset) = lost(&server, "carol").await;
    assert_eq!(say(&mut carol, "/msg bob from carol").await, 1);
    let before = bob.settle().await.len();
    assert!(before > 0);
    reset();
    drop(carol);
    bob.read_until(|line| line.contains(r#""type":"gone","user":"carol""#)).await;
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    assert_eq!(past_texts(&mut carol, "/history @bob").await, ["from carol"]);
    // A stranger who takes the name of a user who has left sees nothing, also after a restart.
    quit(bob).await;
    quit(alice).await;
    // The departure is stored no later than subsequent messages.
    carol.ask_json("/create after").await;
    say(&mut carol, "/say #after it").await;
    server.kill().await;
    let server = kept.again(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    for line in ["/history @alice", "/history @carol", "/search secret", "/search from:carol"] {
        assert_eq!(past_texts(&mut bob, line).await, [""; 0], "{line}");
    }
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    assert_eq!(past_texts(&mut carol, "/history @bob").await, [""; 0], "this bob is another");
    no_faults(&kept.data());
}

#[tokio::test]
async fn history_omits_ignored_users() {
    let kept = Kept::new();
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut mallory = server.person_in("Mallory", ClientFormat::Json).await;
    ok(alice.ask_json("/create general").await);
    ok(mallory.ask_json("/enter general").await);
    say(&mut alice, "good word").await;
    say(&mut mallory, "bad word").await;
    say(&mut alice, "good word again").await;
    server.kill().await;
    let server = kept.again(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(bob.ask_json("/ignore mallory").await);
    let good = ["good word", "good word again"];
    for line in ["/enter general", "/history general", "/enter general after 0"] {
        let (rows, answer) = ok(bob.ask_json(line).await);
        assert_eq!(texts(&lines_of(&rows)), good, "{line}");
        assert!(answer["count"].is_null() || answer["count"] == 2, "{answer}");
    }
    assert_eq!(past_texts(&mut bob, "/search word").await, ["good word again", "good word"]);
    assert_eq!(past_texts(&mut bob, "/search from:mallory").await, [""; 0]);
    ok(bob.ask_json("/unignore mallory").await);
    assert_eq!(past_texts(&mut bob, "/history general").await.len(), 3);
    assert_eq!(past_texts(&mut bob, "/search from:mallory").await, ["bad word"]);
}

#[tokio::test]
async fn a_search_finds_by_words_phrases_users_conversations_and_days() {
    let kept = Kept::new();
    kept.past(1, "old", &[(400, "The release notes of long ago"), (0, "release of today")]);
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(alice.ask_json("/create general").await);
    ok(bob.ask_json("/enter general").await);
    ok(alice.ask_json("/create secret").await);
    say(&mut alice, "/say #general notes on the Release").await;
    say(&mut bob, "/say #general releasing soon").await;
    say(&mut alice, "/say #secret hidden release").await;
    server.kill().await;
    let server = kept.again(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(bob.ask_json("/enter general").await);
    ok(bob.ask_json("/enter old").await);
    let day = {
        let rows = past(&mut bob, "/search in:old today").await;
        rows[0]["time"].as_str().unwrap()[..10].to_owned()
    };
    let before = format!("/search release before:{day}");
    for (line, found) in [
        (
            "/search release",
            &["notes on the Release", "release of today", "The release notes of long ago"][..],
        ),
        ("/search RELEASE notes", &["notes on the Release", "The release notes of long ago"]),
        ("/search \"release notes\"", &["The release notes of long ago"]),
        (
            "/search releas*",
            &[
                "releasing soon",
                "notes on the Release",
                "release of today",
                "The release notes of long ago",
            ],
        ),
        ("/search from:bob", &["releasing soon"]),
        ("/search from:alice release", &["notes on the Release"]),
        ("/search in:#general release", &["notes on the Release"]),
        ("/search #old release", &["release of today", "The release notes of long ago"]),
        (&before, &["The release notes of long ago"]),
        ("/search hidden", &[]),
        ("/search nowhere", &[]),
    ] {
        let (rows, answer) = ok(bob.ask_json(line).await);
        assert_eq!(texts(&rows), found, "{line}");
        assert_eq!(answer["count"].as_u64(), Some(found.len() as u64), "{line}");
    }
    assert_eq!(code(&bob.ask_json("/search in:secret hidden").await), "not-in-channel");
    assert_eq!(code(&bob.ask_json("/search").await), "missing-argument");
}

#[tokio::test]
async fn one_directory_has_one_server() {
    let kept = Kept::new();
    let server = kept.setup.start().await;
    let (log, status) = kept.setup.run_to_end().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("is in use by another server; stop that one, or give another directory"),
        "{log}"
    );
    // The first one isn't affected.
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    ok(alice.ask_json("/create general").await);
    assert_eq!(say(&mut alice, "hi").await, 1);
}

#[tokio::test]
async fn a_foreign_database_is_refused_unchanged() {
    let kept = Kept::new();
    let mut server = kept.setup.start().await;
    assert!(server.terminate().await.success());
    let file = Store::file_in(&kept.data());
    let good = fs::read(&file).unwrap();
    // Offsets of the version and the application id in a database file.
    for (at, output) in [
        (60, "run the newer program that wrote it, or restore a backup"),
        (68, "another program's database; give another directory with --data"),
    ] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&99_u32.to_be_bytes());
        fs::write(&file, &bytes).unwrap();
        let (log, status) = kept.setup.run_to_end().await;
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(output), "{log}");
        assert!(fs::read(&file).unwrap() == bytes, "it was changed");
    }
    fs::write(&file, good).unwrap();
    assert!(kept.setup.start().await.terminate().await.success());
}

#[tokio::test]
async fn a_once_key_works_over_restarts() {
    let kept = Kept::new();
    let mut server = kept.setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(alice.ask_json("/create general").await);
    ok(bob.ask_json("/enter general").await);
    let (_, first) = ok(alice.ask_json("/once k1 #general hi").await);
    let (_, private) = ok(alice.ask_json("/once k2 @bob psst").await);
    // In one write; the first has no answer yet.
    alice.send_raw("/once k3 #general both\n".repeat(2).as_bytes()).await;
    let (_, one) = ok(alice.answer_json().await);
    let (_, other) = ok(alice.answer_json().await);
    assert_eq!(one, other);
    server.kill().await;
    let mut server = kept.again(&server).await;
    let mut alice = server.person_in("Alice", ClientFormat::Json).await;
    // Not entered, another text; and bob isn't online.
    assert_eq!(ok(alice.ask_json("/once k1 #general hi").await).1, first);
    assert_eq!(ok(alice.ask_json("/once k1 #general other words").await).1, first);
    assert_eq!(ok(alice.ask_json("/once k2 @bob psst").await).1, private);
    assert_eq!(code(&alice.ask_json("/once k4 #general hi").await), "not-in-channel");
    assert_eq!(code(&alice.ask_json("/once k5 @bob hi").await), "no-such-user");
    // Keys are per name.
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(bob.ask_json("/enter general").await);
    assert_eq!(say(&mut bob, "/once k1 #general bob's").await, 3);
    ok(alice.ask_json("/enter general").await);
    // A refused message was not sent.
    assert_eq!(say(&mut alice, "/once k4 #general hi").await, 4);
    assert!(server.terminate().await.success());
    let server = kept.again(&server).await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let there = past_texts(&mut alice, "/enter general after 0").await;
    assert_eq!(there, ["hi", "both", "bob's", "hi"]);
    no_faults(&kept.data());
}
