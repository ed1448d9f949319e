//! How fast lines become durable: from many senders, and from one that waits for each `ok`, beside a bare
//! commit of the same row.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::server::{Client, Server};
use crate::words::{Dice, Times};

/// Lines that one sender has under way.
const WINDOW: usize = 16;

#[expect(clippy::print_stdout, reason = "the report")]
pub(crate) async fn run(data: &Path, smoke: bool) -> anyhow::Result<()> {
    std::fs::create_dir_all(data)?;
    let folder = TempDir::new_in(data)?;
    let (rounds, singles) = if smoke { (2, 20) } else { (800, 3000) };
    println!("| what | result |\n|---|---|");
    for (senders, channels) in [(64, 64), (256, 64), (64, 8)] {
        let data = folder.path().join(format!("{senders}-{channels}"));
        let server = Server::start(&data).await?;
        let rate = many(&server, senders, channels, rounds * 64 / senders + 1).await?;
        println!(
            "| {senders} senders in {channels} channels, {WINDOW} in flight | {rate:.0} lines/s |"
        );
    }
    let server = Server::start(&folder.path().join("one")).await?;
    let (mut ours, mut bare) = one(&server, folder.path(), singles).await?;
    for percent in [50, 99] {
        let (ours, bare) = (ours.millis(percent), bare.millis(percent));
        println!(
            "| one sender, each ok awaited, {percent} % | {ours:.3} ms; a bare commit {bare:.3} ms; {:.2} x |",
            ours / bare
        );
    }
    Ok(())
}

async fn many(
    server: &Server,
    senders: usize,
    channels: usize,
    rounds: usize,
) -> anyhow::Result<f64> {
    let mut clients = Vec::new();
    for at in 0..senders {
        let mut client = server.person(&format!("sender{at}")).await?;
        let channel = at % channels;
        let word = if at < channels { "create" } else { "enter" };
        client.ask(&format!("/{word} bench{channel}")).await?;
        clients.push(client);
    }
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for (seed, client) in (1..).zip(clients) {
        tasks.push(tokio::spawn(talk(client, rounds, Dice(seed))));
    }
    for task in tasks {
        task.await??;
    }
    let lines = u32::try_from(senders * rounds * WINDOW)?;
    Ok(f64::from(lines) / begun.elapsed().as_secs_f64())
}

async fn talk(mut client: Client, rounds: usize, mut dice: Dice) -> anyhow::Result<()> {
    let texts: Vec<String> = (0..64).map(|_| dice.text()).collect();
    let mut next = texts.iter().cycle();
    let line = move || next.next().map(|text| format!("{text}\n")).unwrap_or_default();
    let mut line = line;
    for _ in 0..WINDOW {
        client.send(line().as_bytes()).await?;
    }
    // A quarter of the window is sent again whenever so much is answered, so that it never runs dry.
    let quarter = WINDOW / 4;
    for _ in 0..(rounds - 1) * 4 {
        client.answers(quarter).await?;
        let lines: String = (0..quarter).map(|_| line()).collect();
        client.send(lines.as_bytes()).await?;
    }
    client.answers(WINDOW).await?;
    Ok(())
}

/// Alternates, so that a change of the disk's mood meets both.
async fn one(server: &Server, folder: &Path, count: usize) -> anyhow::Result<(Times, Times)> {
    let mut client = server.person("single").await?;
    client.ask("/create single").await?;
    let bare = Connection::open(folder.join("bare.db"))?;
    bare.pragma_update(None, "journal_mode", "wal")?;
    bare.pragma_update(None, "synchronous", "full")?;
    bare.execute_batch(
        "CREATE TABLE line (place INTEGER PRIMARY KEY, time INTEGER NOT NULL, author TEXT NOT NULL,
            flags INTEGER NOT NULL, text TEXT NOT NULL)",
    )?;
    let mut insert = bare.prepare("INSERT INTO line VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let mut dice = Dice(7);
    for id in 1..=i64::try_from(count)? {
        let text = dice.text();
        let begun = Instant::now();
        client.ask(&text).await?;
        ours.add(begun.elapsed());
        let begun = Instant::now();
        insert.execute(params![1_i64 << 36 | id, 1_795_333_445_120 + id, "single", 0, text])?;
        theirs.add(begun.elapsed());
    }
    Ok((ours, theirs))
}
