//! How fast people come in: each connects and gives a name.

use std::time::Instant;

use super::{Bench, Scenario};
use crate::load::crowd;
use crate::meter::Meter;
use crate::outcome::{Figures, Finding, What, float, mebibytes};
use crate::subject::Kind;

/// People connect and give a name
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connect {
    /// How many
    #[arg(long, default_value_t = 10_000)]
    pub(crate) people: usize,
}

impl Scenario for Connect {
    fn name(&self) -> &'static str {
        "connect"
    }

    fn suits(&self, _: Kind) -> bool {
        true
    }

    fn run(&self, bench: &Bench, kind: Kind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let (meter, begun) = (Meter::begin(&server)?, Instant::now());
        crowd::gather(&mut swarm, "p", 0, self.people)?;
        let lasted = begun.elapsed().as_secs_f64();
        let count = self.people as u64;
        let mut figures = meter.end(What::CpuEach, count)?;
        figures.extend(Figures::from([
            (What::PerSecond, float(count) / lasted),
            (What::Memory, mebibytes(server.process.memory()?)),
        ]));
        swarm.reset_all()?;
        Ok(vec![Finding::new(format!("{} people", self.people), self.people, figures)])
    }
}
