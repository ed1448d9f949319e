//! Load generator for chat-server and its peers: each published figure can be measured again with
//! one command.
//!
//! The load generator is cheap, so that it isn't the bottleneck: one thread, one event loop, one
//! write for all pending output of a client, large reads, and messages counted by a single byte.
//! Tables show how busy it was.
//!
//! * [`scenario`]: the scenarios, one file each.
//! * [`plan`]: the sizes of a report's scenarios.
//! * [`subject`]: the measured server, ours or a peer, and its resource usage.
//! * [`load`]: the load generator: many connections on one thread.
//! * [`dialect`]: the protocol of a server of each kind.
//! * [`stamp`]: the time in a message's text.
//! * [`words`]: generated texts, and percentiles of measured times.
//! * [`talker`]: one client that waits for each answer.
//! * [`meter`]: processor time from one moment to another.
//! * [`outcome`]: the results of a scenario.
//! * [`simulation`]: measurements beyond the sockets of a machine, over pipes in this process.
//! * [`report`]: all scenarios with all servers, as a page with tables and plots.

mod dialect;
mod load;
mod meter;
mod outcome;
mod plan;
mod report;
mod scenario;
mod simulation;
mod stamp;
mod subject;
mod talker;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::ensure;
use clap::{Parser, Subcommand};

use crate::dialect::Dialect;
use crate::outcome::BenchOutcome;
use crate::plan::Scale;
use crate::report::summary::Summary;
use crate::scenario::{Bench, Scenario};
use crate::subject::SubjectKind;

/// Load for chat-server and its peers.
#[derive(Parser)]
#[command(name = "chat-bench", version)]
struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
    #[command(flatten)]
    how: MeasureArgs,
}

/// What is measured, and where the data and the results go.
#[derive(clap::Args)]
struct MeasureArgs {
    /// Servers to start and measure
    #[arg(long, value_enum, value_delimiter = ',', global = true)]
    server: Vec<SubjectKind>,
    /// Measure the running server at this address instead
    #[arg(long, value_name = "ADDR", requires = "pid", global = true)]
    connect: Option<SocketAddr>,
    /// The process id of that server
    #[arg(long, requires = "connect", global = true)]
    pid: Option<u32>,
    /// The protocol of that server
    #[arg(long, value_enum, default_value = "irc", global = true)]
    dialect: Dialect,
    /// The folder of the servers' data; it determines the disk that is measured
    #[arg(long, default_value = "target/bench", global = true)]
    data: PathBuf,
    /// Small sizes: every scenario in some minutes
    #[arg(long, global = true)]
    quick: bool,
    /// Tiny sizes: checks that every scenario works
    #[arg(long, conflicts_with = "quick", global = true)]
    smoke: bool,
    /// Print the results as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum BenchCommand {
    Connect(scenario::connect::Connect),
    Idle(scenario::idle::Idle),
    Fanout(scenario::fanout::Fanout),
    Rooms(scenario::rooms::Rooms),
    Pingpong(scenario::pingpong::Pingpong),
    Slow(scenario::slow::Slow),
    Storm(scenario::storm::Storm),
    Mixed(scenario::mixed::Mixed),
    Login(scenario::login::Login),
    Passwords(scenario::passwords::Passwords),
    Replay(scenario::replay::Replay),
    Durable(scenario::durable::Durable),
    History(scenario::history::HistoryScenario),
    Report(report::BenchReport),
    Million(simulation::million::Million),
    Contention(simulation::contention::Contention),
    /// Run the bare loop, which sends each line to all other clients, until it is killed
    Floor {
        /// Write all pending lines to a receiver at once, instead of one by one
        #[arg(long)]
        batch: bool,
    },
}

impl MeasureArgs {
    fn scale(&self) -> Scale {
        match (self.smoke, self.quick) {
            (true, _) => Scale::Smoke,
            (_, true) => Scale::Quick,
            _ => Scale::Full,
        }
    }

    fn bench(&self) -> anyhow::Result<Bench> {
        std::fs::create_dir_all(&self.data)?;
        let attached = self.connect.zip(self.pid);
        Ok(Bench {
            // A peer may run in another working directory.
            folder: self.data.canonicalize()?,
            attached: attached.map(|(address, pid)| (address, pid, self.dialect)),
        })
    }

    /// The requested servers that support the scenario; if none is requested, the first that does.
    fn kinds(&self, scenario: &dyn Scenario) -> Vec<SubjectKind> {
        if self.connect.is_some() {
            return vec![SubjectKind::Other];
        }
        let all = if self.server.is_empty() { &SubjectKind::STARTED[..] } else { &self.server };
        let mut suit: Vec<SubjectKind> =
            all.iter().copied().filter(|kind| scenario.suits(*kind)).collect();
        if self.server.is_empty() {
            suit.truncate(1);
        }
        suit
    }

    #[expect(
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "results and failures are printed"
    )]
    fn run(&self, given: Box<dyn Scenario>) -> anyhow::Result<()> {
        let name = given.name();
        let scenarios = match self.scale() {
            Scale::Full => vec![given],
            scale => {
                let mut planned = plan::scenarios(scale);
                planned.retain(|planned| planned.name() == name);
                planned
            }
        };
        let suit: Vec<_> = scenarios.iter().map(|one| self.kinds(one.as_ref())).collect();
        ensure!(
            suit.iter().any(|kinds| !kinds.is_empty()),
            "none of these servers can do \"{name}\""
        );
        let bench = self.bench()?;
        let mut outcomes = Vec::new();
        for (scenario, kinds) in scenarios.iter().zip(suit) {
            if kinds.is_empty() {
                eprintln!("not measured, as none of these servers can do it: {scenario:?}");
            }
            for kind in kinds {
                let found = scenario.run(&bench, kind)?;
                outcomes.extend(found.into_iter().map(|finding| BenchOutcome {
                    scenario: scenario.name().to_owned(),
                    server: kind,
                    finding,
                }));
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&outcomes)?);
        } else {
            println!("{}", report::table::of(&Summary::of(&outcomes)));
        }
        Ok(())
    }
}

#[expect(
    clippy::print_stdout,
    clippy::unnecessary_wraps,
    reason = "prints the results and sets the exit code"
)]
fn print_table(table: &str) -> anyhow::Result<()> {
    println!("{table}");
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let BenchArgs { command, how } = BenchArgs::parse();
    subject::process::open_as_many_as_allowed()?;
    how.run(match command {
        BenchCommand::Connect(scenario) => Box::new(scenario),
        BenchCommand::Idle(scenario) => Box::new(scenario),
        BenchCommand::Fanout(scenario) => Box::new(scenario),
        BenchCommand::Rooms(scenario) => Box::new(scenario),
        BenchCommand::Pingpong(scenario) => Box::new(scenario),
        BenchCommand::Slow(scenario) => Box::new(scenario),
        BenchCommand::Storm(scenario) => Box::new(scenario),
        BenchCommand::Mixed(scenario) => Box::new(scenario),
        BenchCommand::Login(scenario) => Box::new(scenario),
        BenchCommand::Passwords(scenario) => Box::new(scenario),
        BenchCommand::Replay(scenario) => Box::new(scenario),
        BenchCommand::Durable(scenario) => Box::new(scenario),
        BenchCommand::History(scenario) => Box::new(scenario),
        BenchCommand::Report(report) => {
            return report.run(&how.bench()?, how.scale(), &how.server);
        }
        BenchCommand::Million(million) => {
            return print_table(&million.run(&indicatif::ProgressBar::new(0))?);
        }
        BenchCommand::Contention(contention) => return print_table(&contention.run()?),
        BenchCommand::Floor { batch } => return subject::floor::run(batch),
    })
}
