//! The disk is full, slow or broken: messages are refused, everything else works, and the server
//! recovers with the disk.
//!
//! `disk_layer.c` is preloaded between the server and the C library and injects faults into calls
//! for the store's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use chat_server::store::Store;
use chat_testkit::server::STOP_DEADLINE;
use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer, binary};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than a server needs to read its input.
const DEADLINE: Duration = Duration::from_mins(1);

/// The layer, built once for all tests.
static LAYER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let source = binary::workspace().join("tests/outer/disk_layer.c");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(folder.path().join("layer.so"))
        .arg(source);
    let built = compiler.status().expect("there is a C compiler, which SQLite needs as well");
    assert!(built.success(), "the layer under the store can't be built");
    folder
});

/// A disk with injected faults.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn setup(&self) -> ServerSetup {
        let layer = LAYER.path().join("layer.so");
        ServerSetup::unpaced()
            .keeping(&self.data())
            .environment("LD_PRELOAD", layer.to_str().unwrap())
            .environment("DISK_FAULTS", self.faults_file().to_str().unwrap())
    }

    fn faults_file(&self) -> PathBuf {
        self.folder.path().join("faults")
    }

    /// Sets the faults; `disk_layer.c` lists the words.
    fn behaves(&self, words: &str) {
        // No sync is held now; the test has waited for the end of any.
        let _ = fs::remove_file(self.mark());
        let new = self.folder.path().join("faults.new");
        fs::write(&new, words).unwrap();
        fs::rename(new, self.faults_file()).unwrap();
    }

    /// Waits until a sync is held.
    async fn is_held(&self) {
        let begun = Instant::now();
        while !self.mark().exists() {
            assert!(begun.elapsed() < DEADLINE, "nothing was synced");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn mark(&self) -> PathBuf {
        self.folder.path().join("faults.held")
    }
}

fn id(answer: &Value) -> u64 {
    assert_eq!(answer["type"], "ok", "{answer}");
    answer["id"].as_u64().unwrap_or_else(|| panic!("no id: {answer}"))
}

fn is_unavailable(answer: &Value) {
    assert_eq!(answer["code"], "unavailable", "{answer}");
    let text = answer["text"].as_str().unwrap();
    assert!(text.contains("was not said") && text.contains("Try again"), "{text}");
}

fn texts(rows: &[Value]) -> Vec<String> {
    let lines = rows.iter().filter(|row| row["type"] == "message" || row["type"] == "private");
    lines.map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

/// All messages of a channel, read from the store.
async fn all(client: &mut TestClient, channel: &str) -> Vec<String> {
    let (rows, answer) = client.ask_json(&format!("/enter {channel} after 0")).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    let rows: Vec<Value> = rows.into_iter().filter(|row| row["past"] == true).collect();
    for (at, row) in (1..).zip(&rows) {
        assert_eq!(row["id"].as_u64(), Some(at), "a gap or a double: {row}");
    }
    texts(&rows)
}

fn no_faults(data: &Path) {
    assert_eq!(Store::open_to_read(data).unwrap().faults().unwrap(), Vec::<String>::new());
}

/// Messages that alice can't send now; no client may ever receive one.
const REFUSED: [&str; 4] = ["refused one", "/me refused two", "/msg bob refused", "/topic no"];

async fn is_refused(alice: &mut TestClient, bob: &mut TestClient, key: &str) {
    let lines = REFUSED.join("\n") + "\n/once " + key + " #general kept at last\n";
    alice.send_raw(lines.as_bytes()).await;
    for _ in 0..=REFUSED.len() {
        is_unavailable(&alice.answer_json().await.1);
    }
    let output = bob.settle().await;
    assert!(!output.iter().any(|line| line.contains("refused")), "{output:#?}");
    assert!(!output.iter().any(|line| line.contains("topic")), "{output:#?}");
}

#[tokio::test]
async fn while_the_disk_fails_only_messages_are_refused() {
    for fault in ["write=ENOSPC", "write=EIO", "write=EROFS", "sync=EIO"] {
        let disk = Disk::new();
        let setup = disk.setup();
        let mut server = setup.start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        let mut bob = server.person_in("bob", ClientFormat::Json).await;
        alice.ask_json("/create general").await;
        bob.ask_json("/enter general").await;
        for n in 1..=3 {
            assert_eq!(id(&alice.ask_json(&format!("good {n}")).await.1), n);
        }
        alice.ask_json("/msg bob good privately").await;
        bob.settle().await;

        disk.behaves(fault);
        is_refused(&mut alice, &mut bob, "k1").await;
        // Reading works, and users enter and leave.
        let (rows, _) = bob.ask_json("/history general").await;
        assert_eq!(texts(&rows), ["good 1", "good 2", "good 3"], "{fault}");
        assert_eq!(texts(&bob.ask_json("/search good").await.0).len(), 4, "{fault}");
        let mut carol = server.person_in("carol", ClientFormat::Json).await;
        assert_eq!(texts(&carol.ask_json("/enter general").await.0).len(), 3, "{fault}");
        assert_eq!(carol.ask_json("/create other").await.1["type"], "ok");
        is_unavailable(&carol.ask_json("/say #other refused there").await.1);
        assert_eq!(alice.ask_json("/topic").await.1["topic"], Value::Null);
        server.wait_for_log("history can be read").await;

        disk.behaves("");
        assert_eq!(id(&alice.ask_json("good 4").await.1), 4, "{fault}");
        let once = "/once k1 #general kept at last";
        assert_eq!(id(&alice.ask_json(once).await.1), 5, "{fault}");
        assert_eq!(id(&alice.ask_json(once).await.1), 5, "{fault}");
        assert_eq!(id(&alice.ask_json("/msg bob good again").await.1), 2, "{fault}");
        assert_eq!(id(&carol.ask_json("/say #other good there").await.1), 1, "{fault}");
        server.wait_for_log("messages are stored again").await;
        let heard: Vec<Value> =
            bob.settle().await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(texts(&heard), ["good 4", "kept at last", "good again"], "{fault}");

        // Once more, with a kill.
        disk.behaves(fault);
        is_refused(&mut alice, &mut bob, "k2").await;
        server.kill().await;
        disk.behaves("");
        let mut server = setup.listening_at(server.address()).start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        let kept = ["good 1", "good 2", "good 3", "good 4", "kept at last"];
        assert_eq!(all(&mut alice, "general").await, kept, "{fault}");
        assert_eq!(all(&mut alice, "other").await, ["good there"], "{fault}");
        let (rows, _) = alice.ask_json("/history @bob").await;
        assert_eq!(texts(&rows), ["good privately", "good again"], "{fault}");
        assert_eq!(id(&alice.ask_json("/say #general good 6").await.1), 6, "{fault}");
        no_faults(&disk.data());
        assert!(server.terminate().await.success());
    }
}

#[tokio::test]
async fn an_action_that_cant_be_stored_has_no_effect() {
    let disk = Disk::new();
    let mut server = disk.setup().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    alice.ask_json("/register correct horse").await;
    alice.ask_json("/create general").await;
    bob.ask_json("/enter general").await;
    assert_eq!(id(&bob.ask_json("hello").await.1), 1);
    alice.settle().await;
    let acts = [
        "/kick bob",
        "/ban bob",
        "/mute bob",
        "/op bob",
        "/set hidden on",
        "/set slow 1h",
        "/purge bob",
        "/drop general",
    ];
    disk.behaves("write=ENOSPC");
    for act in acts {
        is_unavailable(&alice.ask_json(act).await.1);
    }
    bob.expect_nothing().await;
    disk.behaves("");
    for line in ["one", "two"] {
        assert_eq!(bob.ask_json(line).await.1["type"], "ok", "he is there, and may speak at once");
    }
    alice.settle().await;
    let (rows, _) = alice.ask_json("/history").await;
    assert_eq!(texts(&rows), ["hello", "one", "two"]);
    assert_eq!(alice.ask_json("/log").await.1["count"], 0);
    assert_eq!(alice.ask_json("/ban").await.1["count"], 0);
    for act in acts {
        assert_eq!(
            alice.ask_json(act).await.1["type"],
            if act == "/op bob" { "error" } else { "ok" }
        );
    }
    assert!(server.terminate().await.success());
    no_faults(&disk.data());
}

#[tokio::test]
async fn a_full_disk_stops_no_login_by_password() {
    let disk = Disk::new();
    let mut server = disk.setup().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json("/register correct horse").await;
    alice.ask_json("/create general").await;
    disk.behaves("write=ENOSPC");
    is_unavailable(&alice.ask_json("not stored").await.1);
    let mut other = server.person_in("other", ClientFormat::Json).await;
    let (rows, answer) = other.ask_json("/login alice correct horse").await;
    assert_eq!((answer["type"].as_str(), answer["token"].as_str()), (Some("ok"), None), "{answer}");
    let output = rows.iter().filter_map(|row| row["text"].as_str());
    assert!(output.clone().any(|text| text.contains("has no token")), "{rows:?}");
    assert_eq!(other.ask_json("/whois alice").await.1["type"], "ok");
    let mut wrong = server.person_in("wrong", ClientFormat::Json).await;
    let (_, answer) = wrong.ask_json("/login alice wrong horse").await;
    assert_eq!(answer["code"], "wrong-password");
    disk.behaves("");
    let mut again = server.person_in("again", ClientFormat::Json).await;
    let (_, answer) = again.ask_json("/login alice correct horse").await;
    assert!(answer["token"].is_string(), "{answer}");
    assert_eq!(other.ask_json("/say #general and on").await.1["type"], "ok");
    assert!(server.terminate().await.success());
    no_faults(&disk.data());
}

#[tokio::test]
async fn a_failing_disk_doesnt_prevent_a_stop() {
    for fault in ["write=ENOSPC", "sync=EIO"] {
        let disk = Disk::new();
        let mut server = disk.setup().start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        alice.ask_json("/create general").await;
        assert_eq!(id(&alice.ask_json("good").await.1), 1);
        disk.behaves(fault);
        is_unavailable(&alice.ask_json("refused").await.1);
        let begun = Instant::now();
        assert!(server.terminate().await.success(), "{fault}");
        assert!(begun.elapsed() < STOP_DEADLINE, "{fault}: {:?}", begun.elapsed());
        disk.behaves("");
        let server = disk.setup().start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        assert_eq!(all(&mut alice, "general").await, ["good"], "{fault}");
        no_faults(&disk.data());
    }
}

/// Sends long messages until one is refused. Returns the number of stored ones.
async fn fill(alice: &mut TestClient) -> u64 {
    let mut kept = 0;
    loop {
        let (_, answer) = alice.ask_json(&format!("{kept} {}", "full ".repeat(700))).await;
        if answer["type"] == "error" {
            is_unavailable(&answer);
            return kept;
        }
        kept = id(&answer);
        assert!(kept < 10_000, "it is never full");
    }
}

/// Requirements on a full store, until there is space again.
async fn fills_up_and_goes_on(setup: &ServerSetup, data: &Path, make_room: impl Fn(&TestServer)) {
    let mut server = setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    let kept = fill(&mut alice).await;
    assert!(kept > 10, "{kept}");
    is_unavailable(&alice.ask_json(&"still full ".repeat(300)).await.1);
    let (rows, answer) = bob.ask_json("/enter general").await;
    assert_eq!((texts(&rows).len(), answer["last"].as_u64()), (20, Some(kept)));
    make_room(&server);
    assert_eq!(id(&alice.ask_json(&"room ".repeat(700)).await.1), kept + 1);
    let heard = bob.read_until(|line| line.contains(r#""text":"room"#)).await;
    assert_eq!(heard.iter().filter(|line| line.contains("full")).count(), 0);
    server.kill().await;
    let server = setup.clone().listening_at(server.address()).start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    assert_eq!(all(&mut alice, "general").await.len() as u64, kept + 1);
    // Pending work finds space.
    make_room(&server);
    no_faults(data);
}

#[tokio::test]
async fn a_raised_quota_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // In blocks of 512 bytes. Writes past it fail, also without the signal.
    let setup = ServerSetup::unpaced().keeping(&data).prelude("trap '' XFSZ; ulimit -S -f 2048");
    let raise = |server: &TestServer| {
        let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
        let limit = Rlimit { current: Some(1 << 30), maximum: None };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    };
    fills_up_and_goes_on(&setup, &data, raise).await;
}

/// A small file system, until it is dropped.
struct Small(TempDir);

impl Small {
    /// None without the right to mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|mount| mount.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_file_system_recovers_with_free_space() {
    let Some(small) = Small::mount() else {
        eprintln!("left out: mounting a file system takes root");
        return;
    };
    let data = small.0.path().join("data");
    let other = small.0.path().join("other");
    fs::write(&other, vec![1; 1 << 20]).unwrap();
    let setup = ServerSetup::unpaced().keeping(&data);
    let make_room = |_: &TestServer| drop(fs::remove_file(&other));
    fills_up_and_goes_on(&setup, &data, make_room).await;
    assert!(!other.exists());
}

#[tokio::test]
async fn a_store_that_cant_be_written_is_refused_at_the_start_with_its_cure() {
    let disk = Disk::new();
    // With a write-ahead log beside the file, and without.
    for by_kill in [true, false] {
        let mut server = disk.setup().start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        alice.ask_json("/create general").await;
        alice.ask_json("/say #general hi").await;
        if by_kill {
            server.kill().await;
        } else {
            assert!(server.terminate().await.success());
        }
        for fault in ["open=EACCES", "open=EROFS"] {
            disk.behaves(fault);
            let (log, status) = disk.setup().run_to_end().await;
            assert_eq!(status.code(), Some(1), "{log}");
            assert!(log.contains("the database can't be written"), "{log}");
            assert!(log.contains("give the server the right to write its directory"), "{log}");
        }
        disk.behaves("");
    }
    disk.behaves("write=ENOSPC");
    let fresh = disk.folder.path().join("fresh");
    let (log, status) = disk.setup().keeping(&fresh).run_to_end().await;
    assert_eq!(status.code(), Some(1), "{log}");
    // A path that can't be a directory.
    let file = disk.folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (log, status) = ServerSetup::unpaced().keeping(&file.join("data")).run_to_end().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("can't be used; it must belong to the user that runs the server"),
        "{log}"
    );
}

#[tokio::test]
async fn a_slow_disk_delays_only_senders() {
    let disk = Disk::new();
    let server = disk.setup().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    alice.ask_json("/create other").await;
    assert_eq!(id(&alice.ask_json("/say #general before").await.1), 1);
    bob.ask_json("/enter general").await;
    disk.behaves("hold");
    alice.send("/say #general slow").await;
    disk.is_held().await;
    // None of these waits for the disk; one that did would have no answer.
    for (line, lines) in [
        ("/ping", 0),
        ("/users", 0),
        ("/history general", 1),
        ("/search before", 1),
        ("/enter other", 0),
        ("/enter general after 0", 1),
        ("/create third", 0),
        ("/private alice", 0),
    ] {
        let (rows, answer) = bob.ask_json(line).await;
        assert_eq!(answer["type"], "ok", "{answer}");
        assert_eq!(texts(&rows).len(), lines, "{line}: {rows:?}");
    }
    // Nor does a new client.
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    let (rows, answer) = carol.ask_json("/enter general").await;
    assert_eq!((texts(&rows), answer["last"].as_u64()), (vec!["before".to_owned()], Some(1)));
    // The waiting client receives the entry.
    alice.read_until(|line| line.contains("carol")).await;
    disk.behaves("");
    assert_eq!(id(&alice.answer_json().await.1), 2);
    for person in [&mut bob, &mut carol] {
        let output = person.read_until(|line| line.contains(r#""id":2"#)).await;
        assert!(output.last().unwrap().contains(r#""text":"slow""#), "{output:?}");
        person.expect_nothing_said().await;
    }
}

/// Bob was answered that there is no alice after he had received alice's entry.
#[tokio::test]
async fn a_refusal_comes_before_later_events() {
    let disk = Disk::new();
    let server = disk.setup().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    let mut dave = server.person_in("dave", ClientFormat::Json).await;
    bob.ask_json("/enter general").await;
    disk.behaves("hold");
    alice.send("/say #general slow").await;
    disk.is_held().await;
    // Whether it is a duplicate is known only after the message before it is stored.
    bob.send("/away\n/once k @carol hi").await;
    loop {
        let (rows, answer) = dave.ask_json("/whois bob").await;
        if format!("{rows:?}{answer}").contains("away") {
            break;
        }
    }
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    carol.ask_json("/enter general").await;
    disk.behaves("");
    let output = bob.read_until(|line| line.contains(r#""type":"entered""#)).await;
    let refused = output.iter().position(|line| line.contains(r#""code":"no-such-user""#));
    assert!(refused.is_some(), "{output:#?}");
    bob.read_until(|line| line.contains("slow")).await;

    // A queued message is checked when it is committed.
    carol.send("/quit").await;
    bob.read_until(|line| line.contains(r#""type":"gone""#)).await;
    disk.behaves("hold");
    bob.send("/say #general slow").await;
    disk.is_held().await;
    bob.send("/msg carol hi").await;
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    carol.ask_json("/enter general").await;
    disk.behaves("");
    let output = bob.read_until(|line| line.contains(r#""re":"msg""#)).await;
    assert!(output.iter().any(|line| line.contains(r#""type":"entered""#)), "{output:#?}");
    assert!(output.last().unwrap().contains(r#""type":"ok""#), "{output:#?}");
}

#[tokio::test]
async fn a_disk_that_becomes_slow_delays_no_other_client() {
    let disk = Disk::new();
    let server = disk.setup().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    for round in 1..=3 {
        // Enough commits for the disk to count as quick.
        for n in 0..100 {
            alice.ask_json(&format!("{round} {n}")).await;
        }
        disk.behaves("hold");
        alice.send("slow").await;
        disk.is_held().await;
        // One that waited for the disk would have no answer.
        for _ in 0..20 {
            assert_eq!(bob.ask_json("/ping").await.1["type"], "ok");
        }
        let mut carol = server.person_in("carol", ClientFormat::Json).await;
        carol.ask_json("/enter general").await;
        disk.behaves("");
        assert_eq!(id(&alice.answer_json().await.1), round * 101);
        carol.read_until(|line| line.contains(r#""text":"slow""#)).await;
        carol.send("/quit").await;
        carol.read_to_end().await;
    }
}

#[tokio::test]
async fn a_refused_message_expires_no_other() {
    let disk = Disk::new();
    let server = disk.setup().config("[history]\nkeep_lines = 5\n").start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    for n in 1..=10 {
        assert_eq!(id(&alice.ask_json(&format!("line {n}")).await.1), n);
    }
    disk.behaves("write=ENOSPC");
    for n in 0..20 {
        is_unavailable(&alice.ask_json(&format!("refused {n}")).await.1);
    }
    disk.behaves("");
    for n in 11..=30 {
        assert_eq!(id(&alice.ask_json(&format!("line {n}")).await.1), n);
        let (rows, _) = alice.ask_json("/history general 100").await;
        assert_eq!(texts(&rows).len(), 5, "after line {n}: {rows:?}");
    }
}

/// Checks on a client in tests of the disk.
trait Quiet {
    /// No further message arrived.
    async fn expect_nothing_said(&mut self);
}

impl Quiet for TestClient {
    async fn expect_nothing_said(&mut self) {
        let output = self.settle().await;
        assert!(!output.iter().any(|line| line.contains(r#""type":"message""#)), "{output:?}");
    }
}

#[tokio::test]
async fn committed_messages_are_published_while_the_next_commit_waits() {
    let disk = Disk::new();
    let server = disk.setup().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    bob.ask_json("/enter general").await;
    disk.behaves("slow=200");
    assert_eq!(id(&alice.ask_json("line 1").await.1), 1);
    disk.behaves("hold");
    let lines: String = (2..=8).map(|n| format!("line {n}\n")).collect();
    alice.send_raw(lines.as_bytes()).await;
    disk.is_held().await;
    // The first is published, while the others wait unpublished.
    let output = bob.settle().await;
    let said: Vec<_> = output.iter().filter(|line| line.contains("line ")).collect();
    assert!(said.len() == 1 && said[0].contains("line 1"), "{output:?}");
    disk.behaves("slow=200");
    for n in 2..=8 {
        assert_eq!(id(&alice.answer_json().await.1), n);
    }
    bob.read_until(|line| line.contains(r#""text":"line 8""#)).await;
}

#[tokio::test]
async fn a_signal_stops_the_server_in_time_on_a_slow_disk() {
    for slow in ["slow=200", "hold"] {
        let disk = Disk::new();
        let setup = disk.setup();
        let mut server = setup.start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        let mut bob = server.person_in("bob", ClientFormat::Json).await;
        alice.ask_json("/create general").await;
        bob.ask_json("/enter general").await;
        assert_eq!(id(&alice.ask_json("line 1").await.1), 1);
        disk.behaves(slow);
        let lines: String = (2..=12).map(|n| format!("line {n}\n")).collect();
        alice.send_raw(lines.as_bytes()).await;
        if slow == "hold" {
            disk.is_held().await;
        } else {
            assert_eq!(id(&alice.answer_json().await.1), 2);
        }
        let begun = Instant::now();
        let status = server.terminate().await;
        assert!(begun.elapsed() < STOP_DEADLINE, "{slow}: {:?}", begun.elapsed());
        assert!(status.success(), "{slow}: {status}");
        disk.behaves("");
        let mut kept = 1;
        for line in alice.read_to_end().await {
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["type"] == "ok" {
                kept = id(&line);
            }
        }
        let heard = bob.read_to_end().await;
        let server = setup.listening_at(server.address()).start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        let there = all(&mut alice, "general").await;
        assert!(there.len() as u64 >= kept, "{slow}: {kept} were answered: {there:?}");
        for (at, text) in (1..).zip(&there) {
            assert_eq!(*text, format!("line {at}"), "{slow}");
        }
        let heard = heard.iter().filter(|line| line.contains(r#""type":"message""#)).count();
        assert!(heard <= there.len(), "{slow}");
        no_faults(&disk.data());
    }
}
