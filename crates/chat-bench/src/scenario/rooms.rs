//! Many small channels, with a fixed total rate of messages.

use std::time::Duration;

use super::{Bench, Scenario};
use crate::dialect::To;
use crate::load::crowd;
use crate::load::open::Open;
use crate::meter::Meter;
use crate::outcome::{Finding, Measure, of_load};
use crate::subject::SubjectKind;
use crate::words::{BenchRng, Texts};

/// Many small channels
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Rooms {
    /// Number of channels
    #[arg(long = "rooms", default_value_t = 1000)]
    pub(crate) count: usize,
    /// Members of each channel
    #[arg(long, default_value_t = 10)]
    pub(crate) people: usize,
    /// Channels of each client
    #[arg(long, default_value_t = 1)]
    pub(crate) memberships: usize,
    /// Messages per second in all
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rate: u64,
    /// Duration
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

impl Scenario for Rooms {
    fn name(&self) -> &'static str {
        "rooms"
    }

    fn suits(&self, kind: SubjectKind) -> bool {
        kind.has_names() || self.memberships == 1
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let (count, each) = (self.count.max(1), self.people.max(1));
        let own = self.memberships.clamp(1, count);
        let who = crowd::gather(&mut swarm, "p", 0, count * each / own)?;
        let names: Vec<String> = (0..count).map(|at| format!("room{at}")).collect();
        // Gives every channel the same number of members, and no client the same channel twice.
        let room = |person: usize, nth: usize| (person * own + nth) % count;
        let mut members = vec![Vec::new(); count];
        for (at, id) in who.iter().enumerate() {
            for nth in 0..own {
                members[room(at, nth)].push(*id);
            }
        }
        for nth in 0..own {
            let makes = |at: usize| members[room(at, nth)].first() == Some(&who[at]);
            crowd::enter(&mut swarm, &who, |at| &names[room(at, nth)], makes)?;
        }
        crowd::settle(&mut swarm, &who)?;
        crowd::let_some_look(&mut swarm, &who)?;
        let (mut texts, mut dice) = (Texts::new(), BenchRng(17));
        let open = Open { rate: self.rate, lasting: Duration::from_secs_f64(self.seconds) };
        let meter = Meter::begin(&server)?;
        let load = open.run(&mut swarm, |swarm, due| {
            let at = usize::try_from(dice.below(count as u64))?;
            let nth = usize::try_from(dice.below(members[at].len() as u64))?;
            let to = if own == 1 { To::Current(&names[at]) } else { To::Channel(&names[at]) };
            swarm.dialect().say(to, &texts.next(due), swarm.out(members[at][nth])?);
            Ok(members[at].len() as u64 - 1)
        })?;
        let mut figures = meter.end(Measure::CpuPerDelivery, load.deliveries)?;
        figures.extend(of_load(&load));
        swarm.reset_all()?;
        let several = if own == 1 { String::new() } else { format!(", each in {own}") };
        let with = format!("{count} rooms × {each}{several}, {} lines/s", self.rate);
        Ok(vec![Finding::new(with, count, figures)])
    }
}
