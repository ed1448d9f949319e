//! Every answered message survives a kill of the server, exactly once and in order.
//!
//! Clients send messages as fast as they can; at a random moment the server is killed; the next one
//! on the same directory returns all messages. `KILLS` sets the number of rounds, `SEED` the random
//! choices.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chat_server::store::{OpenError, Store};
use chat_testkit::dice::{number_in, seed_in};
use chat_testkit::{ClientFormat, Dice, ServerSetup, TestServer, binary};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Kills by default.
const USUAL: u64 = 15;

/// Kills of one directory, whose history grows meanwhile.
const KILLS_OF_A_LIFE: u64 = 5;

/// Upper bound on unanswered messages of one sender.
const AHEAD: usize = 16;

/// For an unoptimised server on a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(20);

const CHANNELS: [&str; 3] = ["#a", "#b", "#c"];
const SENDERS: [&str; 4] = ["ann", "ben", "cora", "dan"];
const LISTENERS: [&str; 2] = ["ida", "joe"];
/// They send each other private messages.
const PAIR: [&str; 2] = ["pat", "quinn"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    None,
    Ok(u64),
    Refused,
}

/// A message as its sender knows it.
#[derive(Clone, Debug)]
struct Sent {
    by: &'static str,
    /// A channel, or `@` for the chat of the pair.
    to: &'static str,
    text: String,
    key: Option<String>,
    answer: Answer,
}

impl Sent {
    fn line(&self) -> String {
        let to = match (self.to, self.by) {
            ("@", by) if by == PAIR[0] => format!("@{}", PAIR[1]),
            ("@", _) => format!("@{}", PAIR[0]),
            (channel, _) => channel.to_owned(),
        };
        match &self.key {
            Some(key) => format!("/once {key} {to} {}\n", self.text),
            None => format!("/say {to} {}\n", self.text),
        }
    }
}

/// A received message: conversation, id, author, text.
type Seen = (&'static str, u64, String, String);

fn seen(value: &Value) -> Option<Seen> {
    let to = match value["type"].as_str()? {
        "message" => CHANNELS.into_iter().find(|name| value["channel"] == *name)?,
        "private" => "@",
        _ => return None,
    };
    let word = |key: &str| value[key].as_str().map(str::to_owned);
    Some((to, value["id"].as_u64()?, word("from")?, word("text")?))
}

/// A connection that may break within a line.
struct Wire(BufReader<TcpStream>);

impl Wire {
    /// A named client, in every channel unless it is one of the pair.
    async fn of(name: &str, server: &TestServer) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut wire = Self(BufReader::new(stream));
        wire.send(&format!("/format json\n{name}\n")).await;
        let mut answers = 2;
        if !PAIR.contains(&name) {
            for channel in CHANNELS {
                wire.send(&format!("/create {channel}\n/enter {channel}\n")).await;
                answers += 2;
            }
        }
        for _ in 0..answers {
            wire.ask("").await;
        }
        wire
    }

    /// Sends one line. Returns the output before its answer, and the answer.
    async fn ask(&mut self, line: &str) -> (Vec<Value>, Value) {
        self.send(line).await;
        let mut rows = Vec::new();
        loop {
            let output = self.next().await.expect("the server lives");
            if output["type"] == "ok" || output["type"] == "error" {
                return (rows, output);
            }
            rows.push(output);
        }
    }

    async fn send(&mut self, lines: &str) {
        // Reading detects a broken connection.
        let _ = self.0.get_mut().write_all(lines.as_bytes()).await;
    }

    /// The next whole line that is JSON; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let mut line = Vec::new();
            self.0.read_until(b'\n', &mut line).await.ok()?;
            if line.last() != Some(&b'\n') {
                return None;
            }
            if line.first() == Some(&b'{') {
                return Some(serde_json::from_slice(&line).unwrap());
            }
        }
    }
}

/// All clients, by name.
type People = HashMap<&'static str, Wire>;

async fn all_clients(server: &TestServer) -> People {
    let mut people = People::new();
    for name in SENDERS.into_iter().chain(LISTENERS).chain(PAIR) {
        people.insert(name, Wire::of(name, server).await);
    }
    people
}

/// The number of answers until the kill.
struct Fuse {
    left: AtomicUsize,
    burnt: Notify,
}

impl Fuse {
    fn answered(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.burnt.notify_one();
        }
    }
}

/// Sends messages until the end of the connection.
async fn talk(
    mut wire: Wire,
    by: &'static str,
    round: u64,
    mut dice: Dice,
    fuse: Arc<Fuse>,
) -> (Vec<Sent>, Vec<Seen>) {
    let (mut sent, mut heard): (Vec<Sent>, Vec<Seen>) = (Vec::new(), Vec::new());
    let mut answered = 0;
    loop {
        let space = AHEAD - (sent.len() - answered);
        let more =
            if sent.len() == answered { 1 + dice.index(space) } else { dice.index(space + 1) };
        let mut lines = String::new();
        for _ in 0..more {
            let at = sent.len();
            let to = if PAIR.contains(&by) { "@" } else { CHANNELS[dice.index(3)] };
            let padding = "x".repeat(dice.index(if at % 20 == 0 { 2000 } else { 40 }));
            let text = format!("{by} {round} {at} {padding}").trim_end().to_owned();
            let key = (dice.below(3) == 0).then(|| format!("{by}-{round}-{at}"));
            let one = Sent { by, to, text, key, answer: Answer::None };
            lines.push_str(&one.line());
            sent.push(one);
        }
        wire.send(&lines).await;
        loop {
            let Some(output) = wire.next().await else { return (sent, heard) };
            match output["type"].as_str() {
                Some("ok") => sent[answered].answer = Answer::Ok(output["id"].as_u64().unwrap()),
                Some("error") => sent[answered].answer = Answer::Refused,
                _ => {
                    heard.extend(seen(&output));
                    continue;
                }
            }
            answered += 1;
            fuse.answered();
            break;
        }
    }
}

async fn listen(mut wire: Wire) -> (Vec<Sent>, Vec<Seen>) {
    let mut heard = Vec::new();
    while let Some(output) = wire.next().await {
        heard.extend(seen(&output));
    }
    (Vec::new(), heard)
}

/// All stored messages, by conversation.
type Stored = HashMap<&'static str, Vec<(String, String)>>;

async fn read_all(server: &TestServer, people: &mut People) -> Stored {
    let mut stored = Stored::new();
    let mut reader = server.person_in("reader", ClientFormat::Json).await;
    for channel in CHANNELS {
        let (rows, answer) = reader.ask_json(&format!("/enter {channel} after 0")).await;
        assert_eq!(answer["type"], "ok", "{answer}");
        stored.insert(channel, in_order(channel, &rows));
    }
    reader.send("/quit").await;
    reader.read_to_end().await;
    let mut sides = Vec::new();
    for (one, other) in [(PAIR[0], PAIR[1]), (PAIR[1], PAIR[0])] {
        let wire = people.get_mut(one).unwrap();
        let (mut rows, answer) = wire.ask(&format!("/history @{other} after 0\n")).await;
        assert_eq!(answer["type"], "ok", "{answer}");
        rows.retain(|row| row["past"] == true);
        sides.push(in_order("@", &rows));
    }
    assert_eq!(sides[0], sides[1], "both read the same of their chat");
    stored.insert("@", sides.swap_remove(0));
    stored
}

fn in_order(conversation: &str, rows: &[Value]) -> Vec<(String, String)> {
    let rows: Vec<Seen> = rows.iter().filter_map(seen).collect();
    for (at, row) in (1..).zip(&rows) {
        assert_eq!((row.0, row.1), (conversation, at), "a gap or a double");
    }
    rows.into_iter().map(|(_, _, from, text)| (from, text)).collect()
}

/// All messages known to any client in one life of the server.
#[derive(Default)]
struct Truth {
    sent: Vec<Sent>,
    heard: Vec<Seen>,
}

impl Truth {
    /// Compares the stored messages with it. Nothing of the last round has been repeated yet.
    fn check(&self, stored: &Stored, last_round: &[Sent]) {
        let place = |to: &str, id: u64| -> Option<(&str, &str)> {
            let at = usize::try_from(id).unwrap() - 1;
            stored[to].get(at).map(|(from, text)| (from.as_str(), text.as_str()))
        };
        for one in &self.sent {
            if let Answer::Ok(id) = one.answer {
                assert_eq!(place(one.to, id), Some((one.by, one.text.as_str())), "{one:?}");
            }
        }
        for (to, id, from, text) in &self.heard {
            let shown = Some((from.as_str(), text.as_str()));
            assert_eq!(place(to, *id), shown, "somebody saw line {id} of {to}");
        }
        let mut all: HashMap<&str, &Sent> = HashMap::new();
        for one in &self.sent {
            all.insert(&one.text, one);
        }
        let mut there = HashSet::new();
        for (to, rows) in stored {
            for (from, text) in rows {
                assert!(there.insert(text.as_str()), "{text:?} is there twice");
                let one = all.get(text.as_str()).unwrap_or_else(|| panic!("who said {text:?}?"));
                assert_eq!((&one.by, &one.to), (&from.as_str(), to), "{text:?}");
                assert_ne!(one.answer, Answer::Refused, "{text:?} was refused");
            }
        }
        // The stored messages of one sender are a prefix of the sent ones, in order.
        for by in SENDERS.into_iter().chain(PAIR) {
            let theirs = || last_round.iter().filter(|one| one.by == by);
            let mut ended = false;
            for one in theirs().filter(|one| one.answer != Answer::Refused) {
                let is_there = there.contains(one.text.as_str());
                assert!(!(ended && is_there), "{one:?} is there, and one before it isn't");
                ended |= !is_there;
            }
            for (to, rows) in stored {
                let mut rows = rows.iter();
                for one in theirs().filter(|one| there.contains(one.text.as_str())) {
                    if one.to == *to {
                        let found = rows.any(|(_, text)| *text == one.text);
                        assert!(found, "{one:?} stands before what {by} said earlier");
                    }
                }
            }
        }
    }

    /// Repeats messages with a key and without an answer, each twice.
    async fn send_again(&mut self, people: &mut People, stored: &Stored) {
        for one in &mut self.sent {
            if one.key.is_none() || one.answer != Answer::None {
                continue;
            }
            let wire = people.get_mut(one.by).unwrap();
            let mut ids = Vec::new();
            for _ in 0..2 {
                let (_, answer) = wire.ask(&one.line()).await;
                assert_eq!(answer["type"], "ok", "{answer}");
                ids.push(answer["id"].as_u64().unwrap());
            }
            assert_eq!(ids[0], ids[1], "{one:?} was said twice");
            let at = stored[one.to].iter().position(|(_, text)| *text == one.text);
            match at {
                Some(at) => assert_eq!(ids[0], at as u64 + 1, "{one:?} was there already"),
                None => assert!(ids[0] > stored[one.to].len() as u64, "{one:?}: {ids:?}"),
            }
            one.answer = Answer::Ok(ids[0]);
        }
    }
}

/// Clients send messages until the kill.
async fn talk_until_killed(
    server: &mut TestServer,
    mut people: People,
    round: u64,
    dice: &mut Dice,
) -> Truth {
    let left = AtomicUsize::new(1 + dice.index(600));
    let fuse = Arc::new(Fuse { left, burnt: Notify::new() });
    let mut talkers = JoinSet::new();
    for name in LISTENERS {
        talkers.spawn(listen(people.remove(name).unwrap()));
    }
    for name in SENDERS.into_iter().chain(PAIR) {
        let theirs = Dice::new(dice.below(u64::MAX));
        talkers.spawn(talk(people.remove(name).unwrap(), name, round, theirs, Arc::clone(&fuse)));
    }
    fuse.burnt.notified().await;
    // Any moment of a commit, not only the one after its answers.
    #[expect(clippy::disallowed_methods, reason = "the awaited state has no event")]
    std::thread::sleep(Duration::from_micros(dice.below(3000)));
    server.kill().await;
    let mut truth = Truth::default();
    while let Some(person) = talkers.join_next().await {
        let (sent, heard) = person.unwrap();
        truth.sent.extend(sent);
        truth.heard.extend(heard);
    }
    truth
}

async fn start(setup: &ServerSetup, slowest: &mut Duration) -> TestServer {
    let begun = Instant::now();
    let server = setup.start().await;
    *slowest = (*slowest).max(begun.elapsed());
    assert!(begun.elapsed() < BACK_WITHIN, "it was back after {:?}", begun.elapsed());
    server
}

async fn one_life(seed: u64, kills: u64, data: &Path, slowest: &mut Duration) -> usize {
    let mut dice = Dice::new(seed);
    let mut setup = ServerSetup::unpaced().keeping(data);
    let mut server = start(&setup, slowest).await;
    setup = setup.listening_at(server.address());
    let mut truth = Truth::default();
    let mut people = all_clients(&server).await;
    for round in 0..kills {
        let news = talk_until_killed(&mut server, people, round, &mut dice).await;
        server = start(&setup, slowest).await;
        truth.sent.extend(news.sent.iter().cloned());
        truth.heard.extend(news.heard);
        people = all_clients(&server).await;
        let stored = read_all(&server, &mut people).await;
        truth.check(&stored, &news.sent);
        truth.send_again(&mut people, &stored).await;
        truth.check(&read_all(&server, &mut people).await, &[]);
        let faults = Store::open_to_read(data).unwrap().faults().unwrap();
        assert_eq!(faults, Vec::<String>::new());
    }
    assert!(server.terminate().await.success());
    truth.sent.iter().filter(|one| matches!(one.answer, Answer::Ok(_))).count()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the kill comes at a random time")]
fn a_kill_during_a_start_never_leads_to_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut dice = Dice::new(u64::from(std::process::id()));
    for round in 0..40 {
        let mut server = Command::new(binary::path("chat-server"));
        server.args(["--listen", "127.0.0.1:0", "--data"]).arg(&data).stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(dice.below(60_000)));
        server.kill().unwrap();
        server.wait().unwrap();
        match Store::open_to_copy(&data) {
            Ok(lookup) => assert_eq!(lookup.faults().unwrap(), Vec::<String>::new()),
            Err(OpenError::Missing { .. }) => {}
            Err(error) => panic!("round {round}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answered_messages_survive_a_kill_at_any_moment() {
    let kills = number_in("KILLS").unwrap_or(USUAL);
    let seed = seed_in("SEED");
    let (mut done, mut slowest, mut lines) = (0, Duration::ZERO, 0);
    while done < kills {
        let seed = seed + done;
        let some = KILLS_OF_A_LIFE.min(kills - done);
        eprintln!("kills {done} to {}: SEED={seed} KILLS={some} does the same", done + some);
        let folder = tempfile::tempdir().unwrap();
        lines += one_life(seed, some, &folder.path().join("data"), &mut slowest).await;
        done += some;
    }
    eprintln!("{kills} kills, {lines} lines answered; the slowest start took {slowest:?}");
}
