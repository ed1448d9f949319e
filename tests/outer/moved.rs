//! Files of the store that are moved or removed under a running server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer, binary};
use serde_json::Value;
use tempfile::TempDir;

const FILES: [&str; 6] =
    ["chat.db", "chat.db-wal", "chat.db-shm", "recent.db", "recent.db-wal", "recent.db-shm"];

struct Running {
    folder: TempDir,
    setup: ServerSetup,
    server: TestServer,
    alice: TestClient,
}

impl Running {
    /// A server with one message in `#dev`.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
        let server = setup.start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        alice.ask_json("/create dev").await;
        let mut running = Self { folder, setup, server, alice };
        assert_eq!(running.say("one").await, 1);
        running
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn say(&mut self, text: &str) -> u64 {
        let answer = self.alice.ask_json(text).await.1;
        answer["id"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// Messages are refused, history works, and no new file is created.
    async fn is_refused(&mut self, lines: usize) {
        let before = names(&self.data());
        for line in ["refused", "/me refused", "/topic refused"] {
            let answer = self.alice.ask_json(line).await.1;
            assert_eq!(answer["code"], "unavailable", "{line}: {answer}");
        }
        let (rows, answer) = self.alice.ask_json("/history dev").await;
        assert_eq!((&answer["type"], texts(&rows)), (&"ok".into(), vec!["one".to_owned(); lines]));
        let (rows, _) = self.alice.ask_json("/search one").await;
        assert_eq!(texts(&rows), vec!["one".to_owned(); lines]);
        assert_eq!(names(&self.data()), before, "nothing is made beside what is gone");
        self.server.wait_for_log("is not where it was opened").await;
    }
}

fn texts(rows: &[Value]) -> Vec<String> {
    let lines = rows.iter().filter(|row| row["past"] == true);
    lines.map(|row| row["text"].as_str().unwrap_or_default().to_owned()).collect()
}

fn names(directory: &Path) -> BTreeSet<std::ffi::OsString> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

#[tokio::test]
async fn a_moved_file_stops_messages_until_it_is_back() {
    let mut running = Running::start().await;
    let mut last = 1_usize;
    for name in FILES.iter().copied().chain([""]) {
        let path = if name.is_empty() { running.data() } else { running.data().join(name) };
        let away = running.folder.path().join("away");
        fs::rename(&path, &away).unwrap();
        running.is_refused(last).await;
        fs::rename(&away, &path).unwrap();
        last += 1;
        assert_eq!(running.say("one").await, last as u64, "{name}");
    }
    assert!(running.server.terminate().await.success());
    let server = running.setup.start().await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    assert_eq!(bob.ask_json("/enter dev").await.1["last"].as_u64(), Some(last as u64));
}

#[tokio::test]
async fn a_removed_file_is_logged_without_traffic() {
    for name in FILES {
        let mut running = Running::start().await;
        let path = running.data().join(name);
        fs::remove_file(&path).unwrap();
        let output = running.server.wait_for_log("is not where it was opened").await;
        assert!(
            output.contains("ERROR") && output.contains(&format!("{} is gone", path.display())),
            "{output}"
        );
        running.is_refused(1).await;
        assert!(running.server.terminate().await.success());
        if name.ends_with("-wal") || name.ends_with("-shm") {
            let server = running.setup.start().await;
            let mut bob = server.person_in("bob", ClientFormat::Json).await;
            assert_eq!(bob.ask_json("/enter dev").await.1["last"].as_u64(), Some(1), "{name}");
        } else {
            let (log, status) = running.setup.run_to_end().await;
            assert_eq!(status.code(), Some(1), "{log}");
            assert!(log.contains(name) && log.contains("missing"), "{log}");
        }
    }
}

#[tokio::test]
async fn an_emptied_or_replaced_file_stops_messages() {
    for name in ["chat.db", "recent.db"] {
        let mut running = Running::start().await;
        let path = running.data().join(name);
        let copy = running.folder.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        fs::rename(&copy, &path).unwrap();
        running.is_refused(1).await;
    }
    let mut running = Running::start().await;
    fs::write(running.data().join("recent.db"), "").unwrap();
    let answer = running.alice.ask_json("refused").await.1;
    assert_eq!(answer["code"], "unavailable", "{answer}");
}

#[tokio::test]
async fn an_emptied_wal_stops_messages() {
    let mut running = Running::start().await;
    fs::write(running.data().join("chat.db-wal"), "").unwrap();
    let output = running.server.wait_for_log("is not where it was opened").await;
    assert!(output.contains("chat.db-wal was emptied or cut off"), "{output}");
    let answer = running.alice.ask_json("refused").await.1;
    assert_eq!(answer["code"], "unavailable", "{answer}");
}

#[tokio::test]
async fn a_backup_copied_over_the_open_database_stops_messages() {
    let mut running = Running::start().await;
    let backup = running.folder.path().join("backup");
    let mut made = Command::new(binary::path("chat-server"));
    made.arg("backup").arg(&backup).arg("--data").arg(running.data());
    assert!(made.status().unwrap().success());
    fs::copy(&backup, running.data().join("chat.db")).unwrap();
    let output = running.server.wait_for_log("is not where it was opened").await;
    assert!(output.contains("chat.db was written over"), "{output}");
    let answer = running.alice.ask_json("refused").await.1;
    assert_eq!(answer["code"], "unavailable", "{answer}");
    assert!(running.server.terminate().await.success());
}

#[tokio::test]
async fn a_removed_lock_file_is_created_again() {
    let mut running = Running::start().await;
    fs::remove_file(running.data().join("lock")).unwrap();
    running.server.wait_for_log("is created again").await;
    let (log, status) = running.setup.run_to_end().await;
    assert!(status.code() == Some(1) && log.contains("is in use by another server"), "{log}");
    assert_eq!(running.say("two").await, 2);
}
