//! The history that is sent on entry: many clients enter at once, and each receives all of it.

use std::time::Instant;

use super::{Bench, Scenario};
use crate::load::closed::{Closed, Until};
use crate::load::crowd;
use crate::meter::Meter;
use crate::outcome::{Figures, Finding, Measure, float};
use crate::subject::SubjectKind;

/// Many clients join a channel at once and receive its history
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Replay {
    /// Number of clients that join
    #[arg(long, default_value_t = 200)]
    pub(crate) people: usize,
    /// Number of messages in the history
    #[arg(long, default_value_t = 2000)]
    pub(crate) lines: u64,
}

const CHANNEL: &str = "replay";

impl Scenario for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn suits(&self, kind: SubjectKind) -> bool {
        kind.is_ours()
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let said = crowd::gather(&mut swarm, "says", 0, 2)?;
        crowd::enter(&mut swarm, &said, |_| CHANNEL, |at| at == 0)?;
        crowd::settle(&mut swarm, &said)?;
        let until = Until::Lines(self.lines);
        let closed =
            Closed { channel: CHANNEL, speakers: &said[..1], hearers: 1, in_flight: 16, until };
        closed.run(&mut swarm)?;
        let who = crowd::gather(&mut swarm, "p", 0, self.people)?;
        crowd::settle(&mut swarm, &who)?;
        let before = swarm.marks();
        let (meter, begun) = (Meter::begin(&server)?, Instant::now());
        for id in &who {
            swarm.out(*id)?.extend_from_slice(format!("/enter {CHANNEL} after 0\n").as_bytes());
        }
        let all = self.lines * self.people as u64;
        swarm.until("what was said", |swarm| swarm.marks() - before >= all)?;
        let lasted = begun.elapsed();
        let mut figures = meter.end(Measure::CpuPerDelivery, all)?;
        figures.extend(Figures::from([
            (Measure::DeliveriesPerSecond, float(all) / lasted.as_secs_f64() / 1e3),
            (Measure::Took, lasted.as_secs_f64() * 1e3),
        ]));
        swarm.reset_all()?;
        let with = format!("{} people, {} lines each", self.people, self.lines);
        Ok(vec![Finding::new(with, self.people, figures)])
    }
}
