//! Connecting, entering a channel and disconnecting without `/quit`, repeatedly.

use std::time::{Duration, Instant};

use super::{Bench, Scenario};
use crate::dialect::HALL;
use crate::load::crowd;
use crate::meter::Meter;
use crate::outcome::{Figures, Finding, Measure, float, mebibytes};
use crate::subject::SubjectKind;

/// Clients that repeatedly connect, join a channel and disconnect
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Storm {
    /// Number of clients at a time [default: as many as the server can take]
    #[arg(long)]
    pub(crate) at_once: Option<usize>,
    /// Duration
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
}

/// A server that still holds connections this long after the last client has disconnected leaks
/// them.
const CALM: Duration = Duration::from_secs(10);

impl Scenario for Storm {
    fn name(&self) -> &'static str {
        "storm"
    }

    fn suits(&self, _: SubjectKind) -> bool {
        true
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let server = bench.server(kind)?;
        let mut swarm = server.swarm()?;
        let dialect = swarm.dialect();
        let who = crowd::gather(&mut swarm, "stays", 0, 1)?;
        crowd::enter(&mut swarm, &who, |_| HALL, |at| at == 0)?;
        crowd::settle(&mut swarm, &who)?;
        let before = (server.process.memory()?, server.process.descriptors()?);
        let enter = dialect.enter(HALL);
        let mut names = 0;
        let mut came = move || {
            names += 1;
            dialect.sign_in(&format!("s{names}"))
        };
        // Whether each client is in the channel already.
        let mut is_in = Vec::new();
        let mut answered = Vec::new();
        let lasting = Duration::from_secs_f64(self.seconds);
        let (meter, begun) = (Meter::begin(&server)?, Instant::now());
        swarm.note_answers();
        let at_once = self.at_once.unwrap_or_else(|| swarm.at_once());
        for _ in 0..at_once {
            swarm.connect(&came())?;
        }
        let mut done = 0_u64;
        while swarm.awaited() > 0 {
            let awaited = swarm.awaited();
            swarm.until("answers", |swarm| swarm.awaited() < awaited)?;
            swarm.take_answered(&mut answered);
            for id in answered.iter().copied() {
                if is_in.len() <= id {
                    is_in.resize(id + 1, false);
                }
                if !is_in[id] && !enter.answer.is_empty() {
                    is_in[id] = true;
                    swarm.ask(id, &enter)?;
                    continue;
                }
                is_in[id] = false;
                swarm.reset(id)?;
                done += 1;
                if begun.elapsed() < lasting {
                    swarm.connect(&came())?;
                }
            }
        }
        let lasted = begun.elapsed();
        let mut figures = meter.end(Measure::CpuEach, done)?;
        let calm = Instant::now();
        while server.process.descriptors()? > before.1 && calm.elapsed() < CALM {
            swarm.turn(Duration::from_millis(10))?;
        }
        let grown = server.process.memory()?.saturating_sub(before.0);
        let left = server.process.descriptors()?.saturating_sub(before.1);
        figures.extend(Figures::from([
            (Measure::PerSecond, float(done) / lasted.as_secs_f64()),
            (Measure::Growth, mebibytes(grown)),
            (Measure::Descriptors, float(left as u64)),
        ]));
        swarm.reset_all()?;
        Ok(vec![Finding::new("connect, enter, vanish", at_once, figures)])
    }
}
