//! After damage of the files every answered message is there, or its loss is reported.
//!
//! Clients send messages; the server is killed; bytes of one of its files change; the next server
//! on the same directory returns all messages. `DAMAGE` sets the number of rounds, `SEED` the
//! random choices.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use chat_testkit::dice::{number_in, seed_in};
use chat_testkit::{ClientFormat, Dice, ServerSetup, TestClient, TestServer, binary};

/// Rounds by default.
const USUAL: u64 = 6;

const CHANNELS: [&str; 2] = ["#a", "#b"];
const FILES: [&str; 4] = ["chat.db-wal", "recent.db-wal", "recent.db", "chat.db"];

/// Messages by channel and id.
type Lines = HashMap<(&'static str, u64), String>;

/// Sends messages, singly or several at once, and records those that were answered.
async fn talk(server: &TestServer, round: u64, dice: &mut Dice) -> Lines {
    let mut answered = Lines::new();
    let mut people: Vec<TestClient> = Vec::new();
    for name in ["ann", "ben"] {
        let mut person = server.person_in(name, ClientFormat::Json).await;
        for channel in CHANNELS {
            person.ask_json(&format!("/create {channel}")).await;
            person.ask_json(&format!("/enter {channel}")).await;
        }
        people.push(person);
    }
    for at in 0..30 + dice.below(200) {
        let person = &mut people[usize::try_from(at % 2).unwrap()];
        let channel = dice.pick(&CHANNELS);
        let length = dice.index(300);
        let text = format!("{round} {at} {}", "word ".repeat(length / 5)).trim_end().to_owned();
        let (_, answer) = person.ask_json(&format!("/say {channel} {text}")).await;
        assert_eq!(answer["type"], "ok", "{answer}");
        let told = answered.insert((channel, answer["id"].as_u64().unwrap()), text);
        assert_eq!(told, None, "an id was given twice");
        if dice.below(40) == 0 {
            // A commit other than a message goes to the tables.
            person.ask_json(&format!("/topic {at}")).await;
        }
    }
    answered
}

/// Changes a file. Returns a description of the change.
fn damage(data: &Path, dice: &mut Dice) -> String {
    let name = dice.pick(&FILES);
    let path = data.join(name);
    let mut bytes = fs::read(&path).unwrap_or_default();
    if bytes.is_empty() {
        return format!("{name} is empty");
    }
    // Most of a preallocated log is unused.
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64 + 1;
    let at = dice.index(usize::try_from(used).unwrap());
    let done = match dice.below(8) {
        0 => {
            bytes[at] = !bytes[at];
            "a byte"
        }
        1 => {
            let end = bytes.len().min(at + 512);
            bytes[at..end].fill(0);
            "512 bytes"
        }
        2 => {
            let end = bytes.len().min(4096);
            bytes[..end].fill(0);
            "the begin and not"
        }
        3 if name.ends_with("-wal") && at.is_multiple_of(2) => {
            fs::remove_file(&path).unwrap();
            return format!("{name} is removed");
        }
        3 if name.ends_with("-wal") => {
            bytes.clear();
            "everything and not"
        }
        _ => {
            bytes[at] ^= 1 << dice.below(8);
            "a bit"
        }
    };
    fs::write(&path, bytes).unwrap();
    format!("{done} at {at} of {name}")
}

async fn stored(server: &TestServer) -> Lines {
    let mut reader = server.person_in("reader", ClientFormat::Json).await;
    let mut lines = Lines::new();
    for channel in CHANNELS {
        let (rows, _) = reader.ask_json(&format!("/enter {channel} after 0")).await;
        let rows = rows.iter().filter(|row| row["type"] == "message");
        lines.extend(rows.map(|row| {
            let text = row["text"].as_str().unwrap().to_owned();
            ((channel, row["id"].as_u64().unwrap()), text)
        }));
    }
    lines
}

fn check(data: &Path) -> (bool, String) {
    let mut check = Command::new(binary::path("chat-server"));
    check.args(["--listen", "127.0.0.1:0", "--data"]).arg(data).arg("check");
    let output = check.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("  data"), "it looked at nothing: {output:?}");
    (output.status.success(), told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_after_damage_or_is_reported() {
    let rounds = number_in("DAMAGE").unwrap_or(USUAL);
    let seed = seed_in("SEED");
    let (mut whole, mut reported, mut refused) = (0, 0, 0);
    for round in 0..rounds {
        let seed = seed + round;
        let mut dice = Dice::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let setup = ServerSetup::unpaced().keeping(&data);
        let mut answered = Lines::new();
        for life in 0..=dice.below(2) {
            let mut server = setup.start().await;
            answered.extend(talk(&server, life, &mut dice).await);
            server.kill().await;
        }
        let done = damage(&data, &mut dice);
        let told = format!("SEED={seed} DAMAGE=1 does the same: {done}");
        let files = || FILES.map(|name| fs::read(data.join(name)).ok());
        let before = files();
        check(&data);
        assert!(files() == before, "check changed a file: {told}");
        let begun = setup.try_start().await;
        let (log, lines) = match begun {
            Ok(server) => {
                let lines = stored(&server).await;
                let news = talk(&server, 9, &mut dice).await;
                let twice: Vec<_> = news.keys().filter(|id| answered.contains_key(*id)).collect();
                assert!(
                    twice.is_empty(),
                    "ids were given twice: {twice:?}: {told}\n{}",
                    server.log()
                );
                (server.log(), lines)
            }
            Err(log) => {
                // It states why, and changes nothing.
                assert!(log.contains("error") || log.contains("ERROR"), "{told}: {log}");
                refused += 1;
                continue;
            }
        };
        let missing = answered.iter().filter(|(id, text)| lines.get(*id) != Some(*text)).count();
        if missing == 0 {
            whole += 1;
            continue;
        }
        let (is_whole, checked) = check(&data);
        assert!(
            log.contains("ERROR") && !is_whole,
            "{missing} lines are missing silently: {told}\n{log}\n{checked}"
        );
        reported += 1;
    }
    eprintln!(
        "{rounds} rounds: {whole} lost nothing, {reported} reported what they lost, {refused} refused to start"
    );
}
