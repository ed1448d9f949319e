//! One test for each fault that was found from outside, reproduced with a deterministic schedule.

use chat_proto::time::Timestamp;
use chat_testkit::{ClientFormat, TestClient, TestHub};

/// Later than the removal of any empty channel.
const FAR_FUTURE: Timestamp = Timestamp(i64::MAX);

/// Alice, operator of a channel, and bob in it. Each pipe holds this many bytes.
async fn two_in(hub: &TestHub, channel: &str, holds: usize) -> (TestClient, TestClient) {
    let mut alice = hub.person("alice", ClientFormat::Text).await;
    let mut bob = hub.newcomer("bob", holds, &[usize::MAX]);
    bob.settle_in(ClientFormat::Text).await;
    alice.ask(&format!("/create {channel}")).await;
    bob.ask(&format!("/enter {channel}")).await;
    alice.settle().await;
    (alice, bob)
}

#[tokio::test(start_paused = true)]
async fn a_kicked_client_receives_later_messages() {
    let hub = TestHub::default();
    let (mut alice, mut bob) = two_in(&hub, "k0", 16 * 1024).await;
    // The server has received all of it, and runs no further line until some output is read.
    bob.send_raw(format!("{}/leave k0\n", "/h\n".repeat(2700)).as_bytes()).await;
    alice.ask("before the kick").await;
    assert_eq!(alice.ask("/kick bob enough").await, ["* You kicked bob from #k0."]);
    for n in 0..20 {
        alice.send(&format!("secret {n}")).await;
    }
    alice.expect_nothing().await;
    let output = bob.settle().await;
    let of_the_channel: Vec<_> = output.iter().filter(|line| line.contains("k0")).collect();
    let [before, kicked, refused] = of_the_channel.as_slice() else {
        panic!("{of_the_channel:#?}");
    };
    assert_eq!(*before, "[#k0] alice: before the kick");
    assert_eq!(*kicked, "* alice kicked you from #k0 (enough). You are in no conversation.");
    assert!(refused.starts_with("! not-in-channel: "), "{refused}");
    assert!(!output.iter().any(|line| line.contains("secret")), "{of_the_channel:#?}");
}

#[tokio::test(start_paused = true)]
async fn messages_missed_before_a_kick_are_miscounted() {
    // Fewer messages than the ring holds, as many, and more; each with few and with many after the
    // kick.
    for before in [10, 255, 256, 257, 1000, 3000] {
        for after in [0, 1, 254, 255, 256, 257, 3000] {
            let hub = TestHub::default();
            let (mut alice, mut bob) = two_in(&hub, "general", 4096).await;
            for n in 0..before {
                alice.send(&format!("{n} {}", "x".repeat(100))).await;
            }
            alice.ask("/kick bob").await;
            for _ in 0..after {
                alice.send("afterwards").await;
            }
            alice.expect_nothing().await;
            let kicked = "* alice kicked you from #general. You are in no conversation.";
            let mut counted = 0;
            loop {
                let line = bob.line().await;
                if line == kicked {
                    break;
                } else if let Some(rest) = line.strip_prefix("* You missed ") {
                    counted += rest.split(' ').next().unwrap().parse::<usize>().unwrap();
                } else {
                    let expected = format!("[#general] alice: {counted} x");
                    assert!(line.starts_with(&expected), "{before}, {after}: {line}");
                    counted += 1;
                }
            }
            assert_eq!(counted, before, "{after} after the kick");
            bob.expect_nothing().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_recreated_channel_begins_with_missed_messages() {
    let hub = TestHub::default();
    let mut alice = hub.person("alice", ClientFormat::Json).await;
    let mut bob = hub.person("bob", ClientFormat::Json).await;
    alice.ask("/create general").await;
    for _ in 0..3 {
        alice.ask("hi").await;
    }
    alice.ask("/leave general").await;
    hub.hub.drop_empty_channels(FAR_FUTURE);
    let gone = bob.ask("/enter general").await.join("\n");
    assert!(gone.contains("no-such-channel"), "{gone}");
    alice.ask("/create general").await;
    let entered = bob.ask("/enter general after 0").await;
    assert!(entered.iter().all(|line| !line.contains("hi")), "its lines went: {entered:#?}");
    alice.settle().await;
    for id in 4..8 {
        alice.send("hi again").await;
        let answer = alice.json().await;
        assert_eq!((&answer["type"], &answer["id"]), (&"ok".into(), &id.into()), "{answer}");
        let heard = bob.json().await;
        assert_eq!((&heard["type"], &heard["id"]), (&"message".into(), &id.into()), "{heard}");
    }
    // The creator misses none either; a gap would be reported on leaving at the latest.
    for person in [&mut bob, &mut alice] {
        let output = person.ask("/leave general").await;
        assert!(output.last().unwrap().starts_with(r#"{"type":"ok","re":"leave""#), "{output:#?}");
        assert!(!output.iter().any(|line| line.contains("missed")), "{output:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_once_message_is_acked_with_the_displayed_channel_name() {
    let hub = TestHub::default();
    let mut alice = hub.person("alice", ClientFormat::Json).await;
    let mut bob = hub.person("bob", ClientFormat::Json).await;
    alice.ask_json("/register correct horse").await;
    alice.ask_json("/create Y").await;
    bob.ask_json("/enter y").await;
    for _ in 0..2 {
        let (_, ok) = bob.ask_json("/once k #y hello").await;
        assert_eq!(ok["channel"], "#Y", "{ok}");
    }
    bob.ask_json("/leave y").await;
    let (_, ok) = bob.ask_json("/once k #y hello").await;
    assert_eq!(ok["channel"], "#Y", "{ok}");
    alice.ask_json("/drop Y").await;
    alice.ask_json("/create y").await;
    let (_, ok) = alice.ask_json("/once l #Y hello").await;
    assert_eq!(ok["channel"], "#y", "{ok}");
    let (_, ok) = alice.ask_json("/once l #Y hello").await;
    assert_eq!(ok["channel"], "#y", "{ok}");
}

/// Alice doesn't read, in a channel with bob, whose messages fill her pipe.
async fn stuck(hub: &TestHub, format: ClientFormat, lines: u64) -> (TestClient, TestClient) {
    let mut alice = hub.newcomer("alice", 256, &[usize::MAX]);
    alice.settle_in(format).await;
    let mut bob = hub.person("bob", ClientFormat::Json).await;
    alice.ask("/create den").await;
    bob.ask("/enter den").await;
    alice.settle().await;
    for n in 0..lines {
        bob.ask(&format!("before {n}")).await;
    }
    (alice, bob)
}

#[tokio::test(start_paused = true)]
async fn the_ack_of_a_message_that_left_the_ring_comes_after_later_messages() {
    const BEFORE: u64 = 250;
    const AFTER: u64 = 600;
    let hub = TestHub::default();
    let (mut alice, mut bob) = stuck(&hub, ClientFormat::Json, BEFORE).await;
    alice.send("mine").await;
    bob.read_until(|line| line.contains("mine")).await;
    for n in 0..AFTER {
        bob.ask(&format!("after {n}")).await;
    }
    let (mut upto, mut answered, mut missed) = (0, false, 0);
    while upto < BEFORE + 1 + AFTER {
        let row = alice.json().await;
        let number = |key: &str| row[key].as_u64().unwrap();
        match row["type"].as_str().unwrap() {
            "message" => {
                assert_eq!(number("id"), upto + 1);
                upto += 1;
            }
            "missed" => {
                assert_eq!(number("after"), upto);
                missed += number("count");
                upto += number("count");
            }
            "ok" => {
                assert_eq!(number("id"), BEFORE + 1);
                assert!(upto <= BEFORE, "{upto} lines were told before");
                answered = true;
                if upto == BEFORE {
                    upto += 1;
                }
            }
            _ => {}
        }
    }
    assert!(answered && missed > AFTER / 3, "{missed} missed");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_with_pending_output_stays_for_a_minute() {
    for leave in ["/quit", ""] {
        let hub = TestHub::default();
        let (mut alice, mut bob) = stuck(&hub, ClientFormat::Text, 20).await;
        if leave.is_empty() {
            alice.half_close().await;
        } else {
            alice.send(leave).await;
        }
        let gone = bob.json().await;
        assert_eq!(gone, serde_json::json!({ "type": "gone", "user": "alice" }), "{leave:?}");
    }
}

/// The refusal named "unknown" instead of the user.
#[tokio::test(start_paused = true)]
async fn a_missing_message_of_a_private_chat_is_refused_with_the_users_name() {
    let hub = TestHub::default();
    let mut alice = hub.person("alice", ClientFormat::Text).await;
    let mut bob = hub.person("bob", ClientFormat::Text).await;
    bob.ask("/msg alice hi").await;
    let refused = alice.ask("/history @bob after 999").await;
    let refused = refused.last().unwrap();
    assert!(refused.contains("The last line of the private chat with bob is "), "{refused}");
}
