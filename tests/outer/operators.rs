//! Server operators, in the chat and at the shell.

use std::path::{Path, PathBuf};
use std::process::Output;

use chat_testkit::binary;
use chat_testkit::client::{ClientFormat, Skip, TestClient};
use chat_testkit::server::{ServerSetup, TestServer};
use serde_json::Value;
use tokio::process::Command;

/// A server with a data directory, and its admin socket.
struct Kept {
    folder: tempfile::TempDir,
    setup: ServerSetup,
}

impl Kept {
    fn new() -> Self {
        Self::with(ServerSetup::unpaced())
    }

    fn with(setup: ServerSetup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = setup.keeping(folder.path());
        Self { folder, setup }
    }

    async fn start(&self) -> TestServer {
        self.setup.start().await
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    /// The output and the exit code of `chat-server admin`.
    async fn admin(&self, words: &[&str]) -> Output {
        admin(&self.socket(), words).await
    }

    /// The same in JSON: the rows and the last line. It must succeed.
    async fn admin_json(&self, words: &[&str]) -> (Vec<Value>, Value) {
        let words = [&["--json"], words].concat();
        let output = self.admin(&words).await;
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let mut rows: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = rows.pop().unwrap();
        assert_eq!(last["type"], "done");
        (rows, last)
    }
}

pub(crate) async fn admin(socket: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(binary::path("chat-server"));
    command.arg("admin").arg("--socket").arg(socket).args(words);
    command.kill_on_drop(true).output().await.unwrap()
}

/// The output without its line ending.
fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap().trim_end()
}

const PASSWORD: &str = "correct horse";

/// A user with an account.
async fn registered(server: &TestServer, who: &str, format: ClientFormat) -> TestClient {
    let mut client = server.person_in(who, ClientFormat::Json).await;
    let (_, answer) = client.ask_json(&format!("/register {PASSWORD}")).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    client.take_format(format).await;
    client
}

async fn signed_in(server: &TestServer, who: &str) -> TestClient {
    let mut client = server.newcomer(who).await;
    client.take_format_quietly(ClientFormat::Json).await;
    client.settle().await;
    let (_, answer) = client.ask_json(&format!("/login {who} {PASSWORD}")).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    client
}

/// The fail2ban pattern of docs/operating.md as a regular expression. fail2ban removes the time
/// first.
fn failregex() -> regex::bytes::Regex {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let line = page.lines().find_map(|line| line.trim().strip_prefix("failregex = ")).unwrap();
    let pattern = line.replace("<HOST>", "([0-9a-f.:]+)");
    regex::bytes::RegexBuilder::new(&pattern).unicode(false).build().unwrap()
}

#[tokio::test]
async fn the_log_has_a_line_for_each_documented_event() {
    let kept = Kept::new();
    let server = kept.start().await;
    let first = server.wait_for_log("INFO chat-server starts").await;
    let data = format!("data={}", kept.folder.path().display());
    assert!(first.contains(&data) && first.contains("version="), "{first}");
    assert!(first.ends_with("config=(none)"), "{first}");

    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    for line in ["/create dev", "/create old", "in old", "/drop old"] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    assert_eq!(bob.ask_json("/enter dev").await.1["type"], "ok");
    for line in ["/kick #dev bob", "/ban #dev bob for 1h", "/ban #dev 192.0.2.0/24"] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    let mut zoe = server.person_in("zoe", ClientFormat::Json).await;
    for line in
        ["/login alice not that horse", "/login alice token:AAAA", "/login nadia correct horse"]
    {
        assert_eq!(zoe.ask_json(line).await.1["code"], "wrong-password", "{line}");
    }
    let signed_in = zoe.ask_json(&format!("/login alice {PASSWORD}")).await.1;
    assert_eq!(signed_in["type"], "ok");
    kept.admin_json(&["grant", "alice"]).await;
    kept.admin_json(&["kill", "bob", "a reason"]).await;
    kept.admin_json(&["ban", "spam*bot"]).await;
    let lines = [
        "registered address=127.0.0.1 name=alice",
        "channel made channel=#dev by=alice",
        "channel dropped channel=#old lines=1 by=alice",
        "kicked channel=#dev user=bob by=alice",
        "banned channel=#dev whom=bob by=alice",
        "banned channel=#dev whom=192.0.2.0/24 by=alice",
        "sign-in failed address=127.0.0.1 name=alice",
        "sign-in failed address=127.0.0.1 name=nadia",
        "signed in address=127.0.0.1 name=alice",
        "operator of the server whom=alice by=(shell)",
        "killed whom=bob by=(shell)",
        "banned from the server whom=spam*bot by=(shell)",
    ];
    server.wait_for_log("banned from the server").await;
    let log = server.log();
    for line in lines {
        assert!(
            log.lines().any(|logged| logged.ends_with(&format!(" INFO {line}"))),
            "{line}: {log}"
        );
    }
    let failregex = failregex();
    let without_time =
        |line: &&str| line.split_once("Z ").map(|(_, rest)| rest.as_bytes().to_vec());
    let logged: Vec<_> = log.lines().filter_map(|line| without_time(&line)).collect();
    let failed = logged.iter().filter_map(|line| failregex.captures(line));
    let hosts: Vec<_> = failed.map(|found| found[1].to_vec()).collect();
    assert_eq!(hosts, vec![b"127.0.0.1".to_vec(); 3]);
    let token = signed_in["token"].as_str().unwrap();
    for secret in [PASSWORD, "not that horse", token, "in old"] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn in_the_journal_each_line_has_its_priority() {
    let journal = "export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2)";
    let server = ServerSetup::default().prelude(journal).start().await;
    let line = server.wait_for_log("listening").await;
    assert!(line.starts_with("<6>2"), "{line}");
    let elsewhere = ServerSetup::default().environment("JOURNAL_STREAM", "1:2").start().await;
    let line = elsewhere.wait_for_log("listening").await;
    assert!(line.starts_with('2'), "{line}");
}

#[tokio::test]
async fn operators_of_the_server_act_in_every_channel_and_it_is_recorded() {
    let kept = Kept::new();
    let mut server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    let mut root = registered(&server, "root-1", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    for line in ["/create dev", "/set hidden on", "/set invite-only on", "/invite bob"] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    assert_eq!(bob.ask_json("/enter dev").await.1["type"], "ok");
    assert_eq!(bob.ask_json("rude").await.1["type"], "ok");
    let acts = [
        ("/mute #dev bob for 1h rude", "mute", "#dev bob"),
        ("/purge #dev bob", "purge", "#dev bob"),
        ("/set #dev slow 10s", "set", "#dev slow 10s"),
        ("/kick #dev bob", "kick", "#dev bob"),
        ("/op #dev root-1", "op", "#dev root-1"),
    ];
    for (line, ..) in acts {
        // To other users the channel doesn't exist.
        assert_eq!(root.ask_json(line).await.1["code"], "no-such-channel", "{line}");
    }
    kept.admin_json(&["grant", "root-1"]).await;
    for (line, ..) in acts {
        let (_, answer) = root.ask_json(line).await;
        assert_eq!(answer["type"], "ok", "{line}: {answer}");
    }
    // In their own channel, as a member, it isn't a server action.
    for line in ["/enter dev", "/unmute bob"] {
        assert_eq!(root.ask_json(line).await.1["type"], "ok", "{line}");
    }
    assert_eq!(root.ask_json("/log #dev").await.1["count"], 9);
    let whois = root.ask_json("/whois bob").await.0;
    assert_eq!(whois[0]["address"], "127.0.0.1");
    let whois = alice.ask_json("/whois bob").await.0;
    assert!(whois[0].get("address").is_none(), "{whois:?}");
    kept.admin_json(&["drop", "dev", "it is over"]).await;
    let dropped = bob.ask_json("/enter dev").await.1;
    assert_eq!(dropped["code"], "no-such-channel");
    server.kill().await;

    let server = kept.start().await;
    let (rows, _) = kept.admin_json(&["log"]).await;
    let recorded: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row["did"].as_str().unwrap(), row["whom"].as_str().unwrap()))
        .collect();
    let mut expected = vec![("grant", "root-1")];
    expected.extend(acts.map(|(_, did, whom)| (did, whom)));
    expected.push(("drop", "#dev"));
    assert_eq!(recorded, expected);
    assert_eq!(rows[1]["by"], "root-1");
    assert_eq!(rows[1]["reason"], "rude");
    assert!(rows[1]["until"].is_string());
    assert!(rows[6]["by"].is_null());
    drop(server);
}

#[tokio::test]
async fn the_shell_gives_the_right_to_a_channel_back_ends_one_and_deletes_an_account() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut kate = registered(&server, "kate", ClientFormat::Json).await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    assert_eq!(alice.ask_json("/create dev").await.1["type"], "ok");
    for line in ["/enter dev", "months of work"] {
        assert_eq!(kate.ask_json(line).await.1["type"], "ok", "{line}");
    }
    alice.send("/quit").await;
    alice.read_to_end().await;
    // She inherited the right, which excludes irreversible commands.
    kate.read_until(|line| line.contains("now the operator")).await;
    assert_eq!(kate.ask_json("/op bob").await.1["code"], "no-such-user");
    assert_eq!(kate.ask_json("/purge kate").await.1["code"], "not-allowed");
    kept.admin_json(&["op", "#dev", "kate"]).await;
    let received = kate.read_until(|line| line.contains(r#""type":"op""#)).await;
    assert!(received.last().unwrap().contains(r#""by":"server""#), "{received:?}");
    assert_eq!(kate.ask_json("/purge zoe").await.1["type"], "ok");
    let (log, _) = kate.ask_json("/log").await;
    assert_eq!(log[0]["by"], "server", "{log:?}");
    for (words, code) in [
        (&["op", "nowhere", "kate"][..], "no-such-channel"),
        (&["op", "dev", "nadia"], "no-such-user"),
        (&["drop", "nowhere"], "no-such-channel"),
        (&["delete-account", "nadia"], "no-such-user"),
    ] {
        let refused = kept.admin(words).await;
        assert_eq!(refused.status.code(), Some(1), "{words:?}");
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(why.contains(code), "{words:?}: {why}");
    }

    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    assert_eq!(bob.ask_json("/enter dev").await.1["type"], "ok");
    kept.admin_json(&["delete-account", "kate"]).await;
    let received = kate.read_until(|line| line.contains(r#""type":"signedout""#)).await;
    assert!(
        received.last().unwrap().contains("an operator of the server deleted it"),
        "{received:?}"
    );
    let (rows, _) = bob.ask_json("/history after 0").await;
    assert!(rows.iter().all(|row| row["text"] != "months of work"), "{rows:?}");
    assert_eq!(bob.ask_json("/name kate").await.1["type"], "ok", "the name is free");
    kept.admin_json(&["drop", "#dev"]).await;
    bob.read_until(|line| line.contains(r#""type":"dropped""#)).await;
    server.wait_for_log("account deleted whom=kate by=(shell)").await;
}

#[tokio::test]
async fn the_shell_lists_connections_accounts_and_channels_by_pages() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    let _bob = server.person("bob").await;
    let mut nameless = server.newcomer("nameless").await;
    nameless.settle().await;
    for line in ["/create one", "hello", "/create two", "/set hidden on", "/create three"] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    kept.admin_json(&["grant", "alice"]).await;
    let (users, last) = kept.admin_json(&["users"]).await;
    assert_eq!((users.len(), &last["count"]), (3, &Value::from(3)));
    assert!(last.get("next").is_none(), "{last}");
    assert_eq!((&users[0]["name"], &users[0]["account"]), (&"alice".into(), &"alice".into()));
    assert_eq!((&users[0]["client"], &users[1]["client"]), (&"json".into(), &"text".into()));
    assert!(users[1]["account"].is_null() && users[2]["name"].is_null(), "{users:?}");
    for user in &users {
        assert_eq!(user["address"], "127.0.0.1");
        assert!(user["since"].is_string() && user["idle"].is_u64(), "{user}");
    }
    let (page, last) = kept.admin_json(&["users", "--limit", "2"]).await;
    assert_eq!(page.len(), 2);
    let next = last["next"].as_str().unwrap();
    let (page, last) = kept.admin_json(&["users", "--after", next]).await;
    assert_eq!((page.len(), last.get("next")), (1, None));
    assert_eq!(kept.admin_json(&["users", "BO"]).await.0.len(), 1);

    let (accounts, _) = kept.admin_json(&["accounts"]).await;
    assert_eq!(accounts.len(), 1);
    assert_eq!((&accounts[0]["operator"], &accounts[0]["connections"]), (&true.into(), &1.into()));

    let (channels, _) = kept.admin_json(&["channels"]).await;
    let names: Vec<_> = channels.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["#one", "#three", "#two"]);
    assert_eq!((&channels[0]["lines"], &channels[2]["hidden"]), (&1.into(), &true.into()));
    assert_eq!(channels[0]["operators"], Value::from(vec!["alice"]));
    let (page, last) = kept.admin_json(&["channels", "--limit", "1", "t"]).await;
    assert_eq!((page[0]["name"].as_str(), last["next"].as_str()), (Some("#three"), Some("#three")));
    let text = kept.admin(&["channels", "--after", "#three"]).await;
    assert_eq!(said(&text), "#two  members 1  lines 0  operators alice  hidden");
}

/// The complete settings files of docs/operating.md, in order.
fn settings_on_the_page() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

#[tokio::test]
async fn the_documented_settings_of_an_open_server_work() {
    let [open, _] = &settings_on_the_page()[..] else { panic!("an open server and a team's") };
    let kept = Kept::with(ServerSetup::default().config(open));
    let server = kept.start().await;
    let mut guest = server.person_in("guest-1", ClientFormat::Json).await;
    for line in ["/create talk", "hello", "/register correct horse", "/channels"] {
        assert_eq!(guest.ask_json(line).await.1["type"], "ok", "{line}");
    }
}

#[tokio::test]
async fn the_documented_settings_of_a_teams_server_work() {
    let [_, team] = &settings_on_the_page()[..] else { panic!("an open server and a team's") };
    let kept = Kept::with(ServerSetup::default().config(team));
    let mut server = kept.start().await;
    let (_, invitation) = kept.admin_json(&["invitation"]).await;
    let invite = invitation["invite"].as_str().unwrap();
    let mut alice = server.newcomer("alice").await;
    alice.settle().await;
    alice.take_format(ClientFormat::Json).await;
    let refused = |answer: &Value| answer["code"].as_str().unwrap_or_default().to_owned();
    assert_eq!(refused(&alice.ask_json("alice").await.1), "not-signed-in");
    assert_eq!(refused(&alice.ask_json("/register correct horse").await.1), "not-allowed");
    assert_eq!(refused(&alice.ask_json("/users").await.1), "not-named");
    let register = format!("/register invite:{invite} correct horse");
    assert_eq!(alice.ask_json(&register).await.1["name"], "alice");
    kept.admin_json(&["grant", "alice"]).await;
    let (_, invitation) = alice.ask_json("/invitation").await;
    assert_eq!(invitation["type"], "ok", "{invitation}");
    for line in ["/create plans", "hello"] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }

    let mut guest = server.newcomer("guest").await;
    guest.settle().await;
    guest.take_format(ClientFormat::Json).await;
    assert_eq!(refused(&guest.ask_json("bob").await.1), "not-signed-in");
    assert_eq!(refused(&guest.ask_json("/channels").await.1), "not-signed-in");
    let invite = invitation["invite"].as_str().unwrap();
    // An invitation registers a free name, and no other.
    assert_eq!(refused(&guest.ask_json("Alice").await.1), "name-registered");
    let register = format!("/register invite:{invite} correct horse");
    assert_eq!(guest.ask_json(&register).await.1["name"], "bob");
    assert_eq!(refused(&guest.ask_json("/enter plans").await.1), "no-such-channel");
    assert_eq!(guest.ask_json("/channels").await.1["count"], 0);
    assert_eq!(alice.ask_json("/invite #plans bob").await.1["type"], "ok");
    assert_eq!(guest.ask_json("/enter plans").await.1["type"], "ok");
    server.kill().await;

    let server = kept.start().await;
    let mut carol = server.newcomer("carol").await;
    carol.settle().await;
    carol.take_format(ClientFormat::Json).await;
    assert_eq!(refused(&carol.ask_json("bob").await.1), "name-registered");
    assert_eq!(carol.ask_json("/login bob correct horse").await.1["type"], "ok");
    let (settings, _) = carol.ask_json("/set #plans").await;
    let on = |name| settings.iter().any(|row| row["name"] == name && row["value"] == "on");
    assert!(on("invite-only") && on("hidden"), "{settings:?}");
}

#[tokio::test]
async fn an_operator_is_made_at_the_shell_and_ends_connections_in_the_chat() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Text).await;
    let mut bob = server.person("bob").await;
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    for one in [&mut alice, &mut bob, &mut carol] {
        one.send("/create general").await;
        one.send("/enter general").await;
        one.settle().await;
    }
    alice.settle().await;
    bob.settle().await;

    let refused =
        "! not-allowed: /kill is for operators of the server. /help shows what you can do.";
    assert_eq!(alice.ask("/kill bob").await, [refused]);
    assert!(!alice.ask("/help").await.concat().contains("/kill"));

    let granted = kept.admin(&["grant", "Alice"]).await;
    assert_eq!(
        (granted.status.code(), said(&granted)),
        (Some(0), "Alice is an operator of the server.")
    );
    let received = alice.settle().await;
    assert_eq!(
        received,
        ["* You are an operator of this server now. /help shows what you can do."]
    );
    assert!(alice.ask("/help").await.concat().contains("/kill user"));

    assert_eq!(alice.ask("/kill dave").await[0].split(':').next(), Some("! no-such-user"));
    assert_eq!(alice.ask("/kill alice").await[0].split(':').next(), Some("! bad-argument"));
    alice.send("/kill bob enough now").await;
    let received = alice.read_until(|line| line.contains("You ended")).await;
    assert_eq!(received.last().unwrap(), "* You ended 1 connection of bob.");
    let last = bob.read_to_end().await;
    assert_eq!(
        last,
        [
            "* alice, an operator of the server, ended your connection: enough now",
            "* Bye: an operator of the server ended your connection.",
        ]
    );
    let gone = carol.json().await;
    assert_eq!(
        (&gone["type"], &gone["user"], &gone["reason"]),
        (&"gone".into(), &"bob".into(), &"killed by alice (enough now)".into())
    );

    // The same at the shell, in JSON.
    let (_, done) = kept.admin_json(&["kill", "carol"]).await;
    assert_eq!(done["count"], 1);
    let killed = carol.json().await;
    assert_eq!(killed, serde_json::json!({"type": "killed", "by": null}));
    assert_eq!(carol.json().await["type"], "bye");
    carol.expect_end().await;

    let (acts, _) = kept.admin_json(&["log"]).await;
    let received: Vec<_> = acts.iter().map(|act| (&act["by"], &act["did"], &act["whom"])).collect();
    assert_eq!(
        received,
        [
            (&Value::Null, &"grant".into(), &"alice".into()),
            (&"alice".into(), &"kill".into(), &"bob".into()),
            (&Value::Null, &"kill".into(), &"carol".into()),
        ]
    );
    assert_eq!(acts[1]["reason"], "enough now");
}

/// However fast a user sends, no message is published or stored after the `ok` to `/kill`.
#[tokio::test]
async fn no_message_is_published_after_the_ok_to_a_kill_or_a_server_ban() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    kept.admin(&["grant", "alice"]).await;
    alice.settle().await;
    alice.ask_json("/create dev").await;
    let mut told_before = 0;
    for round in 0..30 {
        let mut bob = server.person_in("bob", ClientFormat::Json).await;
        bob.ask_json("/enter dev").await;
        alice.settle().await;
        let lines: String = (0..200).map(|n| format!("{round} {n}\n")).collect();
        bob.send_raw(lines.as_bytes()).await;
        let (act, re) =
            if round % 2 == 0 { ("/kill bob", "kill") } else { ("/ban everywhere bob", "ban") };
        alice.send(act).await;
        let mut last = None;
        let mut is_answered = false;
        loop {
            let received = alice.json().await;
            match received["type"].as_str().unwrap() {
                "message" => {
                    assert!(!is_answered, "after the answer to {act}: {received}");
                    last = Some(received["text"].clone());
                    told_before += 1;
                }
                "ok" if received["re"] == re => is_answered = true,
                "gone" => break,
                _ => {}
            }
        }
        assert!(is_answered, "gone before the answer to {act}");
        let (past, _) = alice.ask_json("/history 1").await;
        if let Some(last) = last {
            assert_eq!(past.last().unwrap()["text"], last, "kept after the answer to {act}");
        }
        if re == "ban" {
            alice.ask_json("/unban everywhere bob").await;
        }
    }
    assert!(told_before > 0, "no line ever came before");
}

/// The operator's right is checked again when the command is executed.
#[tokio::test]
async fn commands_of_a_revoked_operator_have_no_effect() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    for _ in 0..10 {
        kept.admin(&["grant", "alice"]).await;
        alice.settle().await;
        let revoking = kept.admin(&["revoke", "alice"]);
        let announcing = async {
            let mut is_revoked = false;
            while !is_revoked {
                alice.send_raw("/announce hi\n".repeat(50).as_bytes()).await;
                let mut answers = 0;
                while answers < 50 {
                    let received = alice.json().await;
                    match received["type"].as_str().unwrap() {
                        "ok" => {
                            assert!(!is_revoked, "done for nobody: {received}");
                            answers += 1;
                        }
                        "error" => {
                            assert!(is_revoked, "{received}");
                            assert_eq!(received["code"], "not-allowed");
                            answers += 1;
                        }
                        _ => is_revoked = true,
                    }
                }
            }
        };
        let (revoked, ()) = tokio::join!(revoking, announcing);
        assert_eq!(revoked.status.code(), Some(0), "{revoked:?}");
    }
}

/// A ban that spares operators applies to former ones.
#[tokio::test]
async fn a_ban_applies_to_an_operator_whose_right_is_revoked() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    let mut carol = registered(&server, "carol", ClientFormat::Json).await;
    let mut dave = registered(&server, "dave", ClientFormat::Json).await;
    for name in ["alice", "carol", "dave"] {
        kept.admin(&["grant", name]).await;
    }
    for one in [&mut alice, &mut carol, &mut dave] {
        one.settle().await;
    }
    kept.admin_json(&["ban", "al*"]).await;
    for (who, name) in [(&mut alice, "alice"), (&mut carol, "carol")] {
        who.expect_nothing().await;
        kept.admin_json(&["revoke", name]).await;
        let mut received = who.json().await;
        if received["type"] == "notice" {
            // A kill doesn't wait, so the loss of the right may not be reported.
            received = who.json().await;
        }
        assert_eq!(
            (&received["type"], &received["banned"]),
            (&"killed".into(), &true.into()),
            "{name}"
        );
        assert_eq!(who.json().await["type"], "bye");
        who.expect_end().await;
        // Now the address is banned.
        kept.admin_json(&["ban", "127.0.0.0/8"]).await;
    }
    kept.admin_json(&["unban", "127.0.0.0/8"]).await;
    kept.admin_json(&["revoke", "dave"]).await;
    dave.json().await;
    dave.expect_nothing().await;
}

/// A stalled client is disconnected like any other.
#[tokio::test]
async fn a_kill_disconnects_a_stalled_client_at_once() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    bob.send("/create general").await;
    bob.settle().await;
    alice.send("/enter general").await;
    // Enough to fill the socket buffers.
    let line = "x".repeat(4000);
    for _ in 0..3000 {
        alice.send(&line).await;
    }
    alice.settle().await;
    let (_, done) = kept.admin_json(&["kill", "bob", "spam"]).await;
    assert_eq!(done["count"], 1);
    let gone = "* bob left the system: killed by the server's operator (spam)";
    alice.expect_line(gone, Skip::Others).await;
}

#[tokio::test]
async fn an_announcement_reaches_every_named_client() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    kept.admin(&["grant", "alice"]).await;
    let mut bob = server.person("bob").await;
    let mut nobody = server.newcomer("nobody").await;
    nobody.settle().await;
    alice.settle().await;
    let (_, answer) = alice.ask_json("/announce back at noon").await;
    assert_eq!(answer, serde_json::json!({"type": "ok", "re": "announce", "count": 1}));
    bob.expect(&["* Announcement from alice: back at noon"]).await;
    nobody.expect_nothing().await;
    let (_, done) = kept.admin_json(&["announce", "and", "gone", "again"]).await;
    assert_eq!(done["count"], 2);
    bob.expect(&["* Announcement: and gone again"]).await;
    let received = alice.json().await;
    assert_eq!((&received["from"], &received["text"]), (&Value::Null, &"and gone again".into()));
}

#[tokio::test]
async fn stats_are_shown() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    kept.admin(&["grant", "alice"]).await;
    alice.settle().await;
    for line in ["/create general", "hi", "there"] {
        alice.ask_json(line).await;
    }
    let _newcomer = server.newcomer("nobody").await;
    let (rows, answer) = alice.ask_json("/stats").await;
    assert_eq!(answer["count"], rows.len());
    let value = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.unwrap_or_else(|| panic!("no {name}: {rows:?}"))["value"].as_u64().unwrap()
    };
    for (name, expected) in [
        ("people", 1),
        ("accounts", 1),
        ("operators", 1),
        ("channels", 1),
        ("lines", 2),
        ("invitations", 0),
        ("waiting_passwords", 0),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(value("memory_bytes") > 1_000_000);
    let (shell, _) = kept.admin_json(&["stats"]).await;
    let names = |rows: &[Value]| rows.iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&shell), names(&rows));
}

fn registering_by_invitation() -> Kept {
    Kept::with(ServerSetup::unpaced().config("[accounts]\nregistration = \"invitation\"\n"))
}

async fn code(client: &mut TestClient, line: &str) -> (String, String) {
    let (_, answer) = client.ask_json(line).await;
    let word = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    (word("code"), word("text"))
}

#[tokio::test]
async fn an_invitation_allows_one_account() {
    let kept = registering_by_invitation();
    let mut server = kept.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let (refused, text) = code(&mut alice, "/register correct horse").await;
    assert_eq!(refused, "not-allowed");
    assert!(text.contains("needs an invitation"), "{text}");
    let (_, text) = code(&mut alice, "/register invite:nonsense correct horse").await;
    assert!(text.contains("not good any more"), "{text}");

    let first = kept.admin(&["invitation"]).await;
    let first = said(&first).to_owned();
    // An invalid password doesn't use up the invitation.
    let (refused, _) = code(&mut alice, &format!("/register {first} short")).await;
    assert_eq!(refused, "bad-argument");
    let (_, answer) = alice.ask_json(&format!("/register {first} {PASSWORD}")).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    kept.admin(&["grant", "alice"]).await;
    alice.settle().await;
    let (_, answer) = alice.ask_json("/invitation").await;
    let second = format!("invite:{}", answer["invite"].as_str().unwrap());
    let (waiting, _) = kept.admin_json(&["invitations"]).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0]["by"], &waiting[0]["until"]), (&"alice".into(), &answer["until"]));

    // All of it is stored.
    server.kill().await;
    let server = kept.start().await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    let (_, text) = code(&mut bob, &format!("/register {first} {PASSWORD}")).await;
    assert!(text.contains("not good any more"), "{text}");
    let (_, answer) = bob.ask_json(&format!("/register {second} {PASSWORD}")).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    let (operators, _) = kept.admin_json(&["operators"]).await;
    assert_eq!(
        operators,
        [serde_json::json!({"type": "operator", "name": "alice", "here": false})]
    );
    let mut alice = signed_in(&server, "alice").await;
    let (_, answer) = alice.ask_json("/stats").await;
    assert_eq!(answer["type"], "ok");
}

/// Concurrent uses of one code register one account.
#[tokio::test]
async fn concurrent_uses_of_an_invitation_create_one_account() {
    let kept = registering_by_invitation();
    let server = kept.start().await;
    let invite = kept.admin(&["invitation"]).await;
    let line = format!("/register {} {PASSWORD}", said(&invite));
    let mut all = Vec::new();
    for n in 0..8 {
        all.push(server.person_in(&format!("racer{n}"), ClientFormat::Json).await);
    }
    for one in &mut all {
        one.send(&line).await;
    }
    let mut made = 0;
    for one in &mut all {
        let (_, answer) = one.answer_json().await;
        if answer["type"] == "ok" {
            made += 1;
        } else {
            assert!(answer["text"].as_str().unwrap().contains("not good any more"), "{answer}");
        }
    }
    assert_eq!(made, 1);
    let (stats, _) = kept.admin_json(&["stats"]).await;
    let accounts = stats.iter().find(|row| row["name"] == "accounts").unwrap();
    assert_eq!(accounts["value"], 1);
}

#[tokio::test]
async fn a_server_can_take_no_new_accounts() {
    let kept = Kept::with(ServerSetup::unpaced().config("[accounts]\nregistration = \"closed\"\n"));
    let server = kept.start().await;
    let mut alice = server.person("alice").await;
    let refused = "! not-allowed: This server makes no new accounts. Ask its operator for one, or go on \
                   without.";
    assert_eq!(alice.ask("/register correct horse").await, [refused]);
    let output = kept.admin(&["invitation"]).await;
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_forgotten_password_is_reset_at_the_shell() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Text).await;
    let reset = kept.admin(&["reset-password", "alice"]).await;
    let password = said(&reset).to_owned();
    assert_eq!(password.len(), 20);
    let received = alice.settle().await.concat();
    assert!(received.contains("an operator of the server gave it another password"), "{received}");
    let mut again = server.newcomer("alice").await;
    again.settle().await;
    let wrong = again.ask(&format!("/login alice {PASSWORD}")).await.concat();
    assert!(wrong.contains("! wrong-password"), "{wrong}");
    again.send(&format!("/login alice {password}")).await;
    again.expect_line("* You are signed in as alice. /logout signs out.", Skip::Others).await;
}

#[tokio::test]
async fn the_exit_code_reports_the_result() {
    let kept = Kept::new();
    let nowhere = kept.admin(&["stats"]).await;
    assert_eq!(nowhere.status.code(), Some(3));
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert!(said.contains("no server can be reached"), "{said}");
    let _server = kept.start().await;
    for (words, expected) in [
        (&["stats"][..], 0),
        (&["operators"], 0),
        (&["grant", "nobody-here"], 1),
        (&["kill", "nobody-here"], 1),
        (&["kill", "-"], 1),
        (&["dance"], 2),
        (&["grant"], 2),
    ] {
        let output = kept.admin(words).await;
        assert_eq!(output.status.code(), Some(expected), "{words:?}: {output:?}");
    }
    let refused = kept.admin(&["--json", "grant", "nobody-here"]).await;
    let line: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((&line["type"], &line["code"]), (&"refused".into(), &"no-such-user".into()));
}

/// A server that refuses a request stops reading it, and its reason arrives nevertheless.
#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let kept = Kept::new();
    let _server = kept.start().await;
    let long = "x".repeat(100_000);
    for expected in ["line-too-long", "too-fast"] {
        let (mut received, mut held) = (0, Vec::new());
        while received < 10 {
            if expected == "too-fast" && held.is_empty() {
                // As many requests as are allowed at once.
                for _ in 0..8 {
                    held.push(tokio::net::UnixStream::connect(kept.socket()).await.unwrap());
                }
            }
            let refused = kept.admin(&["--json", "announce", &long, &long, &long, &long]).await;
            assert_eq!(refused.status.code(), Some(1), "{expected}: {refused:?}");
            let line: Value = serde_json::from_slice(&refused.stdout).unwrap();
            assert_eq!(line["type"], "refused");
            if line["code"] == expected {
                received += 1;
            } else {
                // On a busy machine they time out meanwhile, and others take their place.
                assert!(!held.is_empty() && line["code"] == "line-too-long", "{line}");
                held.clear();
            }
        }
    }
}

/// A script that reads JSON gets JSON also without a server.
#[tokio::test]
async fn an_unreachable_server_is_reported_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let output = admin(&folder.path().join("none.sock"), &["--json", "stats"]).await;
    assert_eq!(output.status.code(), Some(3));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["type"], &line["code"]), (&"refused".into(), &"unreachable".into()));
    assert!(line["text"].as_str().unwrap().starts_with("no server can be reached at "));
    assert!(!output.stderr.is_empty());
}

/// Only the server's user and root can use the socket, and requests are bounded.
#[tokio::test]
async fn the_admin_socket_is_private_and_bounded() {
    use std::os::unix::fs::PermissionsExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let kept = Kept::new();
    let _server = kept.start().await;
    let mode = std::fs::metadata(kept.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (line, code) in [
        ("nonsense\n".to_owned(), "bad-argument"),
        ("x".repeat(32 * 1024), "line-too-long"),
        ("{\"do\":\"dance\"}\n".to_owned(), "bad-argument"),
    ] {
        let mut stream = tokio::net::UnixStream::connect(kept.socket()).await.unwrap();
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&answer["type"], &answer["code"]), (&"refused".into(), &code.into()));
    }
}

#[tokio::test]
async fn an_ephemeral_server_has_an_admin_socket_at_the_given_path() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("here.sock");
    let setup = ServerSetup::unpaced().flag("--admin-socket").flag(socket.to_str().unwrap());
    let server = setup.start().await;
    assert_eq!(admin(&socket, &["stats"]).await.status.code(), Some(0));
    drop(server);
    let without = TestServer::start_unpaced().await;
    assert!(!without.log().contains("admin socket"));
}

/// A client from another address of this machine that has read nothing yet.
async fn from_elsewhere(server: &TestServer, who: &str) -> TestClient {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    TestClient::over(who, socket.connect(server.address()).await.unwrap())
}

#[tokio::test]
async fn a_banned_net_is_refused_until_it_is_unbanned() {
    let kept = Kept::new();
    let mut server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Json).await;
    kept.admin(&["grant", "alice"]).await;
    alice.settle().await;
    let mut nameless = from_elsewhere(&server, "nameless").await;
    nameless.settle().await;
    let mut bob = from_elsewhere(&server, "bob").await;
    bob.settle_in(ClientFormat::Json).await;

    let (_, answer) = alice.ask_json("/ban everywhere 127.0.0.2/31 for 2h spam").await;
    let until = answer["until"].as_str().unwrap().to_owned();
    assert_eq!(
        answer,
        serde_json::json!({
            "type": "ok", "re": "ban", "target": "127.0.0.2/31", "count": 2, "until": until
        })
    );
    let received = bob.json().await;
    assert_eq!((&received["type"], &received["banned"]), (&"killed".into(), &true.into()));
    assert_eq!((&received["by"], &received["reason"]), (&"alice".into(), &"spam".into()));
    assert_eq!(bob.json().await["type"], "bye");
    bob.expect_end().await;
    let received = nameless.read_to_end().await;
    assert!(received[0].contains("ended your connection and banned you until "), "{received:?}");

    let turned_away = |received: &[String]| {
        assert_eq!(received.len(), 1, "{received:?}");
        assert!(received[0].starts_with("! banned: You are banned from this server until "));
        assert!(received[0].ends_with(" (spam). Connect again then."));
    };
    turned_away(&from_elsewhere(&server, "bob").await.read_to_end().await);

    // It is stored.
    server.kill().await;
    let server = kept.start().await;
    turned_away(&from_elsewhere(&server, "bob").await.read_to_end().await);
    let mut alice = signed_in(&server, "alice").await;
    let (rows, answer) = alice.ask_json("/ban everywhere").await;
    assert_eq!(answer["count"], 1);
    let row = &rows[0];
    assert_eq!((&row["type"], &row["target"]), (&"serverban".into(), &"127.0.0.2/31".into()));
    assert_eq!((&row["by"], &row["until"]), (&"alice".into(), &until.into()));
    let (_, answer) = alice.ask_json("/unban everywhere 127.0.0.3/31").await;
    assert_eq!(answer["changed"], true);
    from_elsewhere(&server, "bob").await.settle_in(ClientFormat::Text).await;
    let (_, answer) = alice.ask_json("/unban everywhere 127.0.0.2/31").await;
    assert_eq!(answer["changed"], false);
}

#[tokio::test]
async fn names_and_accounts_are_banned_and_operators_only_by_their_exact_name() {
    let kept = Kept::new();
    let mut server = kept.start().await;
    let mut alice = registered(&server, "alice", ClientFormat::Text).await;
    kept.admin(&["grant", "alice"]).await;
    let mut bob = registered(&server, "bob", ClientFormat::Text).await;
    let mut spammer = server.person("Spam-1").await;
    alice.settle().await;

    let refused =
        "! not-allowed: /ban is for operators of the server. /help shows what you can do.";
    assert_eq!(bob.ask("/ban everywhere alice").await, [refused]);
    let own = alice.ask("/ban everywhere alice").await.concat();
    assert!(own.starts_with("! bad-argument: "), "{own}");
    assert_eq!(
        alice.ask("/ban everywhere SPAM*").await,
        [
            "* You banned spam* from this server; 1 connection was ended. /unban everywhere spam* ends \
             it."
        ]
    );
    let received = spammer.read_to_end().await;
    assert_eq!(
        received[0],
        "* alice, an operator of the server, ended your connection and banned you"
    );
    let mut newcomer = server.newcomer("spam-2").await;
    newcomer.settle().await;
    let refused = "! banned: The name spam-2 is banned from this server. Take another name.";
    assert_eq!(newcomer.ask("spam-2").await, [refused]);
    newcomer.ask("carol").await;
    assert_eq!(newcomer.ask("/name spam-2").await, [refused]);

    // An account by its name; and at the shell, in text.
    let banned = kept.admin(&["ban", "bob", "--for", "1d", "too", "loud"]).await;
    let said = said(&banned);
    assert!(said.starts_with("bob is banned until "), "{said}");
    assert!(said.ends_with("; connections ended: 1."), "{said}");
    let received = bob.read_to_end().await;
    let begins = "* The server's operator ended your connection and banned you until ";
    assert!(received[0].starts_with(begins) && received[0].ends_with(": too loud"), "{received:?}");
    // Not alice, who is a server operator.
    let (_, done) = kept.admin_json(&["ban", "*l*"]).await;
    assert_eq!(done["count"], 1, "carol");
    alice.expect_nothing().await;

    server.kill().await;
    let server = kept.start().await;
    let mut bob = server.newcomer("bob").await;
    bob.settle().await;
    let received = bob.ask(&format!("/login bob {PASSWORD}")).await;
    let begins = "! banned: The account bob is banned from this server until ";
    let received = match received.as_slice() {
        [] => bob.line().await,
        received => received.concat(),
    };
    assert!(
        received.starts_with(begins) && received.ends_with(" (too loud). Sign in then."),
        "{received}"
    );
    let looks = bob.ask("b0b").await.concat();
    assert!(looks.starts_with("! banned: ") || looks.starts_with("! name-registered: "), "{looks}");
    let mut alice = signed_in(&server, "alice").await;
    let (bans, _) = kept.admin_json(&["bans"]).await;
    let targets: Vec<_> = bans.iter().map(|ban| ban["target"].as_str().unwrap()).collect();
    assert_eq!(targets, ["spam*", "bob", "*l*"]);
    kept.admin_json(&["unban", "BOB"]).await;
    signed_in(&server, "bob").await;
    let (_, done) = kept.admin_json(&["ban", "alice"]).await;
    assert_eq!(done["count"], 1);
    assert_eq!(alice.json().await["type"], "killed");
}

/// A client that connects during its ban is disconnected or refused.
#[tokio::test]
async fn no_client_connects_beside_a_ban() {
    let kept = Kept::new();
    let server = kept.start().await;
    let mut all = Vec::new();
    for n in 0..40 {
        all.push(from_elsewhere(&server, &format!("racer{n}")).await);
        if n == 20 {
            let socket = kept.socket();
            tokio::spawn(async move { admin(&socket, &["ban", "127.0.0.2"]).await });
        }
    }
    for mut one in all {
        let received = one.read_to_end().await;
        assert!(received.iter().any(|line| line.contains("banned")), "{received:?}");
    }
}

#[tokio::test]
async fn a_time_at_the_shell_has_its_effect_or_is_refused() {
    let kept = Kept::new();
    let server = kept.start().await;
    let _bob = server.person("bob").await;
    for words in [
        &["ban", "bob", "5m"][..],
        &["ban", "bob", "--for", "-5m"],
        &["ban", "bob", "--for", "1h", "for 5m"],
        &["ban", "bob", "for", "an", "hour"],
        &["ban", "10.0.0"],
        &["kill", "bob", "for", "5m"],
    ] {
        let output = kept.admin(words).await;
        let received = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {received}");
        assert!(received.contains("bad-argument: "), "{words:?}: {received}");
    }
    let (_, done) = kept.admin_json(&["ban", "carol", "for 5m", "too loud"]).await;
    assert!(done["until"].is_string(), "{done}");
    kept.admin_json(&["ban", "2001:db8::1"]).await;
    kept.admin_json(&["ban", "2001:db8::2"]).await;
    kept.admin_json(&["unban", "2001:db8::3"]).await;
    let (bans, _) = kept.admin_json(&["bans"]).await;
    assert_eq!(bans.len(), 1, "{bans:?}");
    assert_eq!((&bans[0]["target"], &bans[0]["reason"]), (&"carol".into(), &"too loud".into()));
}
