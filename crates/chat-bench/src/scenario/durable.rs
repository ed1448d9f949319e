//! How fast messages become durable: from many senders, and from one sender that waits for each
//! `ok`, compared with a bare `SQLite` commit of the same row.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::{Bench, Scenario};
use crate::load::{Watch, crowd};
use crate::meter::Meter;
use crate::outcome::{Figures, Finding, Measure, float};
use crate::subject::{SubjectKind, SubjectServer, SubjectSetup};
use crate::talker::BenchClient;
use crate::words::{BenchRng, Times};

/// Stored messages per second of many senders, and of one, compared with bare `SQLite` commits
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Durable {
    /// Messages of the many senders
    #[arg(long, default_value_t = 800_000)]
    pub(crate) lines: u64,
    /// Messages of the one sender
    #[arg(long, default_value_t = 3000)]
    pub(crate) singles: usize,
}

/// Messages that one sender has in flight, and how many are sent at once when that many are
/// answered, so that the pipeline never runs empty.
const WINDOW: u64 = 16;
const AGAIN: u64 = WINDOW / 4;

impl Scenario for Durable {
    fn name(&self) -> &'static str {
        "durable"
    }

    fn suits(&self, kind: SubjectKind) -> bool {
        kind == SubjectKind::ChatJson
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        // Server and bare commit run under the same conditions: neither has a core of its own.
        let start = || bench.server_with(kind, &SubjectSetup { data: None, all_cores: true });
        let mut findings = Vec::new();
        for (senders, channels) in [(64, 64), (256, 64), (64, 8)] {
            let figures = self.many(&start()?, senders, channels)?;
            let with = format!("{senders} senders in {channels} channels");
            findings.push(Finding::new(with, senders, figures));
        }
        let folder = TempDir::new_in(&bench.folder)?;
        let (mut ours, mut bare) = self.one(&start()?, folder.path())?;
        let figures = |times: &mut Times| {
            Figures::from([(Measure::Median, times.millis(50)), (Measure::P99, times.millis(99))])
        };
        let ratio = ours.millis(50) / bare.millis(50).max(f64::MIN_POSITIVE);
        let mut one = figures(&mut ours);
        one.insert(Measure::Ratio, ratio);
        findings.push(Finding::new("one sender, each ok awaited", 1, one));
        findings.push(Finding::new("a bare commit", 1, figures(&mut bare)));
        Ok(findings)
    }
}

impl Durable {
    fn many(
        &self,
        server: &SubjectServer,
        senders: usize,
        channels: usize,
    ) -> anyhow::Result<Figures> {
        let mut swarm = server.swarm()?;
        let who = crowd::gather(&mut swarm, "p", 0, senders)?;
        let names: Vec<String> = (0..channels).map(|at| format!("room{at}")).collect();
        crowd::enter(&mut swarm, &who, |at| &names[at % channels], |at| at < channels)?;
        crowd::settle(&mut swarm, &who)?;
        let texts: Vec<String> = (1..=64).map(|seed| BenchRng(seed).text() + "\n").collect();
        let mut next = texts.iter().cycle();
        let mut answered = vec![0; who.iter().max().map_or(0, |most| most + 1)];
        let lines = self.lines.next_multiple_of(senders as u64 * WINDOW);
        let (meter, begun) = (Meter::begin(server)?, Instant::now());
        let mut said = 0;
        for id in &who {
            swarm.watch(*id, Watch::Oks)?;
            swarm.react(*id)?;
            for text in next.by_ref().take(usize::try_from(WINDOW)?) {
                swarm.out(*id)?.extend_from_slice(text.as_bytes());
                said += 1;
            }
        }
        let mut reactions = Vec::new();
        while swarm.oks() < lines {
            let oks = swarm.oks();
            swarm.until("answers", |swarm| swarm.oks() > oks)?;
            swarm.take_reactions(&mut reactions);
            for (id, some) in &reactions {
                answered[*id] += some;
                while answered[*id] >= AGAIN && said < lines {
                    answered[*id] -= AGAIN;
                    for text in next.by_ref().take(usize::try_from(AGAIN)?) {
                        swarm.out(*id)?.extend_from_slice(text.as_bytes());
                        said += 1;
                    }
                }
            }
        }
        let lasted = begun.elapsed().as_secs_f64();
        let mut figures = meter.end(Measure::CpuEach, lines)?;
        figures.insert(Measure::PerSecond, float(lines) / lasted);
        swarm.reset_all()?;
        Ok(figures)
    }

    /// Alternates the two, so that a change in the disk's speed affects both.
    fn one(&self, server: &SubjectServer, folder: &Path) -> anyhow::Result<(Times, Times)> {
        let mut client = BenchClient::new(server.address, "single")?;
        client.ask("/create single")?;
        let bare = Connection::open(folder.join("bare.db"))?;
        bare.pragma_update(None, "journal_mode", "wal")?;
        bare.pragma_update(None, "synchronous", "full")?;
        bare.execute_batch(
            "CREATE TABLE line (place INTEGER PRIMARY KEY, time INTEGER NOT NULL,
                author TEXT NOT NULL, flags INTEGER NOT NULL, text TEXT NOT NULL)",
        )?;
        let mut insert = bare.prepare("INSERT INTO line VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let (mut ours, mut theirs) = (Times::default(), Times::default());
        let mut dice = BenchRng(7);
        for id in 1..=i64::try_from(self.singles)? {
            let text = dice.text();
            let begun = Instant::now();
            client.ask(&text)?;
            ours.add(begun.elapsed());
            let begun = Instant::now();
            let time = 1_795_333_445_120 + id;
            insert.execute(params![1_i64 << 36 | id, time, "single", 0, text])?;
            theirs.add(begun.elapsed());
        }
        Ok((ours, theirs))
    }
}
