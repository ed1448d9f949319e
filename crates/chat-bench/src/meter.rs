//! Processor time of the server and of the load over an interval.

use std::time::{Duration, Instant};

use crate::outcome::{Figures, Measure, float};
use crate::subject::SubjectServer;
use crate::subject::process::Process;

/// The start of an interval.
pub(crate) struct Meter {
    server: Process,
    before: (Duration, Duration),
    begun: Instant,
}

impl Meter {
    /// Starts the interval.
    pub(crate) fn begin(server: &SubjectServer) -> anyhow::Result<Self> {
        let before = (server.process.cpu()?, Process::own().cpu()?);
        Ok(Self { server: server.process, before, begun: Instant::now() })
    }

    /// Ends the interval: the server's processor time for each of `count`, and how busy server and
    /// load were.
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
