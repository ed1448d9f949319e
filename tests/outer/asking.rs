//! History queries: messages that the user isn't shown don't count, and an incomplete answer states
//! how to continue.

use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer};
use serde_json::Value;

/// The texts of the messages that a query returns, and its `ok`.
async fn shown(person: &mut TestClient, line: &str) -> (Vec<String>, Value) {
    let (rows, answer) = person.ask_json(line).await;
    assert_eq!(answer["type"], "ok", "{line}: {answer}");
    let lines = rows.into_iter().filter(|row| row["past"] == true);
    (lines.map(|row| row["text"].as_str().unwrap().to_owned()).collect(), answer)
}

async fn ok(person: &mut TestClient, line: &str) {
    shown(person, line).await;
}

fn numbered(word: &str, numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|number| format!("{word} {number}")).collect()
}

async fn people<const N: usize>(server: &TestServer, names: [&str; N]) -> [TestClient; N] {
    let mut people = Vec::new();
    for name in names {
        people.push(server.person_in(name, ClientFormat::Json).await);
    }
    people.try_into().unwrap_or_else(|_| unreachable!())
}

#[tokio::test]
async fn a_count_covers_visible_messages() {
    let server = ServerSetup::unpaced().start().await;
    let [mut alice, mut spam, mut bob] = people(&server, ["alice", "spam", "bob"]).await;
    ok(&mut alice, "/register a long password").await;
    ok(&mut alice, "/create general").await;
    ok(&mut spam, "/enter general").await;
    ok(&mut bob, "/enter general").await;
    for number in 1..=40 {
        ok(&mut alice, &format!("line {number}")).await;
    }
    for number in 1..=60 {
        ok(&mut spam, &format!("buy {number}")).await;
    }
    let last = numbered("line", 21..=40);
    // Messages of ignored users don't count.
    ok(&mut bob, "/ignore spam").await;
    assert_eq!(shown(&mut bob, "/history 20").await.0, last);
    assert_eq!(shown(&mut bob, "/history 2 before 90").await.0, numbered("line", 39..=40));
    ok(&mut bob, "/leave").await;
    assert_eq!(shown(&mut bob, "/enter general").await.0, last);
    ok(&mut bob, "/unignore spam").await;
    assert_eq!(shown(&mut bob, "/history 20").await.0, numbered("buy", 41..=60));
    // Nor do hidden messages.
    ok(&mut alice, "/purge spam").await;
    for person in [&mut bob, &mut alice] {
        let (lines, answer) = shown(person, "/history 20").await;
        assert_eq!((lines, &answer["count"]), (last.clone(), &Value::from(20)));
    }
    assert_eq!(shown(&mut bob, "/history 3 before 41").await.0, numbered("line", 38..=40));
    ok(&mut alice, "line 41").await;
    assert_eq!(shown(&mut bob, "/history 2 after 39").await.0, numbered("line", 40..=41));
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    assert_eq!(shown(&mut carol, "/enter general").await.0, numbered("line", 22..=41));
}

#[tokio::test]
async fn lines_of_an_erased_account_do_not_count() {
    let server = ServerSetup::unpaced().start().await;
    let [mut alice, mut dave] = people(&server, ["alice", "dave"]).await;
    ok(&mut alice, "/create general").await;
    ok(&mut dave, "/register a long password").await;
    ok(&mut dave, "/enter general").await;
    for number in 1..=5 {
        ok(&mut alice, &format!("line {number}")).await;
    }
    for number in 1..=300 {
        ok(&mut dave, &format!("gone {number}")).await;
    }
    ok(&mut dave, "/forget a long password").await;
    assert_eq!(shown(&mut alice, "/history 3").await.0, numbered("line", 3..=5));
    ok(&mut alice, "line 6").await;
    assert_eq!(shown(&mut alice, "/history 2 after 4").await.0, numbered("line", 5..=6));
}

#[tokio::test]
async fn unread_private_messages_are_counted_without_ignored_authors() {
    let server = ServerSetup::unpaced().start().await;
    let [mut alice, mut bob, mut spam] = people(&server, ["alice", "bob", "spam"]).await;
    ok(&mut alice, "/register a long password").await;
    ok(&mut spam, "/register a long password").await;
    ok(&mut alice, "/ignore spam").await;
    // Own messages precede those of the other user.
    ok(&mut bob, "/private alice psst 1").await;
    for number in 1..=450 {
        ok(&mut alice, &format!("/msg bob own {number}")).await;
    }
    ok(&mut alice, "/quit").await;
    for number in 2..=4 {
        ok(&mut bob, &format!("/msg alice psst {number}")).await;
    }
    for number in 1..=120 {
        ok(&mut spam, &format!("/msg alice buy {number}")).await;
    }
    let mut alice = server.newcomer("alice").await;
    alice.settle().await;
    alice.take_format(ClientFormat::Json).await;
    let (lines, _) = shown(&mut alice, "/login alice a long password").await;
    assert_eq!(lines, numbered("psst", 2..=4));
    assert_eq!(shown(&mut alice, "/history @bob 2").await.0, numbered("psst", 3..=4));
}

#[tokio::test]
async fn all_hits_and_all_mentions_are_reachable_by_pages() {
    let server = ServerSetup::unpaced().start().await;
    let [mut alice, mut bob] = people(&server, ["alice", "bob"]).await;
    for channel in ["general", "dev"] {
        ok(&mut alice, &format!("/create {channel}")).await;
        ok(&mut bob, &format!("/enter {channel}")).await;
    }
    for number in 1..=130 {
        let channel = if number % 3 == 0 { "general" } else { "dev" };
        ok(&mut alice, &format!("/say #{channel} bob: deploy {number}")).await;
    }
    for asked in ["/search deploy", "/search from:alice \"bob: deploy\"", "/mentions"] {
        let (mut line, mut found) = (asked.to_owned(), Vec::new());
        loop {
            let (lines, answer) = shown(&mut bob, &line).await;
            assert_eq!(answer["count"], lines.len(), "{answer}");
            found.extend(lines);
            assert_eq!(answer["more"] == true, answer["next"].is_string(), "{answer}");
            let Some(next) = answer["next"].as_str() else { break };
            next.clone_into(&mut line);
        }
        // Messages of different channels may have the same time.
        found.sort_by_key(|text| text.rsplit(' ').next().map(|number| number.parse::<u32>().ok()));
        assert_eq!(found, numbered("bob: deploy", 1..=130), "{asked}");
    }
    // The text format states what to type.
    bob.take_format(ClientFormat::Text).await;
    let output = bob.ask("/search in:#general deploy before:2999-01-01").await;
    assert_eq!(output.len(), 44, "{output:?}");
    let output = bob.ask("/search deploy").await;
    let next = output.last().unwrap().split_once("narrow it. ").unwrap().1;
    let next = next.strip_suffix(" shows older ones.").unwrap();
    assert!(next.starts_with("/search before:"), "{next}");
    let output = bob.ask(next).await;
    assert_eq!(output.len(), 51, "{output:?}");
}

#[tokio::test]
async fn a_mistyped_address_or_count_is_no_name() {
    let server = ServerSetup::unpaced().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    ok(&mut alice, "/create dev").await;
    for line in [
        "/mute 10.0.0.1",
        "/mute 10.0.0.300",
        "/ban 10.0.0",
        "/history 10x",
        "/history 1.5",
        "/history 1e3",
        "/kick bob for 5m",
    ] {
        let (_, answer) = alice.ask_json(line).await;
        assert_eq!(answer["code"], "bad-argument", "{line}: {answer}");
    }
    let [mut named, mut version] = people(&server, ["10.0.0.1", "1.5"]).await;
    ok(&mut named, "/enter dev").await;
    ok(&mut version, "/create 10x").await;
    ok(&mut version, "/history 10x").await;
    ok(&mut alice, "/mute 10.0.0.1").await;
    ok(&mut alice, "/ban 1.5").await;
    // Each address of a /64 names the ban of any other.
    ok(&mut alice, "/ban 2001:db8::1").await;
    let (_, answer) = alice.ask_json("/unban 2001:db8::2").await;
    assert_eq!(answer["changed"], true, "{answer}");
    let (_, answer) = alice.ask_json("/unban 2001:db8::1").await;
    assert_eq!(answer["changed"], false, "{answer}");
}
