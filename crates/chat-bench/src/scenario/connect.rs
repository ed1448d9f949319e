//! How fast clients connect and sign in.

use std::time::Instant;

use super::{Bench, Scenario};
use crate::load::crowd;
use crate::meter::Meter;
use crate::outcome::{Figures, Finding, Measure, float, mebibytes};
use crate::subject::SubjectKind;

/// Connections and names
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connect {
    /// Number of clients
    #[arg(long, default_value_t = 10_000)]
    pub(crate) people: usize,
}

impl Scenario for Connect {
    fn name(&self) -> &'static str {
        "connect"
    }

    fn suits(&self, _: SubjectKind) -> bool {
        true
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let (meter, begun) = (Meter::begin(&server)?, Instant::now());
        crowd::gather(&mut swarm, "p", 0, self.people)?;
        let lasted = begun.elapsed().as_secs_f64();
        let count = self.people as u64;
        let mut figures = meter.end(Measure::CpuEach, count)?;
        figures.extend(Figures::from([
            (Measure::PerSecond, float(count) / lasted),
            (Measure::Memory, mebibytes(server.process.memory()?)),
        ]));
        swarm.reset_all()?;
        Ok(vec![Finding::new(format!("{} people", self.people), self.people, figures)])
    }
}
