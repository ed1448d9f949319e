//! Clients that connect, sign in and enter channels.

use std::time::Duration;

use super::{Swarm, Watch};
use crate::dialect::SignInRequest;

/// How many clients of a crowd measure latency; the others only count. Enough to include those that
/// are served first and those that are served last.
const LOOKERS: usize = 25;

/// Starts `count` requests, at most `at_once` of them pending at a time, and waits for all answers.
pub(crate) fn in_waves(
    swarm: &mut Swarm,
    count: usize,
    at_once: usize,
    mut begin: impl FnMut(&mut Swarm, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for at in 0..count {
        begin(swarm, at)?;
        if swarm.awaited() >= at_once {
            swarm.until("answers", |swarm| swarm.awaited() < at_once)?;
        } else if at % 16 == 0 {
            // Reads pending input between requests, so that the server isn't slowed down by full
            // sockets.
            swarm.turn(Duration::ZERO)?;
        }
    }
    swarm.answered()
}

/// Connects `count` clients, each named `prefix` and a number from `first` on. Returns their ids.
pub(crate) fn gather(
    swarm: &mut Swarm,
    prefix: &str,
    first: usize,
    count: usize,
) -> anyhow::Result<Vec<usize>> {
    let mut people = Vec::with_capacity(count);
    in_waves(swarm, count, swarm.at_once(), |swarm, at| {
        let ask = swarm.dialect().sign_in(&format!("{prefix}{}", first + at));
        people.push(swarm.connect(&ask)?);
        Ok(())
    })?;
    Ok(people)
}

/// Every client enters its channel; the first client of a channel creates it.
pub(crate) fn enter<'a>(
    swarm: &mut Swarm,
    who: &[usize],
    mut channel: impl FnMut(usize) -> &'a str,
    is_first: impl Fn(usize) -> bool,
) -> anyhow::Result<()> {
    for first in [true, false] {
        let some: Vec<usize> = (0..who.len()).filter(|at| is_first(*at) == first).collect();
        in_waves(swarm, some.len(), swarm.at_once(), |swarm, at| {
            let channel = channel(some[at]);
            let dialect = swarm.dialect();
            let ask = if first { dialect.make(channel) } else { dialect.enter(channel) };
            swarm.ask(who[some[at]], &ask)
        })?;
    }
    Ok(())
}

/// Waits until these clients have read everything that the server has sent so far.
pub(crate) fn settle(swarm: &mut Swarm, who: &[usize]) -> anyhow::Result<()> {
    let ask: SignInRequest = swarm.dialect().settle();
    in_waves(swarm, who.len(), swarm.at_once(), |swarm, at| swarm.ask(who[at], &ask))
}

/// Makes some of these clients, evenly spread, measure latency.
pub(crate) fn let_some_look(swarm: &mut Swarm, who: &[usize]) -> anyhow::Result<()> {
    for id in who.iter().step_by((who.len() / LOOKERS).max(1)) {
        swarm.watch(*id, Watch::Times)?;
    }
    Ok(())
}
