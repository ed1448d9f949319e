//! Typical traffic: a few large channels and many small ones, clients in one to twenty of them,
//! bursts, joins and leaves, private messages, and one client in a hundred that never reads.
//!
//! Clients that join and leave and clients that never read aren't counted. The number of counted
//! recipients of each message is therefore known, independent of joins and leaves.

use std::time::Duration;

use super::{Bench, Scenario};
use crate::dialect::To;
use crate::load::open::Open;
use crate::load::{Swarm, Watch, crowd};
use crate::meter::Meter;
use crate::outcome::{Finding, Measure, mebibytes, of_load};
use crate::subject::SubjectKind;
use crate::words::{BenchRng, Texts};

/// A mix of messages, joins, private messages and bursts
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Mixed {
    /// Number of clients
    #[arg(long, default_value_t = 2000)]
    pub(crate) people: usize,
    /// Number of channels
    #[arg(long, default_value_t = 200)]
    pub(crate) rooms: usize,
    /// Actions per second in all
    #[arg(long, default_value_t = 1000)]
    pub(crate) rate: u64,
    /// Duration
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
}

/// The most channels that one client is in.
const MOST_ROOMS: u64 = 20;
/// Channels that one founder creates: fewer than a server allows one client to be in.
const FOUNDED: usize = 40;
/// One in this many clients never reads, and one in this many joins and leaves.
const SLOW: usize = 100;
const RESTLESS: usize = 20;
/// One in this many actions is a join or leave, one a private message, one a burst; the size of a
/// burst in messages.
const MOVES: u64 = 20;
const WHISPERS: u64 = 20;
const BURSTS: u64 = 200;
const BURST: u64 = 20;

/// The channels and clients of the scenario.
struct Town {
    rooms: Vec<String>,
    /// The id and the channels of each client.
    people: Vec<(usize, Vec<usize>)>,
    /// The counted clients of each channel, as indices into `people`.
    counted: Vec<Vec<usize>>,
    /// Clients that join and leave, as indices into `people`, and whether each is in its first
    /// channel.
    restless: Vec<(usize, bool)>,
}

impl Scenario for Mixed {
    fn name(&self) -> &'static str {
        "mixed"
    }

    fn suits(&self, kind: SubjectKind) -> bool {
        kind.has_names()
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let dialect = swarm.dialect();
        let mut dice = BenchRng(23);
        let mut town = self.settle(&mut swarm, &mut dice)?;
        let mut texts = Texts::new();
        let open = Open { rate: self.rate, lasting: Duration::from_secs_f64(self.seconds) };
        let meter = Meter::begin(&server)?;
        let load = open.run(&mut swarm, |swarm, due| {
            if dice.below(MOVES) == 0 {
                town.move_one(swarm, &mut dice)?;
            }
            if dice.below(WHISPERS) == 0 {
                return town.whisper(swarm, &mut dice, &texts.next(due));
            }
            let room = zipf(&mut dice, town.rooms.len());
            let lines = if dice.below(BURSTS) == 0 { BURST } else { 1 };
            let mut heard = 0;
            let members = &town.counted[room];
            for _ in 0..lines {
                let Some(at) = pick(&mut dice, members) else { break };
                let to = To::Channel(&town.rooms[room]);
                dialect.say(to, &texts.next(due), swarm.out(town.people[at].0)?);
                heard += members.len() as u64 - 1;
            }
            Ok(heard)
        })?;
        let mut figures = meter.end(Measure::CpuPerDelivery, load.deliveries)?;
        figures.extend(of_load(&load));
        figures.insert(Measure::Memory, mebibytes(server.process.memory()?));
        swarm.reset_all()?;
        let with = format!("{} people in {} rooms, {} deeds/s", self.people, self.rooms, self.rate);
        Ok(vec![Finding::new(with, self.people, figures)])
    }
}

impl Mixed {
    /// Connects all clients; each enters its channels.
    fn settle(&self, swarm: &mut Swarm, dice: &mut BenchRng) -> anyhow::Result<Town> {
        let rooms: Vec<String> = (0..self.rooms.max(1)).map(|at| format!("room{at}")).collect();
        let founders = crowd::gather(swarm, "founder", 0, rooms.len().div_ceil(FOUNDED))?;
        for nth in 0..FOUNDED {
            let some: Vec<usize> = (0..founders.len())
                .filter(|founder| founder * FOUNDED + nth < rooms.len())
                .collect();
            let who: Vec<usize> = some.iter().map(|founder| founders[*founder]).collect();
            crowd::enter(swarm, &who, |at| &rooms[some[at] * FOUNDED + nth], |_| true)?;
        }
        for founder in &founders {
            swarm.watch(*founder, Watch::Nothing)?;
        }
        let ids = crowd::gather(swarm, "p", 0, self.people)?;
        let mut town = Town {
            counted: vec![Vec::new(); rooms.len()],
            people: Vec::with_capacity(ids.len()),
            restless: Vec::new(),
            rooms,
        };
        for (at, id) in ids.iter().enumerate() {
            // The smaller of two random numbers, so most clients are in few channels.
            let many = dice.below(MOST_ROOMS).min(dice.below(MOST_ROOMS)) + 1;
            let mut own = Vec::new();
            for _ in 0..many {
                let room = zipf(dice, town.rooms.len());
                if !own.contains(&room) {
                    own.push(room);
                }
            }
            if at % RESTLESS == 1 {
                town.restless.push((at, true));
            } else if at % SLOW != 0 {
                for room in &own {
                    town.counted[*room].push(at);
                }
            }
            town.people.push((*id, own));
        }
        for nth in 0..usize::try_from(MOST_ROOMS)? {
            let some: Vec<&(usize, Vec<usize>)> =
                town.people.iter().filter(|(_, own)| own.len() > nth).collect();
            let who: Vec<usize> = some.iter().map(|(id, _)| *id).collect();
            crowd::enter(swarm, &who, |at| &town.rooms[some[at].1[nth]], |_| false)?;
        }
        crowd::settle(swarm, &ids)?;
        let counted: Vec<usize> = (0..ids.len())
            .filter(|at| at % RESTLESS != 1 && at % SLOW != 0)
            .map(|at| ids[at])
            .collect();
        crowd::let_some_look(swarm, &counted)?;
        for (at, id) in ids.iter().enumerate() {
            if at % RESTLESS == 1 {
                swarm.watch(*id, Watch::Nothing)?;
            } else if at % SLOW == 0 {
                swarm.stall(*id)?;
            }
        }
        Ok(town)
    }
}

impl Town {
    /// One of the restless clients joins or leaves the first of its channels.
    fn move_one(&mut self, swarm: &mut Swarm, dice: &mut BenchRng) -> anyhow::Result<()> {
        let most = self.restless.len() as u64;
        let at = usize::try_from(dice.below(most))?;
        let Some((person, is_in)) = self.restless.get_mut(at) else { return Ok(()) };
        let (id, own) = &self.people[*person];
        let room = &self.rooms[own[0]];
        let dialect = swarm.dialect();
        let ask = if *is_in { dialect.leave(room) } else { dialect.enter(room) };
        *is_in = !*is_in;
        swarm.out(*id)?.extend_from_slice(ask.lines.as_bytes());
        Ok(())
    }

    /// A counted client sends a private message to another; returns the number of recipients.
    fn whisper(&self, swarm: &mut Swarm, dice: &mut BenchRng, text: &[u8]) -> anyhow::Result<u64> {
        let room = &self.counted[zipf(dice, self.rooms.len())];
        let (Some(from), Some(to)) = (pick(dice, room), pick(dice, room)) else { return Ok(0) };
        if from == to {
            return Ok(0);
        }
        let dialect = swarm.dialect();
        dialect.say(To::Person(&format!("p{to}")), text, swarm.out(self.people[from].0)?);
        Ok(1)
    }
}

fn pick(dice: &mut BenchRng, some: &[usize]) -> Option<usize> {
    some.get(usize::try_from(dice.below(some.len() as u64)).ok()?).copied()
}

/// One of `count`, with a frequency of about the inverse of its rank (Zipf's law).
fn zipf(dice: &mut BenchRng, count: usize) -> usize {
    // The logarithm of the rank is uniformly distributed.
    let fraction = crate::outcome::float(dice.below(1 << 20)) / f64::from(1 << 20);
    let place = crate::outcome::float(count as u64 + 1).powf(fraction) - 1.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small")]
    let place = place as usize;
    place.min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ranks_are_the_most_frequent_and_all_occur() {
        let mut dice = BenchRng(1);
        let mut seen = [0; 100];
        for _ in 0..100_000 {
            seen[zipf(&mut dice, 100)] += 1;
        }
        assert!(seen.iter().all(|times| *times > 50), "{seen:?}");
        assert!(seen[0] > 5 * seen[9] && seen[9] > 3 * seen[99], "{seen:?}");
    }
}
