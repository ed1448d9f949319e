//! Moderation takes effect at once, ends on time, and survives a kill of the server.

use std::time::{Duration, Instant};

use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer};
use serde_json::{Value, json};

/// The answer to a line.
async fn answer(person: &mut TestClient, line: &str) -> Value {
    person.ask_json(line).await.1
}

/// The code of the refusal of a line.
async fn code(person: &mut TestClient, line: &str) -> String {
    let answer = answer(person, line).await;
    answer["code"].as_str().unwrap_or_else(|| panic!("{line}: {answer}")).to_owned()
}

/// A line that must succeed.
async fn ok(person: &mut TestClient, line: &str) -> Value {
    let answer = answer(person, line).await;
    assert_eq!(answer["type"], "ok", "{line}: {answer}");
    answer
}

/// The rows of a list, without varying fields.
async fn rows(person: &mut TestClient, line: &str) -> Vec<Value> {
    let (rows, answer) = person.ask_json(line).await;
    assert_eq!(answer["type"], "ok", "{line}: {answer}");
    let is_row = |row: &Value| {
        ["ban", "mute", "setting", "log", "message"].iter().any(|kind| row["type"] == *kind)
    };
    let mut rows: Vec<Value> = rows.into_iter().filter(is_row).collect();
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.remove("time");
        if let Some(until) = row.get_mut("until") {
            *until = json!(!until.is_null());
        }
    }
    rows
}

async fn people<const N: usize>(server: &TestServer, names: [&str; N]) -> [TestClient; N] {
    let mut people = Vec::new();
    for name in names {
        people.push(server.person_in(name, ClientFormat::Json).await);
    }
    people.try_into().unwrap_or_else(|_| unreachable!())
}

/// Repeats a line until it succeeds, for restrictions that end on time.
async fn wait_until_ok(person: &mut TestClient, line: &str) {
    let begun = Instant::now();
    while answer(person, line).await["type"] != "ok" {
        assert!(begun.elapsed() < Duration::from_mins(1), "{line}");
    }
}

#[tokio::test]
async fn channel_moderation_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let mut alice = owner(&server, "alice").await;
    let [mut bob, mut carol] = people(&server, ["bob", "carol"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    ok(&mut carol, "/enter dev").await;
    ok(&mut bob, "buy now").await;
    ok(&mut carol, "no").await;
    for line in [
        "/set topic-lock on",
        "/set slow 1h",
        "/set words +bad*",
        "/set history off",
        "/mute carol for 1h cool down",
        "/ban bob for 2h spam",
        "/ban 10.0.0.0/8",
        "/ban dave",
        "/unban dave",
        "/purge bob",
        "between us",
    ] {
        ok(&mut alice, line).await;
    }
    let lists = ["/ban", "/mute", "/set", "/log"];
    let mut before = Vec::new();
    for list in lists {
        before.push(rows(&mut alice, list).await);
    }
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 7, 10]);
    // At once after the last answer.
    server.kill().await;

    let mut server = setup.start().await;
    let [mut bob, mut carol] = people(&server, ["bob", "carol"]).await;
    assert_eq!(code(&mut bob, "/enter dev").await, "banned");
    let (mut alice, _) = device(&server, "alice").await;
    let (output, entered) = alice.ask_json("/enter dev after 0").await;
    assert_eq!(entered["operator"], true);
    let output: Vec<&Value> = output.iter().filter(|row| row["type"] == "message").collect();
    assert_eq!(output.len(), 1, "{output:?}");
    assert_eq!((&output[0]["id"], &output[0]["text"]), (&json!(2), &json!("no")));
    for (list, before) in lists.into_iter().zip(before) {
        assert_eq!(rows(&mut alice, list).await, before, "{list}");
    }
    ok(&mut carol, "/enter dev").await;
    assert_eq!(code(&mut carol, "hello").await, "muted");
    assert_eq!(code(&mut carol, "/topic mine").await, "not-allowed");
    ok(&mut alice, "/unmute carol").await;
    assert_eq!(code(&mut carol, "how bad").await, "not-allowed");
    let said = ok(&mut carol, "hello").await;
    assert_eq!(said["id"], 4, "the id of what wasn't kept is not given again");
    assert_eq!(code(&mut carol, "hello again").await, "too-fast");
    ok(&mut alice, "/drop dev").await;
    server.kill().await;

    let server = setup.start().await;
    let [mut carol, mut bob] = people(&server, ["carol", "bob"]).await;
    assert_eq!(code(&mut carol, "/enter dev").await, "no-such-channel");
    assert_eq!(ok(&mut bob, "/create dev").await["last"], 4);
    assert!(rows(&mut bob, "/ban").await.is_empty());
    assert!(rows(&mut bob, "/log").await.is_empty());
    assert_eq!(rows(&mut bob, "/history after 0").await, Vec::<Value>::new());
    ok(&mut carol, "/enter dev").await;
    ok(&mut carol, "a bad beginning").await;
}

#[tokio::test]
async fn a_hidden_channel_is_hidden_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let [mut alice, bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create secret").await;
    ok(&mut alice, "/set hidden on").await;
    ok(&mut alice, "/invite bob").await;
    server.kill().await;
    let server = setup.start().await;
    let [mut bob_again, mut mallory] = people(&server, ["bob", "mallory"]).await;
    for line in ["/enter secret", "/users secret", "/say #secret hi", "/log #secret"] {
        let hidden = answer(&mut mallory, line).await["text"].to_string();
        let nowhere = answer(&mut mallory, &line.replace("secret", "nowhere")).await;
        assert_eq!(hidden.replace("secret", "nowhere"), nowhere["text"].to_string(), "{line}");
    }
    assert_eq!(answer(&mut mallory, "/channels").await["count"], 0);
    ok(&mut bob_again, "/enter secret").await;
    drop(bob);
}

/// However fast a user sends, no message is published after the `ok` to their mute or ban.
#[tokio::test]
async fn no_message_is_published_after_the_ok_to_a_mute_or_a_ban() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    let mut told_before = 0;
    for round in 0..40 {
        let (act, end, refused) = if round % 2 == 0 {
            ("/mute bob", "/unmute bob", ["muted", "muted"])
        } else {
            // Pending messages are refused like those of any non-member.
            ("/ban bob", "/unban bob", ["banned", "no-conversation"])
        };
        let lines: String = (0..200).map(|n| format!("{round} {n}\n")).collect();
        bob.send_raw(lines.as_bytes()).await;
        alice.send(act).await;
        let mut is_answered = false;
        loop {
            let output = alice.json().await;
            match output["type"].as_str().unwrap() {
                "message" => {
                    assert!(!is_answered, "after the answer to {act}: {output}");
                    told_before += 1;
                }
                "ok" if output["re"] == "ping" => break,
                "ok" => {
                    is_answered = true;
                    alice.send("/ping").await;
                }
                _ => {}
            }
        }
        let mut refusals = 0;
        for _ in 0..200 {
            let (_, answer) = bob.answer_json().await;
            if answer["type"] == "error" {
                assert!(refused.iter().any(|code| answer["code"] == *code), "{answer}");
                refusals += 1;
            } else {
                assert_eq!(refusals, 0, "said after a refusal: {answer}");
            }
        }
        // A refused message isn't published later either.
        ok(&mut alice, end).await;
        ok(&mut bob, "/enter dev").await;
        alice.settle().await;
        bob.settle().await;
    }
    assert!(told_before > 0, "no line ever came before");
}

#[tokio::test]
async fn bans_and_mutes_expire() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    ok(&mut alice, "/mute bob for 1s").await;
    wait_until_ok(&mut bob, "at last").await;
    ok(&mut alice, "/ban bob for 1s").await;
    wait_until_ok(&mut bob, "/enter dev").await;
    assert!(rows(&mut alice, "/ban").await.is_empty());
    assert!(rows(&mut alice, "/mute").await.is_empty());
}

#[tokio::test]
async fn a_slow_channel_states_the_wait() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    ok(&mut alice, "/set slow 1h").await;
    // Sent at once: the second is checked after the first took effect.
    bob.send_raw(b"one\ntwo\n/me waves\n/say #dev three\n").await;
    assert_eq!(bob.answer_json().await.1["type"], "ok");
    for _ in 0..3 {
        let (_, refused) = bob.answer_json().await;
        assert_eq!(refused["code"], "too-fast");
        let text = refused["text"].as_str().unwrap();
        let secs: u64 = text.rsplit(' ').nth(1).unwrap().parse().unwrap();
        assert!((3000..=3600).contains(&secs), "{text}");
    }
    // Neither another name nor another connection under the old one helps.
    ok(&mut bob, "/name rob").await;
    assert_eq!(code(&mut bob, "four").await, "too-fast");
    ok(&mut bob, "/name bob").await;
    bob.send("/quit").await;
    bob.read_to_end().await;
    let [mut bob] = people(&server, ["bob"]).await;
    ok(&mut bob, "/enter dev").await;
    assert_eq!(code(&mut bob, "five").await, "too-fast");
    // Operators are exempt, and each channel counts by itself.
    ok(&mut alice, "a").await;
    ok(&mut alice, "b").await;
    ok(&mut bob, "/create other").await;
    ok(&mut bob, "six").await;
    ok(&mut alice, "/set slow 1s").await;
    wait_until_ok(&mut bob, "/say #dev seven").await;
    ok(&mut alice, "/set slow off").await;
    ok(&mut bob, "/say #dev eight").await;
}

/// A user with an account, on one device.
async fn owner(server: &TestServer, name: &str) -> TestClient {
    let mut device = server.person_in(name, ClientFormat::Json).await;
    ok(&mut device, "/register correct horse").await;
    device
}

/// The same on another device, or after a restart; the output after signing in.
async fn device(server: &TestServer, name: &str) -> (TestClient, Vec<Value>) {
    let mut device = server.newcomer(name).await;
    device.settle().await;
    device.take_format(ClientFormat::Json).await;
    let (rows, answer) = device.ask_json(&format!("/login {name} correct horse")).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    (device, rows)
}

fn back_in(rows: &[Value]) -> Vec<&str> {
    let back = rows.iter().filter(|row| row["type"] == "reentered");
    back.filter_map(|row| row["channel"].as_str()).collect()
}

#[tokio::test]
async fn bans_and_mutes_of_accounts_hold_on_every_device_and_over_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let (mut alice, mut bob) = (owner(&server, "alice").await, owner(&server, "bob").await);
    let mut carol = owner(&server, "carol").await;
    for channel in ["dev", "quiet"] {
        ok(&mut alice, &format!("/create {channel}")).await;
        ok(&mut bob, &format!("/enter {channel}")).await;
    }
    ok(&mut carol, "/enter dev").await;
    let (mut phone, rows) = device(&server, "bob").await;
    assert_eq!(back_in(&rows), ["#dev", "#quiet"]);
    ok(&mut alice, "/ban #dev bob spam").await;
    ok(&mut alice, "/mute #quiet bob").await;
    for device in [&mut bob, &mut phone] {
        let output = device.settle().await.join("\n");
        assert!(
            output.contains(r#""type":"kicked""#) && output.contains(r#""banned":true"#),
            "{output}"
        );
        assert_eq!(code(device, "/enter dev").await, "banned");
        assert_eq!(code(device, "/history dev").await, "banned");
        assert_eq!(code(device, "/say #quiet hi").await, "muted");
        assert_eq!(code(device, "/private carol").await, "banned");
        ok(device, "/history quiet").await;
    }
    // Nor to carol while she is offline.
    ok(&mut carol, "/ping").await;
    drop(carol);
    while answer(&mut alice, "/users dev").await["count"] != 1 {}
    assert_eq!(code(&mut bob, "/msg carol hi").await, "banned");
    server.kill().await;

    let server = setup.start().await;
    let (mut bob, rows) = device(&server, "bob").await;
    assert_eq!(back_in(&rows), ["#quiet"]);
    assert_eq!(code(&mut bob, "/enter dev").await, "banned");
    assert_eq!(code(&mut bob, "/say #quiet hi").await, "muted");
    assert_eq!(code(&mut bob, "/msg carol hi").await, "banned");
    let (mut alice, rows) = device(&server, "alice").await;
    assert_eq!(back_in(&rows), ["#dev", "#quiet"]);
    ok(&mut alice, "/unban #dev bob").await;
    ok(&mut bob, "/enter dev").await;
    ok(&mut alice, "/unmute #quiet bob").await;
    ok(&mut bob, "/say #quiet hi").await;
}

#[tokio::test]
async fn an_account_ejected_while_offline_does_not_return() {
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let (mut alice, mut bob) = (owner(&server, "alice").await, owner(&server, "bob").await);
    for channel in ["dev", "other", "third"] {
        ok(&mut alice, &format!("/create {channel}")).await;
        ok(&mut alice, "/set hidden on").await;
        ok(&mut alice, "/set invite-only on").await;
        ok(&mut alice, "/invite bob").await;
        ok(&mut bob, &format!("/enter {channel}")).await;
    }
    ok(&mut alice, "/kick #third bob").await;
    server.kill().await;

    let server = setup.start().await;
    let (mut alice, rows) = device(&server, "alice").await;
    assert_eq!(back_in(&rows), ["#dev", "#other", "#third"]);
    ok(&mut alice, "/ban #dev bob").await;
    ok(&mut alice, "/unban #dev bob").await;
    let (mut bob, rows) = device(&server, "bob").await;
    assert_eq!(back_in(&rows), ["#other"], "who is in a hidden channel comes back to it");
    for channel in ["dev", "third"] {
        assert_eq!(code(&mut bob, &format!("/enter {channel}")).await, "no-such-channel");
    }
}

#[tokio::test]
async fn an_operator_with_an_account_keeps_the_right_and_passes_it_on() {
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let (mut alice, mut bob) = (owner(&server, "alice").await, owner(&server, "bob").await);
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    // An acknowledged change is stored, and so is his membership.
    ok(&mut bob, "hello").await;
    alice.send("/quit").await;
    alice.read_to_end().await;
    // While an operator is only offline, no member is promoted.
    assert_eq!(code(&mut bob, "/set slow 10s").await, "not-allowed");
    server.kill().await;

    let mut server = setup.start().await;
    let (mut bob, _) = device(&server, "bob").await;
    assert_eq!(code(&mut bob, "/log").await, "not-allowed");
    let (mut alice, _) = device(&server, "alice").await;
    ok(&mut alice, "/set slow 10s").await;
    ok(&mut alice, "/op bob").await;
    ok(&mut alice, "/deop alice").await;
    assert_eq!(code(&mut alice, "/set slow off").await, "not-allowed");
    server.kill().await;

    let server = setup.start().await;
    let (mut alice, _) = device(&server, "alice").await;
    assert_eq!(code(&mut alice, "/log").await, "not-allowed");
    let (mut bob, _) = device(&server, "bob").await;
    assert_eq!(rows(&mut bob, "/log").await.len(), 3);
    ok(&mut bob, "/drop dev").await;
    assert_eq!(code(&mut alice, "/enter dev").await, "no-such-channel");
}

#[tokio::test]
async fn refusals_do_not_reveal_a_hidden_channel() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut bandit] = people(&server, ["alice", "bandit"]).await;
    ok(&mut alice, "/create secret").await;
    ok(&mut alice, "/set hidden on").await;
    ok(&mut alice, "/ban bandit").await;
    ok(&mut bandit, "/msg alice hi").await;
    // Nor does `/create` reveal it: some names are unavailable to everyone.
    let hidden = answer(&mut bandit, "/create secret").await;
    let reserved = answer(&mut bandit, "/create server").await;
    assert_eq!((&hidden["code"], &hidden["text"]), (&reserved["code"], &reserved["text"]));
}

#[tokio::test]
async fn a_ban_and_a_mute_by_name_follow_the_user() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    ok(&mut alice, "/create dev").await;
    for (act, code_told) in [("/mute", "muted"), ("/ban", "banned")] {
        let name = format!("bob{code_told}");
        let mut bob = server.person_in(&name, ClientFormat::Json).await;
        ok(&mut alice, &format!("{act} {name}")).await;
        // Its end shows that the name is free.
        bob.send("/quit").await;
        bob.read_to_end().await;
        // Another connection under the name, which then takes another one.
        let mut again = server.person_in(&name, ClientFormat::Json).await;
        let enters = answer(&mut again, "/enter dev").await;
        let is_in = enters["type"] == "ok";
        if is_in {
            // A new name would be visible there.
            let line = format!("/name other{code_told}");
            assert_eq!(code(&mut again, &line).await, code_told, "{act}");
            ok(&mut again, "/leave dev").await;
        }
        ok(&mut again, &format!("/name other{code_told}")).await;
        if is_in {
            ok(&mut again, "/enter dev").await;
        }
        let line = if is_in { "hi" } else { "/enter dev" };
        assert_eq!(code(&mut again, line).await, code_told, "{act}");
    }
}

#[tokio::test]
async fn a_muted_user_gives_no_reason_for_leaving() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    ok(&mut alice, "/mute bob").await;
    ok(&mut bob, "/leave dev buy now").await;
    let output = alice.read_until(|line| line.contains(r#""type":"left""#)).await;
    assert!(!output.last().unwrap().contains("buy"), "{output:?}");
    ok(&mut bob, "/enter dev").await;
    bob.send("/quit buy now").await;
    let output = alice.read_until(|line| line.contains(r#""type":"gone""#)).await;
    assert!(!output.last().unwrap().contains("buy"), "{output:?}");
}

#[tokio::test]
async fn signing_in_does_not_shorten_slow_mode() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut lou] = people(&server, ["alice", "lou"]).await;
    ok(&mut lou, "/register correct horse").await;
    drop(lou);
    ok(&mut alice, "/create dev").await;
    ok(&mut alice, "/set slow 1h").await;
    let mut guest = server.person_in("zoe", ClientFormat::Json).await;
    ok(&mut guest, "/enter dev").await;
    ok(&mut guest, "one").await;
    ok(&mut guest, "/login lou correct horse").await;
    assert_eq!(code(&mut guest, "two").await, "too-fast");
    ok(&mut guest, "/logout").await;
    ok(&mut guest, "/name zed").await;
    ok(&mut guest, "/enter dev").await;
    assert_eq!(code(&mut guest, "three").await, "too-fast");
}

/// After `/quit`, a stranger could delete months of a channel.
#[tokio::test]
async fn an_inherited_right_destroys_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut alice, "months of work").await;
    ok(&mut bob, "/enter dev").await;
    alice.send("/quit").await;
    alice.read_to_end().await;
    bob.read_until(|line| line.contains(r#""type":"gone""#)).await;
    let destroys = ["/drop dev", "/purge alice", "/op carol", "/deop carol"];
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    ok(&mut carol, "/enter dev").await;
    for act in destroys {
        assert_eq!(code(&mut bob, act).await, "not-allowed", "{act}");
    }
    ok(&mut bob, "/kick carol").await;
    server.kill().await;

    // No former operator is left.
    let server = setup.start().await;
    let [mut mallory, mut carol] = people(&server, ["mallory", "carol"]).await;
    assert_eq!(ok(&mut mallory, "/enter dev").await["operator"], true);
    ok(&mut carol, "/enter dev").await;
    for act in destroys {
        assert_eq!(code(&mut mallory, act).await, "not-allowed", "{act}");
    }
    // An account doesn't extend it.
    ok(&mut mallory, "/register correct horse").await;
    for act in destroys {
        assert_eq!(code(&mut mallory, act).await, "not-allowed", "{act}");
    }
    ok(&mut mallory, "/mute carol").await;
    let lines = rows(&mut carol, "/history after 0").await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["text"], "months of work");
}

#[tokio::test]
async fn the_right_passes_to_an_offline_account() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut kate] = people(&server, ["alice", "kate"]).await;
    ok(&mut alice, "/register correct horse").await;
    ok(&mut kate, "/register correct horse").await;
    drop(kate);
    ok(&mut alice, "/create dev").await;
    loop {
        // Until it is known that she has gone.
        if answer(&mut alice, "/op kate").await["type"] == "ok" {
            break;
        }
    }
    ok(&mut alice, "/deop alice").await;
    let mut kate = server.newcomer("kate").await;
    kate.settle().await;
    kate.take_format(ClientFormat::Json).await;
    ok(&mut kate, "/login kate correct horse").await;
    ok(&mut kate, "/enter dev").await;
    ok(&mut kate, "/set slow 1s").await;
}
