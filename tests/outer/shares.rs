//! Shares of one account or address, and side channels of restricted users.

use std::time::{Duration, Instant};

use chat_testkit::client::Skip;
use chat_testkit::server::{ServerSetup, TestServer};

/// A server without rate limits, with small shares.
async fn frugal(limits: &str) -> TestServer {
    let limits = format!("[limits]\nburst_lines = 100000\nlines_per_second = 100000\n{limits}\n");
    ServerSetup::default().config(limits).start().await
}

#[tokio::test]
async fn channels_created_and_left_lock_nobody_out() {
    let server = frugal("channels = 20\nchannels_per_hour = 160").await;
    let mut mallory = server.person("mallory").await;
    for number in 0..20 {
        let made = mallory.ask(&format!("/create c{number}")).await;
        assert!(made[0].starts_with("* You made"), "{made:?}");
        mallory.ask("/leave").await;
    }
    let output = mallory.ask("/create one-more").await;
    assert!(output[0].starts_with("! too-fast: Too many new channels"), "{output:?}");
    assert!(output[0].contains("Wait 45 s") || output[0].contains("Wait 44 s"), "{output:?}");
    // Half of the address's share is left to others there.
    let mut other = server.person("other").await;
    for number in 0..20 {
        let made = other.ask(&format!("/create d{number}")).await;
        assert!(made[0].starts_with("* You made"), "{made:?}");
        other.ask("/leave").await;
    }
    // The bucket of the address outlives the connections.
    for mut person in [mallory, other] {
        person.send("/quit").await;
        person.read_to_end().await;
    }
    let mut again = server.person("again").await;
    let output = again.ask("/create one-more").await;
    assert!(output[0].contains("Wait 23 s") || output[0].contains("Wait 22 s"), "{output:?}");
    // A channel without messages is removed with its last member.
    let output = again.ask("/enter c0").await;
    assert!(output[0].starts_with("! no-such-channel: "), "{output:?}");
}

#[tokio::test]
async fn one_address_has_its_share_of_channels() {
    let server = frugal("channels_per_address = 3").await;
    let mut mallory = server.person("mallory").await;
    for number in 0..3 {
        mallory.ask(&format!("/create c{number}")).await;
    }
    let output = mallory.ask("/create c3").await;
    assert!(output[0].starts_with("! too-many-channels: "), "{output:?}");
    mallory.ask("/leave c0").await;
    let output = mallory.ask("/create c3").await;
    assert!(output[0].starts_with("* You made #c3"), "{output:?}");
}

#[tokio::test]
async fn accounts_renames_topics_chats_and_actions_are_throttled_for_each_address() {
    let server = frugal(
        "accounts_per_hour = 4\nrenames_per_hour = 4\ntopics_per_hour = 4\nprivate_chats_per_hour = 4\n\
         invitations_per_hour = 4\nmoderation_per_hour = 4",
    )
    .await;
    let _bob = server.person("bob").await;
    let _carol = server.person("carol").await;
    let mut alice = server.person("alice").await;
    alice.ask("/create a").await;
    for (first, second) in [
        ("/topic one", "/topic two"),
        ("/private bob", "/private carol"),
        ("/enter a", "/enter a"),
        ("/invite bob", "/invite carol"),
        ("/mute bob", "/ban bob"),
        ("/name alicia", "/name alison"),
        ("/register long-enough-1", "/ping"),
    ] {
        let output = alice.ask(first).await;
        assert!(!output[0].starts_with('!'), "{first}: {output:?}");
        let output = alice.ask(second).await;
        let is_paced = !matches!(second, "/enter a" | "/ping");
        assert_eq!(output[0].starts_with("! too-fast: "), is_paced, "{second}: {output:?}");
    }
    let mut dave = server.person("dave").await;
    let output = dave.ask("/register long-enough-1").await;
    assert!(output[0].starts_with("! too-fast: Too many new accounts"), "{output:?}");
}

#[tokio::test]
async fn reconnecting_refills_no_bucket() {
    let config = "[limits]\nburst_lines = 10\nlines_per_second = 10\npace_of_address = 2";
    let server = ServerSetup::default().config(config).start().await;
    let begun = Instant::now();
    for _ in 0..6 {
        let mut again = server.newcomer("again").await;
        again.send_raw("/ping\n".repeat(10).as_bytes()).await;
        for _ in 0..10 {
            again.expect_line("* pong", Skip::Others).await;
        }
    }
    // Twenty at once, then twenty a second: forty more take two seconds.
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn connections_from_one_address_are_throttled() {
    // From loopback a hundred times as many.
    let server = ServerSetup::default().config("limits.connects_per_minute = 1").start().await;
    let mut refused = None;
    for _ in 0..110 {
        let mut again = server.newcomer("again").await;
        let line = again.line().await;
        if line.starts_with('!') {
            refused = Some(line);
            break;
        }
    }
    let refused = refused.expect("there are too many");
    assert!(refused.starts_with("! too-fast: Too many connections came from"), "{refused}");
}

#[tokio::test]
async fn stored_bytes_have_a_daily_share() {
    let server = frugal("stored_mib_per_address = 1").await;
    let mut mallory = server.person("mallory").await;
    mallory.ask("/create a").await;
    let text = "x".repeat(3900);
    let mut said = 0;
    let refused = loop {
        let output = mallory.ask(&text).await;
        match output.first() {
            Some(output) => break output.clone(),
            None => said += 1,
        }
    };
    assert!(refused.starts_with("! too-fast: Your share of the server's disk"), "{refused}");
    // A quarter of it at once.
    assert!((60..70).contains(&said), "{said}");
    // It outlives the connection, and reading goes on.
    let mut again = server.person("again").await;
    again.ask("/enter a").await;
    let output = again.ask(&text).await;
    assert!(output[0].starts_with("! too-fast: "), "{output:?}");
    assert_eq!(again.ask("/history 1").await.len(), 1);
}

#[tokio::test]
async fn a_restricted_user_has_no_side_channel() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    let mut carol = server.person("carol").await;
    for line in ["/create a", "/set words +pills"] {
        alice.ask(line).await;
    }
    for person in [&mut bob, &mut carol] {
        person.ask("/enter a").await;
    }
    bob.ask("/create b").await;
    bob.ask("/enter a").await;
    let output = bob.ask("/name buy.pills.now").await;
    assert!(output[0].starts_with("! not-allowed: "), "{output:?}");
    bob.ask("/away cheap pills").await;
    let output = carol.ask("/msg bob hi").await;
    assert!(output.iter().any(|line| line == "* bob is away"), "{output:?}");
    alice.ask("/mute bob").await;
    bob.settle().await;
    for (line, code) in [
        ("/name what-I-may-not-say", "! muted: You are muted in #a and keep your name there."),
        ("/private carol", ""),
        ("/invite #b alice", "! muted: "),
    ] {
        let output = bob.ask(line).await;
        assert!(output[0].starts_with(code), "{line}: {output:?}");
    }
    alice.settle().await;
    bob.ask("/leave a because I say so").await;
    alice.expect(&["* bob left #a"]).await;
    let mut spammer = server.person("pills").await;
    let output = spammer.ask("/enter a").await;
    assert!(output[0].starts_with("! not-allowed: "), "{output:?}");
    alice.expect_nothing().await;
}

#[tokio::test]
async fn an_ignored_user_has_no_side_channel() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    let mut carol = server.person("carol").await;
    alice.ask("/create a").await;
    for person in [&mut bob, &mut carol] {
        person.ask("/enter a").await;
    }
    alice.settle().await;
    carol.ask("/ignore alice").await;
    carol.settle().await;
    bob.settle().await;
    for line in ["/topic my words", "/me waves", "/mute bob my words", "/kick bob my words"] {
        alice.ask(line).await;
    }
    let output = carol.settle().await;
    assert_eq!(output, ["* alice muted bob in #a", "* alice kicked bob from #a"]);
    alice.ask("/kick carol my words").await;
    let output = carol.settle().await;
    assert_eq!(output, ["* alice kicked you from #a. You are in no conversation."]);
}
