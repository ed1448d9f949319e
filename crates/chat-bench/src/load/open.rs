//! So many lines a second, whatever the server does.
//!
//! A line's stamp is the time when it was to be said, not when there was time to say it: a server
//! that falls behind can't make the times shorter by holding up whoever measures them.

use std::time::{Duration, Instant};

use super::{Load, Swarm};

/// Lines that haven't arrived after nothing came for so long are lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// When the lines are said.
pub(crate) struct Open {
    /// Lines a second.
    pub(crate) rate: u64,
    /// For how long.
    pub(crate) lasting: Duration,
}

impl Open {
    /// Runs it. `say` says the line that is due at a time and tells by how many it will be heard.
    pub(crate) fn run(
        &self,
        swarm: &mut Swarm,
        mut say: impl FnMut(&mut Swarm, u64) -> anyhow::Result<u64>,
    ) -> anyhow::Result<Load> {
        drop(swarm.take_latency()?);
        let lines = self.rate * super::peer::nanos(self.lasting) / 1_000_000_000;
        let (begun, before) = (Instant::now(), swarm.marks());
        let first = swarm.now();
        let mut heard = 0;
        let mut said = 0;
        let due = |line: u64| first + line * 1_000_000_000 / self.rate;
        while said < lines {
            let now = swarm.now();
            while said < lines && due(said) <= now {
                heard += say(swarm, due(said))?;
                said += 1;
            }
            swarm.turn(Duration::from_nanos(due(said).saturating_sub(swarm.now())))?;
        }
        let mut last = (swarm.marks(), Instant::now());
        while swarm.marks() - before < heard && last.1.elapsed() < LOST_AFTER {
            swarm.turn(Duration::from_millis(100))?;
            if swarm.marks() > last.0 {
                last = (swarm.marks(), Instant::now());
            }
        }
        let deliveries = swarm.marks() - before;
        Ok(Load {
            deliveries,
            lost: heard.saturating_sub(deliveries),
            dropped: swarm.closed(),
            lasted: last.1.duration_since(begun),
            latency: swarm.take_latency()?,
        })
    }
}
