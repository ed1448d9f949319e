//! The wall clock is wrong, or steps while the server runs: no message is lost, and no duration
//! changes.
//!
//! `clock_layer.c` is preloaded between the server and the C library and shifts the wall clock.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer, binary};
use serde_json::Value;
use tempfile::TempDir;

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// The layer, built once for all tests.
static LAYER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let source = binary::workspace().join("tests/outer/clock_layer.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
    let built = compiler.arg(folder.path().join("layer.so")).arg(source).status();
    assert!(built.expect("there is a C compiler, which SQLite needs as well").success());
    folder
});

/// A machine whose wall clock is shifted.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn setup(&self) -> ServerSetup {
        let layer = LAYER.path().join("layer.so");
        ServerSetup::unpaced()
            .keeping(&self.folder.path().join("data"))
            .environment("LD_PRELOAD", layer.to_str().unwrap())
            .environment("CLOCK_SHIFT", self.shift().to_str().unwrap())
    }

    fn shift(&self) -> PathBuf {
        self.folder.path().join("shift")
    }

    /// Shifts the wall clock by a number of milliseconds.
    fn is_off_by(&self, millis: i64) {
        let new = self.folder.path().join("shift.new");
        fs::write(&new, millis.to_string()).unwrap();
        fs::rename(new, self.shift()).unwrap();
    }
}

async fn ok(client: &mut TestClient, line: &str) -> (Vec<Value>, Value) {
    let output = client.ask_json(line).await;
    assert_eq!(output.1["type"], "ok", "{line}: {}", output.1);
    output
}

async fn say_many(client: &mut TestClient, count: usize) -> Vec<Value> {
    let mut answers = Vec::new();
    for n in 0..count {
        answers.push(ok(client, &format!("/say #general line {n}")).await.1);
    }
    answers
}

async fn history(client: &mut TestClient) -> Vec<Value> {
    let (mut rows, _) = ok(client, "/history #general 100").await;
    rows.retain(|row| row["past"] == true);
    rows
}

async fn alice(server: &TestServer) -> TestClient {
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    alice.ask_json("/enter general").await;
    alice
}

#[tokio::test]
async fn a_clock_that_was_400_days_behind_expires_no_message() {
    let machine = Machine::new();
    let setup = machine.setup().config("[history]\nkeep_days = 30\n");
    let mut answers = Vec::new();
    for (shift, lines) in [(0, 10), (-400 * DAY_MILLIS, 12), (0, 5)] {
        machine.is_off_by(shift);
        let mut server = setup.start().await;
        let mut alice = alice(&server).await;
        answers.extend(say_many(&mut alice, lines).await);
        assert!(server.terminate().await.success());
    }
    let server = setup.start().await;
    let mut alice = alice(&server).await;
    // Retention runs before this message is stored.
    answers.extend(say_many(&mut alice, 1).await);
    let kept = history(&mut alice).await;
    assert_eq!(kept.len(), 28, "{kept:?}");
    let times = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["time"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(times(&kept), times(&answers), "an answer tells the time that is stored");
    assert!(times(&kept).is_sorted(), "{kept:?}");
    assert_eq!(ok(&mut alice, "/search #general line").await.0.len(), 28);
}

/// Steps of a wall clock that is set while a server runs.
const STEPS: [i64; 3] = [400 * DAY_MILLIS, -400 * DAY_MILLIS, 0];

#[tokio::test]
async fn a_ban_and_a_mute_hold_though_the_clock_is_set() {
    let machine = Machine::new();
    let server = machine.setup().start().await;
    let mut alice = alice(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    ok(&mut carol, "/enter #general").await;
    ok(&mut alice, "/ban bob for 1h").await;
    ok(&mut alice, "/mute carol for 1h").await;
    for shift in STEPS {
        machine.is_off_by(shift);
        let refused = bob.ask_json("/enter #general").await.1;
        assert_eq!(refused["code"], "banned", "{shift}: {refused}");
        let refused = carol.ask_json("/say #general hello").await.1;
        assert_eq!(refused["code"], "muted", "{shift}: {refused}");
    }
}

#[tokio::test]
async fn short_terms_end_on_time_though_the_clock_is_set_back() {
    let machine = Machine::new();
    let mut server = machine.setup().start().await;
    let mut alice = alice(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(&mut bob, "/enter #general").await;
    ok(&mut alice, "/mute bob for 1s").await;
    ok(&mut alice, "/set slow 1s").await;
    machine.is_off_by(-400 * DAY_MILLIS);
    // Each ends on time; by the wall clock it would last 400 days.
    while bob.ask_json("/say #general hello").await.1["type"] != "ok" {}
    while bob.ask_json("/say #general hello").await.1["type"] != "ok" {}

    // The same with a clock that was wrong at the beginning, also after a restart.
    machine.is_off_by(400 * DAY_MILLIS);
    ok(&mut alice, "/ban bob for 2s").await;
    assert!(server.terminate().await.success());
    machine.is_off_by(0);
    let server = machine.setup().start().await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    while bob.ask_json("/enter #general").await.1["type"] != "ok" {}
}

#[tokio::test]
async fn a_once_key_works_though_the_clock_is_set() {
    let machine = Machine::new();
    let server = machine.setup().start().await;
    let mut alice = alice(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(&mut alice, "/private bob").await;
    for (n, shift) in STEPS.into_iter().enumerate() {
        let keys =
            [format!("/once before-{n} #general hello"), format!("/once private-{n} @bob hello")];
        for line in &keys {
            let said = ok(&mut alice, line).await.1;
            machine.is_off_by(shift);
            assert_eq!(ok(&mut alice, line).await.1["id"], said["id"], "{shift}");
        }
    }
    drop(bob.settle().await);
}

#[tokio::test]
async fn times_are_those_of_the_wall_clock_also_after_it_was_set() {
    let machine = Machine::new();
    let server = machine.setup().start().await;
    let mut alice = alice(&server).await;
    let day = |value: &Value| value.as_str().unwrap()[..10].to_owned();
    let before = day(&ok(&mut alice, "/say #general hello").await.1["time"]);
    machine.is_off_by(400 * DAY_MILLIS);
    let said = day(&ok(&mut alice, "/say #general hello").await.1["time"]);
    assert!(said > before, "{said}");
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(&mut bob, "/enter #general").await;
    let output = alice.read_until(|line| line.contains(r#""type":"entered""#)).await;
    let output: Value = serde_json::from_str(output.last().unwrap()).unwrap();
    assert_eq!(day(&output["time"]), said);
    ok(&mut alice, "/ban bob for 1h").await;
    let (rows, _) = ok(&mut alice, "/info").await;
    let since = rows.iter().find_map(|row| row.get("since")).unwrap_or_else(|| panic!("{rows:?}"));
    assert_eq!(day(since), said);
}

#[tokio::test]
async fn times_of_messages_never_decrease() {
    let machine = Machine::new();
    let server = machine.setup().start().await;
    let mut alice = alice(&server).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    ok(&mut bob, "/enter general").await;
    let mut output = Vec::new();
    let mut live = Vec::new();
    for shift in [0, -400 * DAY_MILLIS, 0] {
        machine.is_off_by(shift);
        output.extend(say_many(&mut alice, 3).await);
        while live.len() < output.len() {
            let row = bob.json().await;
            if row["type"] == "message" {
                live.push(row["time"].clone());
            }
        }
    }
    let times =
        |rows: &[Value]| -> Vec<Value> { rows.iter().map(|row| row["time"].clone()).collect() };
    assert!(
        times(&output).is_sorted_by_key(|time| time.as_str().unwrap().to_owned()),
        "{output:?}"
    );
    assert_eq!(times(&output), live);
    assert_eq!(times(&output), times(&history(&mut alice).await));
}
