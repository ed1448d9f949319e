//! How fast the past of many lines is read and searched, and how fast a server with it starts.

use std::path::Path;
use std::time::Instant;

use chat_server::store::{Durability, Entry, Place, Store};

use crate::server::{Client, Server};
use crate::words::{Dice, Times};

/// Channels; the first has half of all lines.
const CHANNELS: u64 = 100;

/// Lines of one commit while it is made.
const BATCH: u64 = 20_000;

/// A word that every so many lines have.
const RARE_EVERY: u64 = 100_003;

#[expect(clippy::print_stdout, reason = "the report")]
pub(crate) async fn run(lines: u64, data: &Path, smoke: bool) -> anyhow::Result<()> {
    let (lines, tries) = if smoke { (2_000, 5) } else { (lines, 200) };
    let smoke_folder;
    let data = if smoke {
        smoke_folder = tempfile::tempdir()?;
        smoke_folder.path()
    } else {
        data
    };
    if !data.join("chat.db").exists() {
        let begun = Instant::now();
        fill(lines, data)?;
        let rate = lines / begun.elapsed().as_secs().max(1);
        println!("{lines} lines made, {rate} a second\n");
    }
    let server = Server::start(data).await?;
    println!("| {lines} lines stored | 50 % | 99 % |\n|---|---|---|");
    println!("| start until it listens | {:.0} ms | |", server.start.as_secs_f64() * 1000.0);
    let mut client = server.person("reader").await?;
    for channel in 0..50 {
        client.ask(&format!("/enter bench{channel}")).await?;
    }
    let mut dice = Dice(3);
    let big = lines / 2;
    let mut report = async |what: &str, tries: usize, line: &mut dyn FnMut() -> String| {
        let times = measure(&mut client, tries, line).await;
        times.map(|mut times| {
            println!("| {what} | {:.2} ms | {:.2} ms |", times.millis(50), times.millis(99));
        })
    };
    report("/history, 20 lines before a random one", tries, &mut || {
        format!("/history bench0 20 before {}", 21 + dice.below(big - 21))
    })
    .await?;
    report("/search, a rare word", tries, &mut || "/search xylophone".to_owned()).await?;
    report("/search, a frequent word", tries, &mut || "/search bababa".to_owned()).await?;
    report("/search, two words", tries, &mut || "/search gobaba hudeba".to_owned()).await?;
    report("/search, two frequent words", tries, &mut || "/search bababa debaba".to_owned())
        .await?;
    report("/search, a phrase", tries, &mut || "/search \"bababa debaba\"".to_owned()).await?;
    report("/search, a beginning", tries, &mut || "/search xylo*".to_owned()).await?;
    report("/search, a frequent beginning in one channel", tries, &mut || {
        "/search in:bench7 bab*".to_owned()
    })
    .await?;
    report("/search, one channel", tries, &mut || "/search in:bench7 bababa".to_owned()).await?;
    report("/search, one person", tries, &mut || "/search from:author3 bababa".to_owned()).await?;
    let mut times = Times::default();
    for _ in 0..tries {
        client.ask("/leave bench0").await?;
        let begun = Instant::now();
        client.ask(&format!("/enter bench0 after {}", big - 20)).await?;
        times.add(begun.elapsed());
    }
    println!(
        "| /enter after, 20 lines | {:.2} ms | {:.2} ms |",
        times.millis(50),
        times.millis(99)
    );
    Ok(())
}

async fn measure(
    client: &mut Client,
    tries: usize,
    line: &mut dyn FnMut() -> String,
) -> anyhow::Result<Times> {
    let mut times = Times::default();
    for _ in 0..tries {
        let line = line();
        let begun = Instant::now();
        client.ask(&line).await?;
        times.add(begun.elapsed());
    }
    Ok(times)
}

/// Makes lines as a server would have stored them, without waiting for the disk.
fn fill(lines: u64, data: &Path) -> anyhow::Result<()> {
    let place = Place::Directory(data.to_owned());
    let (mut book, _) = Store::open(&place, Durability::Process)?.into_parts();
    let names: Vec<String> = (0..CHANNELS).map(|at| format!("bench{at}")).collect();
    let folded: Vec<String> = names.iter().map(|name| format!("#{name}")).collect();
    let mut made = Vec::new();
    for ((number, shown), name) in (1..).zip(&names).zip(&folded) {
        made.push(Entry::Channel { number, name, shown, topic: None, open: true });
    }
    book.commit(&made)?;
    let authors: Vec<String> = (0..50).map(|at| format!("author{at}")).collect();
    let mut ids = vec![0_u64; usize::try_from(CHANNELS)?];
    let mut dice = Dice(11);
    let mut done = 0;
    while done < lines {
        let some = BATCH.min(lines - done);
        let texts: Vec<String> = (done..done + some)
            .map(|at| if at % RARE_EVERY == 7 { "a xylophone".to_owned() } else { dice.text() })
            .collect();
        let mut entries = Vec::with_capacity(texts.len());
        for (at, text) in (done..).zip(&texts) {
            let channel =
                if at % 2 == 0 { 0 } else { usize::try_from(1 + at / 2 % (CHANNELS - 1))? };
            ids[channel] += 1;
            entries.push(Entry::Line {
                number: u32::try_from(channel + 1)?,
                id: ids[channel],
                time: 1_700_000_000_000 + i64::try_from(at)?,
                author: &authors[usize::try_from(at % 50)?],
                action: false,
                by_other: false,
                account: None,
                text,
                once: None,
                hidden: false,
            });
        }
        book.commit(&entries)?;
        done += some;
    }
    book.checkpoint()?;
    Ok(())
}
