//! One channel in which every member receives every message.

use std::time::Duration;

use super::{Bench, Scenario};
use crate::dialect::{HALL, To};
use crate::load::closed::{Closed, Until};
use crate::load::crowd;
use crate::load::open::Open;
use crate::meter::Meter;
use crate::outcome::{Finding, Measure, of_load};
use crate::subject::SubjectKind;
use crate::words::Texts;

/// Messages to all members of one channel
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Fanout {
    /// Number of members
    #[arg(long, default_value_t = 100)]
    pub(crate) people: usize,
    /// Number of members that send, in turns
    #[arg(long, default_value_t = 1)]
    pub(crate) speakers: usize,
    /// Messages in flight
    #[arg(long, default_value_t = 16)]
    pub(crate) in_flight: u64,
    /// Send this many messages per second, instead of keeping a number in flight
    #[arg(long)]
    pub(crate) rate: Option<u64>,
    /// Duration
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
}

impl Scenario for Fanout {
    fn name(&self) -> &'static str {
        if self.rate.is_some() { "load" } else { "fanout" }
    }

    fn suits(&self, _: SubjectKind) -> bool {
        true
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let who = crowd::gather(&mut swarm, "p", 0, self.people)?;
        crowd::enter(&mut swarm, &who, |_| HALL, |at| at == 0)?;
        crowd::settle(&mut swarm, &who)?;
        let speakers = &who[..self.speakers.clamp(1, who.len())];
        crowd::let_some_look(&mut swarm, &who)?;
        let hearers = who.len() as u64 - 1;
        let lasting = Duration::from_secs_f64(self.seconds);
        let meter = Meter::begin(&server)?;
        let load = if let Some(rate) = self.rate {
            let mut texts = Texts::new();
            let mut speakers = speakers.iter().copied().cycle();
            Open { rate, lasting }.run(&mut swarm, |swarm, due| {
                let Some(speaker) = speakers.next() else { return Ok(0) };
                let dialect = swarm.dialect();
                dialect.say(To::Current(HALL), &texts.next(due), swarm.out(speaker)?);
                Ok(hearers)
            })?
        } else {
            let (in_flight, until) = (self.in_flight.max(1), Until::Lasted(lasting));
            Closed { channel: HALL, speakers, hearers, in_flight, until }.run(&mut swarm)?
        };
        let mut figures = meter.end(Measure::CpuPerDelivery, load.deliveries)?;
        figures.extend(of_load(&load));
        swarm.reset_all()?;
        let people = self.people;
        Ok(vec![if let Some(rate) = self.rate {
            let with = format!("{people} people, {rate} lines/s");
            Finding::new(with, usize::try_from(rate)?, figures)
        } else {
            let several = match speakers.len() {
                1 => String::new(),
                many => format!("{many} speakers, "),
            };
            let with = format!("{people} people, {several}{} in flight", self.in_flight);
            Finding::new(with, people, figures)
        }])
    }
}
