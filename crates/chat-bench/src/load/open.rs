//! An open loop: a fixed rate of messages, independent of the server.
//!
//! A message's stamp is the time at which it was due, not the time at which it was sent. Latency so
//! includes the delay of the sender, and a server that stalls the load generator doesn't hide its
//! own latency (coordinated omission).

use std::time::{Duration, Instant};

use super::{Load, Swarm};

/// Messages that haven't arrived are lost once nothing has arrived for this long.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// The schedule of an open loop.
pub(crate) struct Open {
    /// Messages a second.
    pub(crate) rate: u64,
    /// How long messages are sent.
    pub(crate) lasting: Duration,
}

impl Open {
    /// Runs the loop. `say` sends the message that is due at a time and returns its number of
    /// recipients.
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
