//! The same work on a growing number of threads: the additional cost is contention.

use std::time::{Duration, Instant};

use tokio::io::DuplexStream;
use tokio::runtime::Builder;

use super::{SimulatedHub, send, until};
use crate::outcome::float;
use crate::subject::process::Process;

/// The same work on a rising number of threads
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Contention {
    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16])]
    threads: Vec<usize>,
    /// Duration of each kind of work
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// The work that many clients repeat concurrently.
#[derive(Clone, Copy)]
enum WorkKind {
    /// `/ping`: clients share nothing.
    Ping,
    /// A message in a channel whose only member is the sender.
    OwnRoom,
    /// A message in a channel that all clients are in.
    OneRoom,
    /// A private message, and the answer.
    Private,
    /// Leaving and entering a channel that all clients are in.
    Moves,
}

impl WorkKind {
    const ALL: [Self; 5] = [Self::Ping, Self::OwnRoom, Self::OneRoom, Self::Private, Self::Moves];

    fn title(self) -> &'static str {
        match self {
            Self::Ping => "`/ping`: nothing is shared",
            Self::OwnRoom => "a line in a room of one's own",
            Self::OneRoom => "a line in one room of 32",
            Self::Private => "a private line, and its answer",
            Self::Moves => "leaving one room, and entering it",
        }
    }
}

/// Clients, which work in pairs.
const PEOPLE: usize = 32;

impl Contention {
    /// Runs the measurement; returns its results as a table.
    pub(crate) fn run(&self) -> anyhow::Result<String> {
        let head: Vec<String> =
            self.threads.iter().map(|threads| format!(" {threads} |")).collect();
        let mut rows = vec![
            format!(
                "| thousand a second (processor time of each, µs) on so many threads |{}",
                head.concat()
            ),
            format!("|---|{}", "---|".repeat(self.threads.len())),
        ];
        for work in WorkKind::ALL {
            let mut row = vec![format!("| {} |", work.title())];
            for threads in &self.threads {
                let (done, took, cpu) = self.measure(work, *threads)?;
                let rate = float(done) / took.as_secs_f64() / 1000.0;
                let each = cpu.as_secs_f64() * 1e6 / float(done);
                row.push(format!(" {rate:.0} ({each:.1}) |"));
            }
            rows.push(row.concat());
        }
        Ok(rows.join("\n"))
    }

    fn measure(&self, work: WorkKind, threads: usize) -> anyhow::Result<(u64, Duration, Duration)> {
        let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
        let hub = SimulatedHub::new(true)?;
        let lasting = Duration::from_secs_f64(self.seconds);
        let measured = runtime.block_on(async {
            hub.begin();
            let mut people = Vec::new();
            for at in 0..PEOPLE {
                let mut one = hub.connect();
                let spec = if at == 0 { "create" } else { "enter" };
                send(&mut one, &format!("p{at}\n/{spec} all\n/ping there\n")).await?;
                until(&mut one, "there").await?;
                if matches!(work, WorkKind::OwnRoom) {
                    send(&mut one, &format!("/leave\n/create own{at}\n/ping alone\n")).await?;
                    until(&mut one, "alone").await?;
                }
                people.push(one);
            }
            let (begun, before) = (Instant::now(), Process::own().cpu()?);
            let mut doing = Vec::new();
            let mut people = people.into_iter();
            let mut at = 0;
            while let (Some(one), Some(other)) = (people.next(), people.next()) {
                let names = [at, at + 1].map(|at| format!("p{at}"));
                doing.push(tokio::spawn(pair(work, [one, other], names, begun + lasting)));
                at += 2;
            }
            let mut done = 0;
            for pair in doing {
                done += pair.await??;
            }
            let took = begun.elapsed();
            anyhow::Ok((done, took, Process::own().cpu()?.saturating_sub(before)))
        })?;
        Ok(measured)
    }
}

/// Two clients that repeat the work until `end`; returns how often.
async fn pair(
    work: WorkKind,
    pipes: [DuplexStream; 2],
    names: [String; 2],
    end: Instant,
) -> anyhow::Result<u64> {
    let [mut one, mut other] = pipes;
    let mut done = 0;
    while Instant::now() < end {
        match work {
            WorkKind::Ping => {
                send(&mut one, "/ping x\n").await?;
                until(&mut one, "* pong").await?;
                done += 1;
            }
            WorkKind::OwnRoom | WorkKind::OneRoom => {
                // The ping is answered once the message is committed.
                send(&mut one, "how soon is the deploy of today's release done?\n/ping x\n")
                    .await?;
                until(&mut one, "* pong").await?;
                done += 1;
            }
            WorkKind::Private => {
                send(&mut one, &format!("/msg {} how soon?\n", names[1])).await?;
                until(&mut other, "how soon?").await?;
                send(&mut other, &format!("/msg {} now!\n", names[0])).await?;
                until(&mut one, "now!").await?;
                done += 2;
            }
            WorkKind::Moves => {
                send(&mut one, "/leave\n").await?;
                until(&mut one, "* You left").await?;
                send(&mut one, "/enter all\n").await?;
                until(&mut one, "* You entered").await?;
                done += 2;
            }
        }
    }
    Ok(done)
}
