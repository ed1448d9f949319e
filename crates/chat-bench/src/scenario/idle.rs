//! The cost of an idle client that is in one channel.

use std::time::{Duration, Instant};

use super::{Bench, Scenario};
use crate::load::{Swarm, crowd};
use crate::outcome::{Figures, Finding, Measure, float, mebibytes};
use crate::subject::{SubjectKind, SubjectServer};

/// Clients in one channel each, without activity
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Idle {
    /// Numbers of clients; memory of each is measured from the first number to the last
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 10_000, 19_500])]
    pub(crate) people: Vec<usize>,
    /// Members of each channel
    #[arg(long, default_value_t = 100)]
    pub(crate) room: usize,
    /// Duration of the pause
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
}

impl Scenario for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn suits(&self, _: SubjectKind) -> bool {
        true
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let room = self.room.max(1);
        let mut findings = Vec::new();
        let (mut here, mut first) = (0, None);
        for people in &self.people {
            let who = crowd::gather(&mut swarm, "p", here, people.saturating_sub(here))?;
            let rooms: Vec<String> =
                (here..*people).map(|at| format!("room{}", at / room)).collect();
            let before = here;
            crowd::enter(&mut swarm, &who, |at| &rooms[at], |at| (before + at) % room == 0)?;
            crowd::settle(&mut swarm, &who)?;
            here = here.max(*people);
            let idle = idle_cpu(&mut swarm, &server, self.seconds)?;
            let memory = server.process.memory()?;
            let (least, at_first) = *first.get_or_insert((here, memory));
            let mut figures =
                Figures::from([(Measure::Memory, mebibytes(memory)), (Measure::IdleCpu, idle)]);
            if here > least {
                let slope = float(memory.saturating_sub(at_first)) / float((here - least) as u64);
                figures.insert(Measure::MemoryEach, slope / 1024.0);
            }
            let with = format!("{here} people, {room} in a room");
            findings.push(Finding::new(with, here, figures));
        }
        swarm.reset_all()?;
        Ok(findings)
    }
}

/// Processor time of a server whose clients are all idle, in percent of a core.
fn idle_cpu(swarm: &mut Swarm, server: &SubjectServer, seconds: f64) -> anyhow::Result<f64> {
    let (before, begun) = (server.process.cpu()?, Instant::now());
    let quiet = Duration::from_secs_f64(seconds);
    while begun.elapsed() < quiet {
        swarm.turn(Duration::from_millis(100))?;
    }
    let taken = server.process.cpu()?.saturating_sub(before);
    Ok(taken.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0)
}
