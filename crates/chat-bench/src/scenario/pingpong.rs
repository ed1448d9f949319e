//! Private messages: each is answered by another as soon as it arrives.

use std::time::{Duration, Instant};

use super::{Bench, Scenario};
use crate::dialect::To;
use crate::load::{Load, Watch, crowd};
use crate::meter::Meter;
use crate::outcome::{Finding, Measure, float, of_load};
use crate::subject::SubjectKind;
use crate::words::Texts;

/// Pairs of clients that answer each other's messages
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Pingpong {
    /// Number of pairs
    #[arg(long, default_value_t = 100)]
    pub(crate) pairs: usize,
    /// Duration
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
}

/// One in this many pairs measures latency.
const LOOKS: usize = 10;

impl Scenario for Pingpong {
    fn name(&self) -> &'static str {
        "pingpong"
    }

    fn suits(&self, _: SubjectKind) -> bool {
        true
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        // Neighbours are partners.
        let who = crowd::gather(&mut swarm, "p", 0, self.pairs * 2)?;
        if !kind.has_names() {
            // On a server without private messages, each pair has a channel.
            let channels: Vec<String> = (0..self.pairs).map(|pair| format!("pair{pair}")).collect();
            crowd::enter(&mut swarm, &who, |at| &channels[at / 2], |at| at % 2 == 0)?;
        }
        crowd::settle(&mut swarm, &who)?;
        let mut names = vec![String::new(); who.iter().max().map_or(0, |most| most + 1)];
        for (at, id) in who.iter().enumerate() {
            names[*id] = format!("p{}", at ^ 1);
            swarm.react(*id)?;
            if at / 2 % LOOKS == 0 {
                swarm.watch(*id, Watch::Times)?;
            }
        }
        let mut texts = Texts::new();
        let dialect = swarm.dialect();
        let lasting = Duration::from_secs_f64(self.seconds);
        drop(swarm.take_latency()?);
        let (meter, begun, before) = (Meter::begin(&server)?, Instant::now(), swarm.marks());
        let mut lines = 0;
        for id in who.iter().step_by(2) {
            let text = texts.next(swarm.now());
            dialect.say(To::Person(&names[*id]), &text, swarm.out(*id)?);
            lines += 1;
        }
        let mut reactions = Vec::new();
        while swarm.marks() - before < lines {
            let marks = swarm.marks();
            swarm.until("private lines", |swarm| swarm.marks() > marks)?;
            swarm.take_reactions(&mut reactions);
            if begun.elapsed() >= lasting {
                continue;
            }
            for (id, some) in &reactions {
                for _ in 0..*some {
                    let text = texts.next(swarm.now());
                    dialect.say(To::Person(&names[*id]), &text, swarm.out(*id)?);
                    lines += 1;
                }
            }
        }
        let lasted = begun.elapsed();
        let latency = swarm.take_latency()?;
        let mut figures = meter.end(Measure::CpuPerDelivery, lines)?;
        figures.extend(of_load(&Load {
            deliveries: lines,
            lost: 0,
            dropped: swarm.closed(),
            lasted,
            latency,
        }));
        figures.insert(Measure::PerSecond, float(lines) / lasted.as_secs_f64());
        figures.remove(&Measure::DeliveriesPerSecond);
        swarm.reset_all()?;
        Ok(vec![Finding::new(format!("{} pairs", self.pairs), self.pairs, figures)])
    }
}
