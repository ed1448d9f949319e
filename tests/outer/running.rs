//! Running a channel: what holds holds at once, by itself only for its time, and over a kill of the server.

use std::time::{Duration, Instant};

use chat_testkit::{Form, Setup, TestClient, TestServer};
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

/// A line that must be carried out.
async fn ok(person: &mut TestClient, line: &str) -> Value {
    let answer = answer(person, line).await;
    assert_eq!(answer["type"], "ok", "{line}: {answer}");
    answer
}

/// The rows of a list, without what differs from run to run.
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
        people.push(server.person_in(name, Form::Json).await);
    }
    people.try_into().unwrap_or_else(|_| unreachable!())
}

/// Does it again and again until it is carried out, for what ends by itself.
async fn wait_until_ok(person: &mut TestClient, line: &str) {
    let begun = Instant::now();
    while answer(person, line).await["type"] != "ok" {
        assert!(begun.elapsed() < Duration::from_mins(1), "{line}");
    }
}

#[tokio::test]
async fn how_a_channel_is_run_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let [mut alice, mut bob, mut carol] = people(&server, ["alice", "bob", "carol"]).await;
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
    let [mut alice, mut bob, mut carol] = people(&server, ["alice", "bob", "carol"]).await;
    assert_eq!(code(&mut bob, "/enter dev").await, "banned");
    // Without an account the right was lost with the connection; who comes first has it now.
    let (told, entered) = alice.ask_json("/enter dev after 0").await;
    assert_eq!(entered["operator"], true);
    let told: Vec<&Value> = told.iter().filter(|row| row["type"] == "message").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["id"], &told[0]["text"]), (&json!(2), &json!("no")));
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
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    assert_eq!(code(&mut alice, "/enter dev").await, "no-such-channel");
    assert_eq!(ok(&mut bob, "/create dev").await["last"], 4);
    assert!(rows(&mut bob, "/ban").await.is_empty());
    assert!(rows(&mut bob, "/log").await.is_empty());
    assert_eq!(rows(&mut bob, "/history after 0").await, Vec::<Value>::new());
    ok(&mut alice, "/enter dev").await;
    ok(&mut alice, "a bad beginning").await;
}

#[tokio::test]
async fn a_hidden_channel_is_hidden_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::unpaced().keeping(&folder.path().join("data"));
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

/// Whatever somebody says as fast as they can: nothing of it is told after the answer to their mute or their ban.
#[tokio::test]
async fn nothing_is_told_after_the_answer_to_a_mute_or_a_ban() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    let mut told_before = 0;
    for round in 0..40 {
        let (act, end, refused) = if round % 2 == 0 {
            ("/mute bob", "/unmute bob", ["muted", "muted"])
        } else {
            // The lines on their way are refused like those of anybody who isn't in it.
            ("/ban bob", "/unban bob", ["banned", "no-conversation"])
        };
        let lines: String = (0..200).map(|n| format!("{round} {n}\n")).collect();
        bob.send_raw(lines.as_bytes()).await;
        alice.send(act).await;
        let mut is_answered = false;
        loop {
            let told = alice.json().await;
            match told["type"].as_str().unwrap() {
                "message" => {
                    assert!(!is_answered, "after the answer to {act}: {told}");
                    told_before += 1;
                }
                "ok" if told["re"] == "ping" => break,
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
        // What was refused on its way is told by nobody later either.
        ok(&mut alice, end).await;
        ok(&mut bob, "/enter dev").await;
        alice.settle().await;
        bob.settle().await;
    }
    assert!(told_before > 0, "no line ever came before");
}

#[tokio::test]
async fn bans_and_mutes_end_by_themselves() {
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
async fn a_slow_channel_tells_how_long_to_wait() {
    let server = TestServer::start_unpaced().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    ok(&mut alice, "/create dev").await;
    ok(&mut bob, "/enter dev").await;
    ok(&mut alice, "/set slow 1h").await;
    // Sent at once: the second isn't asked before the first counts.
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
    // Operators aren't held up, and each channel counts by itself.
    ok(&mut alice, "a").await;
    ok(&mut alice, "b").await;
    ok(&mut bob, "/create other").await;
    ok(&mut bob, "six").await;
    ok(&mut alice, "/set slow 1s").await;
    wait_until_ok(&mut bob, "/say #dev seven").await;
    ok(&mut alice, "/set slow off").await;
    ok(&mut bob, "/say #dev eight").await;
}
