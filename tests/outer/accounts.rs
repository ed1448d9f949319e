//! Accounts on several devices, and after a kill of the server.

use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer};
use serde_json::Value;

const PASSWORD: &str = "correct horse";

/// A client in the JSON format that has read the greeting and has no name yet.
async fn nameless(server: &TestServer, who: &str) -> TestClient {
    let mut device = server.newcomer(who).await;
    device.settle().await;
    device.take_format(ClientFormat::Json).await;
    device
}

/// Signs in with a password or a token. Returns the rows and the `ok`.
async fn sign_in(server: &TestServer, credential: &str) -> (TestClient, Vec<Value>, Value) {
    let mut device = nameless(server, "a device").await;
    let (rows, ok) = device.ask_json(&format!("/login alice {credential}")).await;
    assert_eq!(ok["type"], "ok", "{ok}");
    (device, rows, ok)
}

fn of_type<'a>(rows: &'a [Value], kind: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["type"] == kind).collect()
}

#[tokio::test]
async fn an_account_and_its_data_survive_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(data.path());
    let mut server = setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let (_, ok) = alice.ask_json(&format!("/register {PASSWORD}")).await;
    let token = ok["token"].as_str().unwrap().to_owned();
    for line in ["/create general", "/create dev", "/ignore mallory", "/away at sea"] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/enter general").await;
    bob.ask_json("read").await;
    alice.ask_json("I have read that").await;
    drop(alice);
    // After she has left.
    loop {
        if bob.json().await["type"] == "gone" {
            break;
        }
    }
    for line in ["one", "two, alice", "/msg alice psst"] {
        assert_eq!(bob.ask_json(line).await.1["type"], "ok", "{line}");
    }
    server.kill().await;

    let server = setup.start().await;
    let mut thief = nameless(&server, "a thief").await;
    for name in ["alice", "ALICE", "a1ice"] {
        let (_, refused) = thief.ask_json(&format!("/name {name}")).await;
        assert_eq!(refused["code"], "name-registered", "{refused}");
    }
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    let (rows, _) = bob.ask_json("/whois alice").await;
    assert!(rows[0]["seen"].is_string() && rows[0]["reason"] == "at sea", "{rows:?}");
    for credential in [format!("token:{token}"), PASSWORD.to_owned()] {
        // Nothing is typed on it afterwards, so the next device receives the same.
        let (_device, rows, _) = sign_in(&server, &credential).await;
        let back: Vec<_> = of_type(&rows, "reentered").iter().map(|row| &row["channel"]).collect();
        assert_eq!(back, ["#general", "#dev"]);
        let unread = of_type(&rows, "unread");
        assert_eq!(unread.len(), 1, "{rows:?}");
        assert_eq!((&unread[0]["count"], &unread[0]["mentions"]), (&2.into(), &1.into()));
        assert_eq!(unread[0]["after"], 1);
        assert_eq!(of_type(&rows, "private")[0]["text"], "psst");
    }
    let (mut device, ..) = sign_in(&server, PASSWORD).await;
    let (rows, _) = device.ask_json("/ignore").await;
    let output = of_type(&rows, "notice");
    assert!(output.last().unwrap()["text"].as_str().unwrap().contains("mallory"), "{rows:?}");
}

#[tokio::test]
async fn read_markers_stay_right_with_a_killed_and_an_idle_device() {
    let server = TestServer::start_unpaced().await;
    let mut laptop = server.person_in("alice", ClientFormat::Json).await;
    laptop.ask_json(&format!("/register {PASSWORD}")).await;
    laptop.ask_json("/create general").await;
    let (phone, ..) = sign_in(&server, PASSWORD).await;
    let (mut tablet, ..) = sign_in(&server, PASSWORD).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/enter general").await;
    bob.ask_json("one").await;
    drop(phone);
    bob.ask_json("two").await;
    // Both devices have shown both messages; nothing was typed since.
    for device in [&mut laptop, &mut tablet] {
        while device.json().await["text"] != "two" {}
    }
    let (mut phone, rows, _) = sign_in(&server, PASSWORD).await;
    let unread = of_type(&rows, "unread");
    assert_eq!((&unread[0]["count"], &unread[0]["after"]), (&2.into(), &0.into()));
    // Read on one device is read on all.
    laptop.ask_json("I saw that").await;
    assert_eq!(phone.json().await["text"], "I saw that");
    let (_again, rows, _) = sign_in(&server, PASSWORD).await;
    assert!(of_type(&rows, "unread").is_empty(), "{rows:?}");
    // All devices are one user.
    let (rows, ok) = bob.ask_json("/users general").await;
    assert_eq!((of_type(&rows, "user").len(), &ok["count"]), (2, &2.into()));
    // The other devices receive a message of one device; that one doesn't.
    tablet.ask_json("/msg bob psst").await;
    for device in [&mut laptop, &mut phone] {
        let output = device.read_until(|line| line.contains("psst")).await;
        assert!(output.last().unwrap().contains(r#""from":"alice","to":"bob""#), "{output:?}");
    }
    tablet.expect_nothing().await;
}

#[tokio::test]
async fn a_kick_applies_to_all_devices() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json(&format!("/register {PASSWORD}")).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/create general").await;
    alice.ask_json("/enter general").await;
    let (mut phone, ..) = sign_in(&server, PASSWORD).await;
    let (_, ok) = bob.ask_json("/kick alice enough").await;
    assert_eq!(ok["type"], "ok");
    for device in [&mut alice, &mut phone] {
        assert_eq!(device.json().await["type"], "kicked");
        let (_, refused) = device.ask_json("hello?").await;
        assert_eq!(refused["code"], "no-conversation", "{refused}");
    }
    assert_eq!(bob.ask_json("/users").await.1["count"], 1);
    // The account isn't restored there either.
    let (_tablet, rows, _) = sign_in(&server, PASSWORD).await;
    assert!(of_type(&rows, "reentered").is_empty(), "{rows:?}");
}

#[tokio::test]
async fn wrong_passwords_are_throttled_and_the_owner_signs_in_soon() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json(&format!("/register {PASSWORD}")).await;
    let mut mallory = nameless(&server, "mallory").await;
    let mut codes = Vec::new();
    for n in 0..7 {
        let (_, refused) = mallory.ask_json(&format!("/login alice guess number {n}")).await;
        codes.push(refused["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes[..5], ["wrong-password"; 5]);
    assert!(codes[5..].iter().any(|code| code == "too-fast"), "{codes:?}");
    // The right password is delayed as well, so that guessing gains nothing; not for long.
    loop {
        let (_, answer) = mallory.ask_json(&format!("/login alice {PASSWORD}")).await;
        if answer["type"] == "ok" {
            break;
        }
        assert_eq!(answer["code"], "too-fast", "{answer}");
    }
}

#[tokio::test]
async fn many_sign_in_with_their_passwords_at_once() {
    let server = TestServer::start_unpaced().await;
    let mut people = Vec::new();
    for n in 0..30 {
        let mut one = server.person_in(&format!("user{n}"), ClientFormat::Json).await;
        one.send(&format!("/register {PASSWORD}")).await;
        people.push(one);
    }
    for one in &mut people {
        assert_eq!(one.answer_json().await.1["type"], "ok");
    }
    drop(people);
    let mut devices = Vec::new();
    for n in 0..30 {
        let mut device = nameless(&server, &format!("user{n}")).await;
        device.send(&format!("/login user{n} {PASSWORD}")).await;
        devices.push(device);
    }
    for device in &mut devices {
        assert_eq!(device.answer_json().await.1["type"], "ok");
    }
}

#[tokio::test]
async fn messages_of_an_erased_account_are_redacted_also_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(data.path());
    let mut server = setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json(&format!("/register {PASSWORD}")).await;
    alice.ask_json("/create general").await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/enter general").await;
    for n in 0..50 {
        alice.ask_json(&format!("unmistakable words {n}")).await;
    }
    bob.ask_json("what bob says stays").await;
    alice.ask_json("/msg bob unmistakable secret").await;
    assert_eq!(alice.ask_json(&format!("/forget {PASSWORD}")).await.1["type"], "ok");
    server.kill().await;
    let server = setup.start().await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/enter general after 0").await;
    // The messages are redacted in steps.
    loop {
        let (rows, _) = bob.ask_json("/history after 0").await;
        let (found, _) = bob.ask_json("/search unmistakable").await;
        if rows.len() == 1 && found.is_empty() {
            assert_eq!(
                (&rows[0]["text"], &rows[0]["id"]),
                (&"what bob says stays".into(), &51.into())
            );
            break;
        }
    }
    let free = server.person("alice").await;
    drop(free);
}

#[tokio::test]
async fn members_of_a_dropped_channel_are_no_members_of_the_next_one() {
    let server = TestServer::start_unpaced().await;
    let mut kate = server.person_in("alice", ClientFormat::Json).await;
    kate.ask_json(&format!("/register {PASSWORD}")).await;
    let mut maker = server.person_in("maker", ClientFormat::Json).await;
    maker.ask_json(&format!("/register {PASSWORD}")).await;
    maker.ask_json("/create x").await;
    kate.ask_json("/enter x").await;
    drop(kate);
    while maker.json().await["type"] != "gone" {}
    assert_eq!(maker.ask_json("/drop x").await.1["type"], "ok");
    let mut stranger = server.person_in("stranger", ClientFormat::Json).await;
    for line in ["/create x", "/set invite-only on", "private"] {
        assert_eq!(stranger.ask_json(line).await.1["type"], "ok", "{line}");
    }
    let (_, rows, _) = sign_in(&server, PASSWORD).await;
    assert!(of_type(&rows, "reentered").is_empty(), "{rows:?}");
}

#[tokio::test]
async fn signing_in_to_a_banned_account_ejects_the_client() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json(&format!("/register {PASSWORD}")).await;
    drop(alice);
    let mut host = server.person_in("host", ClientFormat::Json).await;
    host.ask_json("/create club").await;
    host.ask_json("/ban alice").await;
    let mut wolf = server.person_in("wolf", ClientFormat::Json).await;
    wolf.ask_json("/enter club").await;
    let (mut output, ok) = wolf.ask_json(&format!("/login alice {PASSWORD}")).await;
    assert_eq!(ok["type"], "ok");
    output.extend(wolf.ask_json("/info").await.0);
    assert_eq!(of_type(&output, "kicked")[0]["channel"], "#club", "{output:?}");
    assert_eq!(wolf.ask_json("/history club").await.1["code"], "banned");
    // So is a user who takes a banned name.
    host.ask_json("/ban mallory").await;
    let mut other = server.person_in("other", ClientFormat::Json).await;
    other.ask_json("/enter club").await;
    other.ask_json("/name mallory").await;
    let (output, _) = other.ask_json("/info").await;
    assert_eq!(of_type(&output, "kicked")[0]["channel"], "#club", "{output:?}");
}

#[tokio::test]
async fn a_channel_of_an_erased_operator_passes_to_another_member() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json(&format!("/register {PASSWORD}")).await;
    alice.ask_json("/create dev").await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/enter dev").await;
    let (rows, ok) = alice.ask_json(&format!("/forget {PASSWORD}")).await;
    assert_eq!(ok["type"], "ok");
    assert!(!format!("{rows:?}").contains("operator"), "{rows:?}");
    assert_eq!(bob.ask_json("/set slow 1s").await.1["type"], "ok");
}

#[tokio::test]
async fn an_erasure_continues_after_a_kill_while_messages_are_stored() {
    const WORD: &str = "qxyzzyq";
    let data = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(data.path());
    let mut server = setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask_json(&format!("/register {PASSWORD}")).await;
    alice.ask_json("/create dev").await;
    for n in 0..600 {
        alice.ask_json(&format!("{WORD} {n}")).await;
    }
    assert_eq!(alice.ask_json(&format!("/forget {PASSWORD}")).await.1["type"], "ok");
    server.kill().await;
    let server = setup.start().await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    bob.ask_json("/enter dev").await;
    let is_left = || {
        let files =
            ["recent.db", "recent.db-wal"].map(|name| std::fs::read(data.path().join(name)));
        let holds = |bytes: Vec<u8>| bytes.windows(WORD.len()).any(|some| some == WORD.as_bytes());
        files.into_iter().flatten().any(holds)
    };
    let mut stored = 0;
    while is_left() {
        assert_eq!(bob.ask_json("meanwhile").await.1["type"], "ok");
        stored += 1;
        assert!(stored < 100_000, "it comes to an end");
    }
    let (rows, _) = bob.ask_json("/history dev 50").await;
    assert!(!format!("{rows:?}").contains(WORD), "{rows:?}");
}

#[tokio::test]
async fn departures_and_entries_survive_a_kill() {
    for round in 0..5 {
        let data = tempfile::tempdir().unwrap();
        let setup = ServerSetup::unpaced().keeping(data.path());
        let mut server = setup.start().await;
        let mut alice = server.person_in("alice", ClientFormat::Json).await;
        alice.ask_json(&format!("/register {PASSWORD}")).await;
        for line in ["/create one", "/create two", "/leave one"] {
            assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
        }
        server.kill().await;
        let server = setup.start().await;
        let (_, rows, _) = sign_in(&server, PASSWORD).await;
        let back: Vec<_> = of_type(&rows, "reentered").iter().map(|row| &row["channel"]).collect();
        assert_eq!(back, ["#two"], "round {round}");
    }
}

#[tokio::test]
async fn state_before_registration_moves_to_the_account() {
    let data = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(data.path());
    let mut server = setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    for line in ["/ignore mallory", "/away at sea", &format!("/register {PASSWORD}")] {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    server.kill().await;
    let mut server = setup.start().await;
    let (mut alice, ..) = sign_in(&server, PASSWORD).await;
    let (rows, _) = alice.ask_json("/ignore").await;
    let output = of_type(&rows, "notice");
    assert!(output.last().unwrap()["text"].as_str().unwrap().contains("mallory"), "{rows:?}");
    let (rows, _) = alice.ask_json("/whois alice").await;
    assert_eq!(rows[0]["reason"], "at sea", "{rows:?}");
    // An acknowledged change is stored.
    assert_eq!(alice.ask_json("/back").await.1["type"], "ok");
    server.kill().await;
    let server = setup.start().await;
    let (mut alice, ..) = sign_in(&server, PASSWORD).await;
    let (rows, _) = alice.ask_json("/whois alice").await;
    assert!(rows[0].get("reason").is_none() && rows[0]["away"] != true, "{rows:?}");
}

#[tokio::test]
async fn the_topics_and_reasons_of_an_account_are_erased_with_it() {
    let data = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(data.path());
    let mut server = setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    let lines = [
        format!("/register {PASSWORD}"),
        "/create made alice made this".to_owned(),
        "/create general".to_owned(),
    ];
    for line in &lines {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    for line in [&format!("/register {PASSWORD}"), "/enter made", "/enter general"] {
        assert_eq!(bob.ask_json(line).await.1["type"], "ok", "{line}");
    }
    for line in ["/topic alice says so", "/op bob", "/ban mallory she was rude", "/set words +rude"]
    {
        assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
    }
    bob.settle().await;
    alice.ask_json(&format!("/forget {PASSWORD}")).await;
    let mut removed = Vec::new();
    while removed.len() < 2 {
        let output = bob.json().await;
        if output["type"] == "topic" {
            assert!(output["topic"].is_null(), "{output}");
            removed.push(output["channel"].as_str().unwrap().to_owned());
        }
    }
    removed.sort();
    assert_eq!(removed, ["#general", "#made"]);
    for restarted in [false, true] {
        if restarted {
            server.kill().await;
            server = setup.start().await;
            bob = nameless(&server, "bob again").await;
            bob.ask_json(&format!("/login bob {PASSWORD}")).await;
            bob.ask_json("/enter general").await;
        }
        for (line, kind, count) in
            [("/channels", "channel", 2), ("/log", "log", 3), ("/ban", "ban", 1)]
        {
            let (rows, ok) = bob.ask_json(line).await;
            assert_eq!(
                (ok["type"].as_str(), of_type(&rows, kind).len()),
                (Some("ok"), count),
                "{rows:?}"
            );
            let output = format!("{rows:?}");
            for gone in ["alice made this", "alice says so", "she was rude", "+rude"] {
                assert!(!output.contains(gone), "{line}: {output}");
            }
        }
    }
}
