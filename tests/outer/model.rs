//! Eight clients send random commands, and all their output must agree: members, messages, their
//! order, and the history read later, also after a crash.
//!
//! Four of them are two accounts on two devices each. Six use the JSON format, and each of these
//! builds a [`View`] of its channels from the events alone; two use the text format. After each
//! round the clients stop and compare their views with the server. `MODEL_SECONDS` sets the
//! duration, `MODEL_SEED` the commands.

mod commands;
mod player;
mod truth;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chat_server::store::Store;
use chat_testkit::dice::{Dice, number_in, seed_in};
use chat_testkit::server::ServerSetup;
use tokio::task::JoinSet;

use self::player::{Player, Role};
use self::truth::Truth;

/// Duration without `MODEL_SECONDS`.
const USUAL: u64 = 60;

/// Commands of each client in a round.
const COMMANDS: u64 = 60;

/// Rounds between two kills of the server.
const ROUNDS_OF_A_LIFE: u64 = 6;

const ROLES: [Role; 8] = [
    Role::Account("alice"),
    Role::Account("alice"),
    Role::Account("bob"),
    Role::Account("bob"),
    Role::Guest,
    Role::Guest,
    Role::Reader,
    Role::Reader,
];

async fn play_all(players: Vec<Player>) -> Vec<Player> {
    let mut playing = JoinSet::new();
    for mut player in players {
        playing.spawn(async move {
            player.play(COMMANDS).await;
            player
        });
    }
    let mut back = Vec::new();
    while let Some(played) = playing.join_next().await {
        back.push(played.unwrap());
    }
    back.sort_by_key(Player::number);
    back
}

/// While no client sends, the views of the clients agree with the server.
async fn check(players: &mut [Player], truth: &Mutex<Truth>) {
    for _ in 0..2 {
        for player in &mut *players {
            player.settle().await;
        }
    }
    let mut present: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for player in &mut *players {
        for channel in player.look().await {
            present.entry(channel).or_default().insert(player.name());
        }
    }
    for player in &mut *players {
        player.settle().await;
    }
    for player in &*players {
        player.check_members(&present);
    }
    for channel in present.keys() {
        let Some(reader) = players.iter_mut().find(|player| player.reads_all_of(channel)) else {
            continue;
        };
        loop {
            let after = truth.lock().unwrap().checked(channel);
            let lines = reader.lines(channel, after).await;
            let read = truth.lock().unwrap().check(channel, &lines);
            match read {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => reader.fail(&fault),
            }
        }
    }
    for player in players {
        player.look_away().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_all_clients_agree() {
    let seed = seed_in("MODEL_SEED");
    let time = Duration::from_secs(number_in("MODEL_SECONDS").unwrap_or(USUAL));
    eprintln!("MODEL_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut setup = ServerSetup::unpaced().keeping(&data);
    let mut server = setup.start().await;
    let address = server.address();
    setup = setup.listening_at(address);
    let truth = Arc::new(Mutex::new(Truth::default()));
    let mut players = Vec::new();
    for (number, role) in (0..).zip(ROLES) {
        let dice = Dice::of(seed, number);
        players.push(Player::join(number, role, address, dice, Arc::clone(&truth)).await);
    }
    let socket = data.join("admin.sock");
    let granted = super::operators::admin(&socket, &["grant", "alice"]).await;
    assert!(granted.status.success(), "{granted:?}");
    let begun = Instant::now();
    let mut rounds: u64 = 0;
    while begun.elapsed() < time {
        players = play_all(players).await;
        check(&mut players, &truth).await;
        rounds += 1;
        if rounds.is_multiple_of(ROUNDS_OF_A_LIFE) {
            server.kill().await;
            server = setup.start().await;
            truth.lock().unwrap().check_from_the_start();
            for player in &mut players {
                player.come_back().await;
            }
            check(&mut players, &truth).await;
        }
    }
    drop(players);
    assert!(server.terminate().await.success());
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    let faults = Store::open_to_read(&data).unwrap().faults().unwrap();
    assert_eq!(faults, Vec::<String>::new());
    let lines = truth.lock().unwrap().count();
    eprintln!("{rounds} rounds of {} commands, {lines} lines", COMMANDS * ROLES.len() as u64);
    assert!(lines > 0);
}
