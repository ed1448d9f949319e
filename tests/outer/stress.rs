//! Many clients send random commands at once, and each command is answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_testkit::client::{ClientFormat, TestClient};
use chat_testkit::dice::{Dice, seed_in};
use chat_testkit::server::ServerSetup;

/// Clients at once.
const CLIENTS: u64 = 12;

/// Duration of the run. It found a wrong lock order within a second.
const TIME: Duration = Duration::from_secs(5);

/// Time limit of a command on a busy machine. A deadlocked server never answers.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// The names of a client.
fn name(client: u64, random: &mut Dice) -> String {
    let variants = ["red", "blue", "green"];
    format!("u{client}{}", variants[usize::try_from(random.below(3)).unwrap()])
}

fn command(own: u64, random: &mut Dice) -> String {
    let other = random.below(CLIENTS);
    let other = name(other, random);
    let channel = format!("#room{}", random.below(3));
    if random.below(4) > 0 {
        // Half of them ban in their own channels, and half change their names: these two deadlocked
        // a server.
        return match (own % 2, random.below(8)) {
            (0, 0) => format!("/enter #own{own}"),
            (0, 1..=3) => format!("/ban {other}"),
            (0, _) => format!("/unban {other}"),
            _ => format!("/name {}", name(own, random)),
        };
    }
    match random.below(26) {
        0..=3 => format!("/name {}", name(own, random)),
        4 | 5 => format!("/enter {channel}"),
        6 => format!("/leave {channel}"),
        7 => format!("/create {channel}"),
        8 => format!("/drop {channel} for real"),
        9..=11 => format!("/ban {other}"),
        12..=14 => format!("/unban {other}"),
        15 => format!("/mute {other} for 1m"),
        16 => format!("/unmute {other}"),
        17 => format!("/kick {other}"),
        18 => format!("/op {other}"),
        19 => format!("/deop {other}"),
        20 => format!("/invite {other}"),
        21 => format!("/msg {other} a private line"),
        22 => format!("/private {other}"),
        23 => "/channels".to_owned(),
        24 => format!("/whois {other}"),
        _ => format!("line {}", random.number()),
    }
}

async fn connect(own: u64, address: SocketAddr, random: &mut Dice) -> TestClient {
    let mut client = TestClient::connect(&name(own, random), address).await;
    client.set_deadline(ANSWERED_WITHIN);
    client.settle_in(ClientFormat::Text).await;
    client
}

async fn play(own: u64, address: SocketAddr, seed: u64) -> u64 {
    let mut random = Dice::of(seed, own);
    let mut client = connect(own, address, &mut random).await;
    client.ask(&format!("/create #own{own}")).await;
    let begun = Instant::now();
    let mut asked = 0;
    while begun.elapsed() < TIME {
        if random.below(100) == 0 {
            // Waits for the end, so that the name is free again.
            client.send("/quit").await;
            client.read_to_end().await;
            client = connect(own, address, &mut random).await;
        }
        client.ask(&command(own, &mut random)).await;
        asked += 1;
    }
    asked
}

#[tokio::test]
async fn every_command_is_answered_under_concurrent_commands() {
    let seed = seed_in("STRESS_SEED");
    eprintln!("STRESS_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut server = ServerSetup::unpaced().keeping(folder.path()).start().await;
    let address = server.address();
    let mut playing = tokio::task::JoinSet::new();
    for own in 0..CLIENTS {
        playing.spawn(play(own, address, seed));
    }
    let mut asked = 0;
    while let Some(played) = playing.join_next().await {
        asked += played.unwrap_or_else(|failed| panic!("STRESS_SEED={seed}: {failed}"));
    }
    assert!(asked > CLIENTS, "STRESS_SEED={seed}: only {asked} commands");
    assert!(server.terminate().await.success(), "STRESS_SEED={seed}");
    let log = server.log();
    assert!(!log.contains("panicked"), "STRESS_SEED={seed}: {log}");
}
