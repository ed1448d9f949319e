//! Processor time, of the server and of the load, from one moment to another.

use std::time::{Duration, Instant};

use crate::outcome::{Figures, Measure, float};
use crate::subject::SubjectServer;
use crate::subject::process::Process;

/// Begun at one moment.
pub(crate) struct Meter {
    server: Process,
    before: (Duration, Duration),
    begun: Instant,
}

impl Meter {
    /// Begins.
    pub(crate) fn begin(server: &SubjectServer) -> anyhow::Result<Self> {
        let before = (server.process.cpu()?, Process::own().cpu()?);
        Ok(Self { server: server.process, before, begun: Instant::now() })
    }

    /// What the server took since, for each of so many.
    pub(crate) fn end(self, each: Measure, count: u64) -> anyhow::Result<Figures> {
        let passed = self.begun.elapsed().as_secs_f64();
        let server = (self.server.cpu()?.saturating_sub(self.before.0)).as_secs_f64();
        let load = (Process::own().cpu()?.saturating_sub(self.before.1)).as_secs_f64();
        Ok(Figures::from([
            (each, server * 1e6 / float(count.max(1))),
            (Measure::ServerBusy, server / passed * 100.0),
            (Measure::LoadBusy, load / passed * 100.0),
        ]))
    }
}
