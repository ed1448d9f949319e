//! People who connect, sign in, enter rooms.

use std::time::Duration;

use super::{Swarm, Watch};
use crate::dialect::SignInRequest;

/// Of a crowd, so many look how long lines were under way; the others count only. Enough to see
/// those who are served first and those who are served last.
const LOOKERS: usize = 25;

/// Begins `count` things that are awaited, never more than `at_once` at a time, and waits for all.
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
            // What came meanwhile is read, so that the server has all of its own time.
            swarm.turn(Duration::ZERO)?;
        }
    }
    swarm.answered()
}

/// `count` people who have a name: `prefix` and a number from `first` on. Tells by what they are
/// known.
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

/// Each of these goes into its room; a room's first makes it.
pub(crate) fn enter<'a>(
    swarm: &mut Swarm,
    who: &[usize],
    mut room: impl FnMut(usize) -> &'a str,
    is_first: impl Fn(usize) -> bool,
) -> anyhow::Result<()> {
    for first in [true, false] {
        let some: Vec<usize> = (0..who.len()).filter(|at| is_first(*at) == first).collect();
        in_waves(swarm, some.len(), swarm.at_once(), |swarm, at| {
            let room = room(some[at]);
            let dialect = swarm.dialect();
            let ask = if first { dialect.make(room) } else { dialect.enter(room) };
            swarm.ask(who[some[at]], &ask)
        })?;
    }
    Ok(())
}

/// Waits until everything that was told until now has been read by these.
pub(crate) fn settle(swarm: &mut Swarm, who: &[usize]) -> anyhow::Result<()> {
    let ask: SignInRequest = swarm.dialect().settle();
    in_waves(swarm, who.len(), swarm.at_once(), |swarm, at| swarm.ask(who[at], &ask))
}

/// Some of these look how long lines are under way, evenly spread among them.
pub(crate) fn let_some_look(swarm: &mut Swarm, who: &[usize]) -> anyhow::Result<()> {
    for id in who.iter().step_by((who.len() / LOOKERS).max(1)) {
        swarm.watch(*id, Watch::Times)?;
    }
    Ok(())
}
