//! A few clients that never read: their effect on the others, and the memory that the server holds
//! for them.

use super::{Bench, Scenario};
use crate::dialect::HALL;
use crate::load::closed::{Closed, Until};
use crate::load::{Load, crowd};
use crate::meter::Meter;
use crate::outcome::{Figures, Finding, Measure, float, mebibytes, of_load};
use crate::subject::SubjectKind;

/// One channel with members that stop reading
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Slow {
    /// Number of members
    #[arg(long, default_value_t = 100)]
    pub(crate) people: usize,
    /// Number of members that stop reading
    #[arg(long, default_value_t = 5)]
    pub(crate) stuck: usize,
    /// Number of messages; the kernel buffers some ten thousand for each stalled member
    #[arg(long, default_value_t = 60_000)]
    pub(crate) lines: u64,
}

impl Scenario for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn suits(&self, _: SubjectKind) -> bool {
        true
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let who = crowd::gather(&mut swarm, "p", 0, self.people.max(self.stuck + 2))?;
        crowd::enter(&mut swarm, &who, |_| HALL, |at| at == 0)?;
        crowd::settle(&mut swarm, &who)?;
        crowd::let_some_look(&mut swarm, &who)?;
        // Spread among the others, and never the sender.
        let every = who.len() / (self.stuck + 1);
        let stuck: Vec<usize> = (1..=self.stuck).map(|at| who[at * every]).collect();
        let until = Until::Lines(self.lines);
        let mut closed =
            Closed { channel: HALL, speakers: &who[..1], hearers: 0, in_flight: 16, until };
        let mut findings = Vec::new();
        let mut without: Option<(Load, u64)> = None;
        for stuck in [&[][..], &stuck] {
            for id in stuck {
                swarm.stall(*id)?;
            }
            closed.hearers = (who.len() - 1 - stuck.len()) as u64;
            let meter = Meter::begin(&server)?;
            let load = closed.run(&mut swarm)?;
            let mut figures = meter.end(Measure::CpuPerDelivery, load.deliveries)?;
            figures.extend(of_load(&load));
            let memory = server.process.memory()?;
            if let Some((without, before)) = &without {
                let p99 = |load: &Load| float(load.latency.value_at_quantile(0.99));
                figures.extend(Figures::from([
                    (Measure::Growth, mebibytes(memory.saturating_sub(*before))),
                    (Measure::Ratio, p99(&load) / p99(without).max(1.0)),
                ]));
            }
            let with = format!("{} of {} never read", stuck.len(), who.len());
            findings.push(Finding::new(with, stuck.len(), figures));
            without.get_or_insert((load, memory));
        }
        swarm.reset_all()?;
        Ok(findings)
    }
}
