//! One test for each fault of the program's predecessor: a server with a thread for each client,
//! which took the result of each read for a line.

use chat_testkit::{ClientFormat, TestServer};

#[tokio::test]
async fn messages_merge_and_split_for_want_of_framing() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    alice.settle().await;
    // Three lines in one piece, and one in three.
    alice.send_raw(b"one\r\ntwo\r\nthree\r\nfo").await;
    bob.expect(&["[#general] alice: one", "[#general] alice: two", "[#general] alice: three"])
        .await;
    bob.expect_nothing().await;
    alice.send_raw(b"u").await;
    bob.expect_nothing().await;
    alice.send_raw(b"r\r\n").await;
    bob.expect(&["[#general] alice: four"]).await;
    bob.expect_nothing().await;
}

#[tokio::test]
async fn one_silent_new_connection_blocks_all_others() {
    let server = TestServer::start().await;
    let _silent = server.newcomer("silent").await;
    let mut alice = server.person("alice").await;
    assert_eq!(alice.ask("/users").await, ["* 1 online: alice"]);
}

#[tokio::test]
async fn a_stalled_reader_stalls_the_channel() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    let mut stalled = server.person("stalled").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    stalled.ask("/enter general").await;
    bob.settle().await;
    // More than the kernel buffers for one connection on both sides.
    let text = "x".repeat(4000);
    for _ in 0..4000 {
        alice.send(&text).await;
        bob.expect(&[&format!("[#general] alice: {text}")]).await;
    }
}

#[tokio::test]
async fn names_are_neither_checked_nor_unique() {
    let server = TestServer::start().await;
    let _alice = server.person("alice").await;
    let mut other = server.newcomer("other").await;
    other.settle().await;
    for (name, refused) in [
        ("alice", "! name-taken: "),
        ("Alice", "! name-taken: "),
        ("\u{430}lice", "! name-taken: "),
        ("system", "! bad-name: "),
        ("al ice", "! bad-name: "),
        ("[#x]", "! bad-name: "),
    ] {
        let output = other.ask(name).await;
        assert!(output.len() == 1 && output[0].starts_with(refused), "{name}: {output:?}");
    }
}

#[tokio::test]
async fn name_and_time_are_the_clients_own_and_can_be_forged() {
    let server = TestServer::start().await;
    let mut mallory = server.person("mallory").await;
    let mut text = server.person("text").await;
    let mut json = server.person_in("json", ClientFormat::Json).await;
    mallory.ask("/create general").await;
    text.ask("/enter general").await;
    json.ask("/enter general").await;
    text.settle().await;
    let forged = r#"x","from":"alice","time":"2001-01-01T00:00:00.000Z"#;
    for said in [
        "alice 10:32: hi",
        "* alice left the system",
        "[#general 2026-11-22 07:44:05] alice: hi",
        "\r[#general] alice: hi",
        forged,
    ] {
        mallory.send(said).await;
        let shown = said.trim_start_matches('\r');
        text.expect(&[&format!("[#general] mallory: {shown}")]).await;
        let object = json.json().await;
        assert_eq!(object["from"], "mallory");
        assert_eq!(object["text"], shown);
        assert!(object["time"].as_str().is_some_and(|time| time > "2026"), "{object}");
    }
}

#[tokio::test]
async fn private_moves_the_other_user_out_of_their_channel() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    bob.ask("/create general").await;
    alice.ask("/enter general").await;
    bob.settle().await;
    alice.ask("/private bob").await;
    bob.expect(&["* alice opened a private chat with you. /private alice to answer."]).await;
    bob.send("still in the room").await;
    alice.expect(&["[#general] bob: still in the room"]).await;
    alice.send("psst").await;
    bob.expect(&["[@alice] alice: psst"]).await;
    bob.send("and still").await;
    alice.expect(&["[#general] bob: and still"]).await;
}

#[tokio::test]
async fn a_message_to_a_departed_user_is_lost_silently() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/private bob").await;
    bob.send("/quit").await;
    bob.read_to_end().await;
    alice.expect(&["* bob left the system"]).await;
    for line in ["are you there?", "/me waits"] {
        let output = alice.ask(line).await;
        assert_eq!(
            output,
            ["! no-such-user: bob has left; this was not said. /leave @bob ends the chat."],
            "{line}"
        );
    }
    assert_eq!(
        alice.ask("/msg bob are you there?").await,
        ["! no-such-user: Nobody here is called bob. /users shows who is here."]
    );
}
