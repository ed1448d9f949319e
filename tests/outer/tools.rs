//! Tools on the data of a server.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use chat_server::store::{AccountOp, Durability, Store, StoreLocation};
use chat_testkit::{ClientFormat, ServerSetup, TestServer, binary};
use tempfile::TempDir;

struct Data {
    folder: TempDir,
}

impl Data {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    async fn server(&self) -> TestServer {
        ServerSetup::unpaced().keeping(&self.folder.path().join("data")).start().await
    }

    /// Runs a tool on another directory.
    fn run(&self, data: &str, words: &[&str]) -> Output {
        let mut command = Command::new(binary::path("chat-server"));
        command.arg("--data").arg(self.folder.path().join(data));
        command.current_dir(self.folder.path()).args(words).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn succeeds(&self, data: &str, words: &[&str]) -> String {
        let output = self.run(data, words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, data: &str, words: &[&str]) -> String {
        let output = self.run(data, words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", said(&output));
        said(&output)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A server with three messages in `#dev`.
async fn with_three_lines(data: &Data) -> TestServer {
    let server = data.server().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json("/create Dev About it").await;
    for line in ["one", "/me waves", "größer als 東京"] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok");
    }
    server
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_a_whole_store() {
    let data = Data::new();
    let server = with_three_lines(&data).await;
    assert!(data.succeeds("data", &["backup", "copy.db"]).contains("opened and found whole"));
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/enter dev").await;
    bob.ask_json("after the backup").await;
    assert!(data.fails("data", &["backup", "copy.db"]).contains("is there already"));
    assert!(data.fails("data", &["backup", "-"]).contains("can't go to standard output"));
    assert!(!data.path("copy.db.part").exists());
    // Restored as documented.
    fs::create_dir(data.path("restored")).unwrap();
    fs::copy(data.path("copy.db"), data.path("restored/chat.db")).unwrap();
    let restored = ServerSetup::unpaced().keeping(&data.path("restored")).start().await;
    let mut carol = restored.person_in("carol", ClientFormat::Json).await;
    let (rows, entered) = carol.ask_json("/enter dev after 0").await;
    assert_eq!((entered["last"].as_u64(), &entered["topic"]), (Some(3), &"About it".into()));
    assert_eq!(rows.iter().filter(|row| row["type"] == "message").count(), 3);
    assert!(data.fails("nothing", &["backup", "x.db"]).contains("there is no "));
}

#[tokio::test]
async fn a_restore_replaces_the_store_and_preserves_the_old_files() {
    let data = Data::new();
    let mut server = with_three_lines(&data).await;
    data.succeeds("data", &["backup", "copy.db"]);
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json("/enter dev").await;
    assert_eq!(alice.ask_json("after the backup").await.1["id"], 4);
    let refused = data.fails("data", &["restore", "copy.db"]);
    assert!(refused.contains("is in use by another server"), "{refused}");
    server.kill().await;
    for (name, bytes, words) in [
        ("nothing.db", &b""[..], "is no backup"),
        ("text.db", &b"hello\n".repeat(1000), "is not a database"),
        ("missing.db", b"", "can't be read"),
    ] {
        if name != "missing.db" {
            fs::write(data.path(name), bytes).unwrap();
        }
        let refused = data.fails("data", &["restore", name]);
        assert!(refused.contains(words), "{name}: {refused}");
    }
    fs::copy(data.path("copy.db"), data.path("damaged.db")).unwrap();
    damage(&data.path("damaged.db"));
    let refused = data.fails("data", &["restore", "damaged.db"]);
    assert!(refused.contains("nothing is changed"), "{refused}");
    let refused = data.fails("data", &["restore", "data/recent.db"]);
    assert!(refused.contains("is the journal of a store"), "{refused}");
    assert_eq!(last_id(&data, "data").await, 4);

    let received = data.succeeds("data", &["restore", "copy.db"]);
    assert!(received.contains("found whole") && received.contains("replaced-"), "{received}");
    let aside = received.lines().find_map(|line| line.split_once(": the files that were there"));
    let aside = aside.unwrap().0.rsplit('/').next().unwrap().to_owned();
    assert!(!data.path("data/recent.db").exists());
    assert!(!data.path("data/chat.db.restoring").exists());
    data.succeeds("data", &["--listen", "127.0.0.1:0", "check"]);
    assert_eq!(last_id(&data, "data").await, 3);
    // The replaced files are a complete store.
    assert_eq!(last_id(&data, &format!("data/{aside}")).await, 4);
    data.succeeds("fresh", &["restore", "copy.db"]);
    assert_eq!(last_id(&data, "fresh").await, 3);
}

/// The last id of `#dev`, after a start and a graceful stop.
async fn last_id(data: &Data, name: &str) -> u64 {
    let mut server = ServerSetup::unpaced().keeping(&data.path(name)).start().await;
    let mut zoe = server.person_in("zoe", ClientFormat::Json).await;
    let last = zoe.ask_json("/enter dev").await.1["last"].as_u64().unwrap();
    assert!(server.terminate().await.success());
    last
}

#[tokio::test]
async fn a_half_of_a_store_is_refused_with_its_cure() {
    let data = Data::new();
    let mut server = with_three_lines(&data).await;
    data.succeeds("data", &["backup", "copy.db"]);
    server.kill().await;
    let copy = |name: &str| {
        fs::create_dir(data.path(name)).unwrap();
        for file in ["chat.db", "chat.db-wal", "recent.db", "recent.db-wal"] {
            fs::copy(data.path("data").join(file), data.path(name).join(file)).unwrap();
        }
        data.path(name)
    };
    fs::write(copy("emptied").join("chat.db"), "").unwrap();
    fs::remove_file(copy("without").join("chat.db")).unwrap();
    fs::remove_file(copy("newest").join("recent.db")).unwrap();
    fs::copy(data.path("copy.db"), copy("undone").join("chat.db")).unwrap();
    for (name, words, cure) in [
        ("emptied", "chat.db is empty, and other files", "copy.db".to_owned()),
        ("without", "chat.db is missing, and other files", "copy.db".to_owned()),
        (
            "newest",
            "recent.db, which has the newest lines, is missing",
            "newest/chat.db".to_owned(),
        ),
        ("undone", "chat.db is a backup", "undone/chat.db".to_owned()),
    ] {
        let setup = ServerSetup::unpaced().keeping(&data.path(name));
        let (log, status) = setup.run_to_end().await;
        assert_eq!(status.code(), Some(1), "{name}: {log}");
        assert!(log.contains(words) && log.contains("restore"), "{name}: {log}");
        for tool in [&["check"][..], &["backup", "other.db"], &["export", "--channel", "dev"]] {
            let received = data.fails(name, tool);
            assert!(received.contains(words), "{name} {tool:?}: {received}");
        }
        data.succeeds(name, &["restore", &cure]);
        assert_eq!(last_id(&data, name).await, 3, "{name}");
    }
}

#[tokio::test]
async fn files_restored_by_root_belong_to_the_service_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: giving files away takes root");
        return;
    }
    let data = Data::new();
    let mut server = with_three_lines(&data).await;
    data.succeeds("data", &["backup", "copy.db"]);
    assert!(server.terminate().await.success());
    let user = 61_184;
    for name in ["data", "fresh"] {
        let directory = data.path(name);
        fs::create_dir_all(&directory).unwrap();
        std::os::unix::fs::chown(&directory, Some(user), Some(user)).unwrap();
        data.succeeds(name, &["restore", "copy.db"]);
        data.succeeds(name, &["export", "--channel", "dev"]);
        let mut files = vec![directory.join("chat.db")];
        if name == "fresh" {
            files.push(directory.join("lock"));
        }
        for file in files {
            let found = fs::metadata(&file).unwrap();
            assert_eq!((found.uid(), found.gid()), (user, user), "{}", file.display());
        }
    }
}

#[tokio::test]
async fn an_export_is_imported_once_and_the_same() {
    let data = Data::new();
    let mut server = with_three_lines(&data).await;
    let exported = data.succeeds("data", &["export", "--channel", "dev"]);
    let rows: Vec<&str> = exported.lines().collect();
    assert_eq!(rows[0], r##"{"type":"channel","name":"#Dev","topic":"About it","last":3}"##);
    assert!(rows[2].ends_with(r#""from":"alice","text":"waves","action":true}"#), "{}", rows[2]);
    assert_eq!(rows.len(), 4);
    data.succeeds("data", &["export", "--channel", "#dev", "dev.jsonl"]);
    assert_eq!(fs::read_to_string(data.path("dev.jsonl")).unwrap(), exported);
    assert!(
        data.fails("data", &["export", "--channel", "nowhere"]).contains("no lines of #nowhere")
    );
    let refused = data.fails("data", &["import", "dev.jsonl"]);
    assert!(refused.contains("is in use by another server"), "{refused}");
    assert!(server.terminate().await.success());

    let into = data.path("other").display().to_string();
    let received = data.succeeds("other", &["import", "dev.jsonl"]);
    assert_eq!(received, format!("3 lines imported into {into}, 0 were there already\n"));
    let received = data.succeeds("other", &["import", "dev.jsonl"]);
    assert_eq!(received, format!("0 lines imported into {into}, 3 were there already\n"));
    assert_eq!(data.succeeds("other", &["export", "--channel", "dev"]), exported);
    // Only the newest messages: the ids stay.
    let newest = format!("{}\n{}\n", rows[0], rows[3]);
    fs::write(data.path("newest.jsonl"), newest).unwrap();
    data.succeeds("newest", &["import", "newest.jsonl"]);
    let received = data.succeeds("newest", &["--listen", "127.0.0.1:0", "check"]);
    assert!(received.contains("ok     database"), "{received}");
    // Ids aren't reused after their messages are gone.
    fs::write(data.path("empty.jsonl"), rows[0]).unwrap();
    data.succeeds("empty", &["import", "empty.jsonl"]);
    {
        let server = ServerSetup::unpaced().keeping(&data.path("empty")).start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        alice.ask_json("/enter dev").await;
        assert_eq!(alice.ask_json("four").await.1["id"], 4);
    }
    let wrong = |name: &str, text: &str| {
        fs::write(data.path(name), text).unwrap();
        data.fails("other", &["import", name])
    };
    let gap = wrong("gap", &format!("{}\n{}\n", rows[0], rows[3].replace("\"id\":3", "\"id\":9")));
    assert!(
        gap.contains(&format!("line 2; 0 lines before it were imported into {into}"))
            && gap.contains("import what lies"),
        "{gap}"
    );
    let other = wrong("other.jsonl", &format!("{}\n{}\n", rows[0], rows[3].replace("als", "than")));
    assert!(other.contains("another line with the id 3"), "{other}");
    assert!(wrong("headless", rows[3]).contains("was not begun"));
    assert!(wrong("nonsense", "hello").contains("no row of an export"));
}

#[tokio::test]
async fn hidden_messages_are_in_no_export_and_keep_their_ids() {
    let data = Data::new();
    {
        let mut server = ServerSetup::unpaced().keeping(&data.path("data")).start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        let mut bob = server.person_in("bob", ClientFormat::Json).await;
        alice.ask_json("/register correct horse").await;
        alice.ask_json("/create dev").await;
        bob.ask_json("/enter dev").await;
        bob.ask_json("purged").await;
        alice.ask_json("kept").await;
        alice.ask_json("/purge bob").await;
        alice.ask_json("/set history off").await;
        alice.ask_json("never stored").await;
        assert!(server.terminate().await.success());
    }
    let exported = data.succeeds("data", &["export", "--channel", "dev", "dev.jsonl"]);
    assert_eq!(exported, "");
    let exported = fs::read_to_string(data.path("dev.jsonl")).unwrap();
    let kinds: Vec<_> =
        exported.lines().map(|line| line.split('"').nth(3).unwrap_or_default()).collect();
    assert_eq!(kinds, ["channel", "erased", "message", "erased"], "{exported}");
    assert!(!exported.contains("purged") && !exported.contains("never stored"), "{exported}");
    let into = data.path("other").display().to_string();
    let received = data.succeeds("other", &["import", "dev.jsonl"]);
    assert_eq!(received, format!("3 lines imported into {into}, 0 were there already\n"));
    assert_eq!(data.succeeds("other", &["export", "--channel", "dev"]), exported);
    for directory in ["data", "other"] {
        let received = data.succeeds(directory, &["--listen", "127.0.0.1:0", "check"]);
        assert!(received.contains("ok     database"), "{received}");
    }
}

#[test]
fn the_data_of_an_account_is_exported() {
    let data = Data::new();
    let (mut book, _) =
        Store::open(&StoreLocation::Directory(data.path("data")), Durability::Machine)
            .unwrap()
            .into_parts();
    let made = AccountOp::Create {
        user_id: 1,
        key: "alice",
        shown: "Alice",
        password: "secret",
        created: 0,
        admin: true,
    };
    book.commit(&[made.into()]).unwrap();
    // It stays open, as in a running server.
    let row = r#"{"type":"account","name":"Alice","created":"1970-01-01T00:00:00.000Z","seen":"1970-01-01T00:00:00.000Z","away":false,"admin":true}"#;
    assert_eq!(data.succeeds("data", &["export-user", "alice"]), format!("{row}\n"));
    data.succeeds("data", &["export-user", "ALICE", "alice.jsonl"]);
    assert_eq!(fs::read_to_string(data.path("alice.jsonl")).unwrap(), format!("{row}\n"));
    assert!(data.fails("data", &["export-user", "bob"]).contains("there is no account bob"));
}

#[tokio::test]
async fn a_check_under_traffic_finds_no_fault() {
    let data = Data::new();
    let server = data.server().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    let talk = async {
        loop {
            alice.send_raw(&b"a line\n".repeat(8)).await;
            for _ in 0..8 {
                alice.answer_json().await;
            }
        }
    };
    let check = async {
        for _ in 0..10 {
            let mut check = tokio::process::Command::new(binary::path("chat-server"));
            check.arg("--data").arg(data.path("data")).arg("check");
            let received = check.output().await.unwrap();
            let received = String::from_utf8(received.stdout).unwrap();
            assert!(received.contains("ok     database"), "{received}");
        }
    };
    tokio::select! {
        () = talk => {}
        () = check => {}
    }
}

#[tokio::test]
async fn a_check_finds_each_fault_and_states_its_cure() {
    let data = Data::new();
    let listen = |server: &TestServer| server.address().to_string();
    let mut server = with_three_lines(&data).await;
    let received = data.succeeds("data", &["--listen", &listen(&server), "check"]);
    for line in [
        "ok     settings",
        "a server runs on",
        "ok     room",
        "ok     database: it is whole",
        "while the server runs",
    ] {
        assert!(received.contains(line), "{line}: {received}");
    }
    let received = data.fails("other", &["--listen", &listen(&server), "check"]);
    assert!(
        received.contains("fault  port") && received.contains("another address with --listen"),
        "{received}"
    );
    assert!(server.terminate().await.success());
    assert!(
        data.succeeds("data", &["--listen", "127.0.0.1:0", "check"])
            .contains("is free for a server")
    );
    damage(&data.path("data/chat.db"));
    let received = data.fails("data", &["--listen", "127.0.0.1:0", "check"]);
    assert!(
        received.contains("fault  database") && received.contains("restore a backup"),
        "{received}"
    );
}

/// Overwrites everything but the first page.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[4096..].fill(0xAA);
    fs::write(file, bytes).unwrap();
}

/// Runs a tool with its output to `out`. Returns its exit code and standard error.
fn write_to(data: &Data, out: impl Into<Stdio>, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary::path("chat-server"));
    command.arg("--data").arg(data.path("data")).current_dir(data.folder.path());
    command.args(words).stdin(Stdio::null()).stdout(out).stderr(Stdio::piped());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn unread_output_has_the_right_exit_code() {
    let data = Data::new();
    let server = with_three_lines(&data).await;
    let listen = server.address().to_string();
    let tools = [
        &["export", "--channel", "dev"][..],
        &["export", "--channel", "dev", "-"],
        &["--listen", &listen, "check"],
        &["admin", "operators"],
        &["admin", "stats"],
        &["backup", "copy.db"],
        &["--help"],
        &["--version"],
        &["export", "--help"],
    ];
    for words in tools {
        // Like `head`, which closes its input early.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(write_to(&data, writer, words), (Some(0), String::new()), "{words:?}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, received) = write_to(&data, writer, &["--listen", "192.0.2.1:0", "check"]);
    assert_eq!(code, Some(1), "a fault is a fault though nobody reads of it: {received}");
    for words in tools.into_iter().filter(|words| !words.contains(&"operators")) {
        drop(fs::remove_file(data.path("copy.db")));
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let (code, received) = write_to(&data, full, words);
        assert_eq!(code, Some(1), "{words:?}: {received}");
        assert!(received.contains("the output can't be written"), "{words:?}: {received}");
        assert!(!received.contains("panicked"), "{words:?}: {received}");
    }
}

#[test]
fn a_named_pipe_is_refused_without_waiting() {
    let data = Data::new();
    let made = Command::new("mkfifo").arg(data.path("pipe")).status().unwrap();
    assert!(made.success());
    for words in [
        &["import", "pipe"][..],
        &["restore", "pipe"],
        &["--config", "pipe", "check"],
        &["--config", "pipe"],
        &["--motd", "pipe", "check"],
        &["--motd", "pipe"],
    ] {
        let refused = data.fails("data", words);
        assert!(refused.contains("pipe"), "{words:?}: {refused}");
    }
    // Tools don't read the message of the day.
    assert!(data.fails("data", &["--motd", "pipe", "backup", "x"]).contains("there is no "));
    // A pipe of the shell has a writer.
    let mut command = Command::new("bash");
    command.arg("-c").arg("\"$0\" --config <(echo ephemeral = true) --motd <(echo hi) check");
    command.arg(binary::path("chat-server"));
    let output = command.output().unwrap();
    assert!(said(&output).contains("nothing is kept on disk"), "{}", said(&output));
}

#[test]
fn a_flag_is_accepted_only_where_it_has_an_effect() {
    let data = Data::new();
    for tool in ["backup", "export", "export-user", "import", "restore", "admin"] {
        let help = said(&data.run("data", &[tool, "--help"]));
        assert!(help.contains("--data") && !help.contains("--ephemeral"), "{tool}: {help}");
    }
    let ephemeral = Command::new(binary::path("chat-server"))
        .args(["--listen", "127.0.0.1:0", "check", "--ephemeral"])
        .output()
        .unwrap();
    assert!(said(&ephemeral).contains("nothing is kept on disk"), "{}", said(&ephemeral));
}
