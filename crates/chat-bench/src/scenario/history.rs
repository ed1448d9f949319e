//! How fast a long history is read and searched, and how fast a server with it starts.

use std::path::Path;
use std::time::Instant;

use chat_server::store::{Durability, NewLine, Store, StoreLocation, WriteOp};

use super::{Bench, Scenario};
use crate::outcome::{Figures, Finding, Measure};
use crate::subject::{SubjectKind, SubjectSetup};
use crate::talker::BenchClient;
use crate::words::{BenchRng, Times};

/// History, joins and searches with many stored messages
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct HistoryScenario {
    /// Number of stored messages; generated if they are missing, and not removed
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) lines: u64,
    /// Number of times that each query is sent
    #[arg(long, default_value_t = 200)]
    pub(crate) tries: usize,
}

/// Channels; the first has half of all messages.
const CHANNELS: u64 = 100;

/// Messages of one commit while the history is generated.
const BATCH: u64 = 20_000;

/// One in this many messages contains the rare word.
const RARE_EVERY: u64 = 100_003;

/// The searches: a title for each, and its query.
const SEARCHES: [(&str, &str); 9] = [
    ("a rare word", "xylophone"),
    ("a frequent word", "bababa"),
    ("two words", "gobaba hudeba"),
    ("two frequent words", "bababa debaba"),
    ("a phrase", "\"bababa debaba\""),
    ("a beginning", "xylo*"),
    ("a frequent beginning in one channel", "in:bench7 bab*"),
    ("one channel", "in:bench7 bababa"),
    ("one person", "from:author3 bababa"),
];

impl Scenario for HistoryScenario {
    fn name(&self) -> &'static str {
        "history"
    }

    fn suits(&self, kind: SubjectKind) -> bool {
        kind == SubjectKind::ChatJson
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let data = bench.folder.join(format!("history-{}", self.lines));
        // Marks a complete history. An incomplete one is generated again.
        let whole = data.join("whole");
        if !whole.exists() {
            if data.exists() {
                std::fs::remove_dir_all(&data)?;
            }
            fill(self.lines, &data)?;
            std::fs::write(&whole, "")?;
        }
        let server =
            bench.server_with(kind, &SubjectSetup { data: Some(data), all_cores: false })?;
        let mut findings = Vec::new();
        let mut find = |what: String, figures| {
            findings.push(Finding { with: what, size: self.lines, figures });
        };
        let start = server.start.as_secs_f64() * 1e3;
        find("from the start until it listens".to_owned(), Figures::from([(Measure::Took, start)]));
        let mut client = BenchClient::new(server.address, "reader")?;
        for channel in 0..50 {
            client.ask(&format!("/enter bench{channel}"))?;
        }
        let mut dice = BenchRng(3);
        let big = self.lines / 2;
        let times = self.measure(&mut client, || {
            format!("/history bench0 20 before {}", 21 + dice.below(big - 21))
        })?;
        find("/history, 20 lines before a random one".to_owned(), times);
        for (what, words) in SEARCHES {
            let times = self.measure(&mut client, || format!("/search {words}"))?;
            find(format!("/search, {what}"), times);
        }
        let mut times = Times::default();
        for _ in 0..self.tries {
            client.ask("/leave bench0")?;
            let begun = Instant::now();
            client.ask(&format!("/enter bench0 after {}", big - 20))?;
            times.add(begun.elapsed());
        }
        find("/enter after, 20 lines".to_owned(), figures(&mut times));
        Ok(findings)
    }
}

impl HistoryScenario {
    fn measure(
        &self,
        client: &mut BenchClient,
        mut line: impl FnMut() -> String,
    ) -> anyhow::Result<Figures> {
        let mut times = Times::default();
        for _ in 0..self.tries {
            let line = line();
            let begun = Instant::now();
            client.ask(&line)?;
            times.add(begun.elapsed());
        }
        Ok(figures(&mut times))
    }
}

fn figures(times: &mut Times) -> Figures {
    Figures::from([(Measure::Median, times.millis(50)), (Measure::P99, times.millis(99))])
}

/// Generates messages as a server would have stored them, without waiting for the disk.
fn fill(lines: u64, data: &Path) -> anyhow::Result<()> {
    let place = StoreLocation::Directory(data.to_owned());
    let (mut writer, _) = Store::open(&place, Durability::Process)?.into_parts();
    let names: Vec<String> = (0..CHANNELS).map(|at| format!("bench{at}")).collect();
    let folded: Vec<String> = names.iter().map(|name| format!("#{name}")).collect();
    let mut made = Vec::new();
    for ((number, shown), name) in (1..).zip(&names).zip(&folded) {
        made.push(WriteOp::Channel { number, name, shown, topic: None, open: true });
    }
    writer.commit(&made)?;
    let authors: Vec<String> = (0..50).map(|at| format!("author{at}")).collect();
    let mut ids = vec![0_u64; usize::try_from(CHANNELS)?];
    let mut dice = BenchRng(11);
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
            entries.push(WriteOp::Line(NewLine {
                number: u32::try_from(channel + 1)?,
                id: ids[channel],
                time: 1_700_000_000_000 + i64::try_from(at)?,
                author: &authors[usize::try_from(at % 50)?],
                text,
                ..NewLine::default()
            }));
        }
        writer.commit(&entries)?;
        done += some;
    }
    writer.flush()?;
    writer.checkpoint()?;
    Ok(())
}
