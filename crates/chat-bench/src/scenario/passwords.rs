//! The effect of password verification, which is slow by design, on the latency of other clients.

use std::time::{Duration, Instant};

use super::{Bench, Scenario, accounts};
use crate::dialect::{Dialect, SignInRequest, To};
use crate::load::crowd;
use crate::load::open::Open;
use crate::meter::Meter;
use crate::outcome::{Finding, Measure, of_load};
use crate::subject::{SubjectKind, SubjectSetup};
use crate::words::{BenchRng, Texts};

/// Simultaneous logins by password, while other clients send messages
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Passwords {
    /// Number of logins
    #[arg(long, default_value_t = 100)]
    pub(crate) people: usize,
    /// Number of other clients, in channels of ten
    #[arg(long, default_value_t = 1000)]
    pub(crate) others: usize,
    /// Messages per second of the other clients
    #[arg(long, default_value_t = 1000)]
    pub(crate) rate: u64,
    /// Duration, once without and once with logins
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Members of a channel.
const MEMBERS: usize = 10;

impl Scenario for Passwords {
    fn name(&self) -> &'static str {
        "passwords"
    }

    fn suits(&self, kind: SubjectKind) -> bool {
        kind.is_ours()
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let folder = tempfile::TempDir::new_in(&bench.folder)?;
        let data = folder.path().join("data");
        accounts::make(&data, self.people, 1, 1)?;
        let server =
            bench.server_with(kind, &SubjectSetup { data: Some(data), all_cores: true })?;
        let mut swarm = server.swarm()?;
        let dialect = swarm.dialect();
        let channels = (self.others / MEMBERS).max(1);
        let who = crowd::gather(&mut swarm, "p", 0, channels * MEMBERS)?;
        let names: Vec<String> = (0..channels).map(|at| format!("room{at}")).collect();
        crowd::enter(&mut swarm, &who, |at| &names[at / MEMBERS], |at| at % MEMBERS == 0)?;
        crowd::settle(&mut swarm, &who)?;
        crowd::let_some_look(&mut swarm, &who)?;
        // They are connected before the measurement, so only the cost of the passwords is measured.
        let forms = if dialect == Dialect::Json {
            SignInRequest { lines: "/format json\n".to_owned(), answer: br#""re":"format""# }
        } else {
            dialect.settle()
        };
        let mut logging_in = Vec::with_capacity(self.people);
        for _ in 0..self.people {
            logging_in.push(swarm.connect(&forms)?);
        }
        swarm.answered()?;
        let open = Open { rate: self.rate, lasting: Duration::from_secs_f64(self.seconds) };
        let (mut texts, mut dice) = (Texts::new(), BenchRng(19));
        let mut findings = Vec::new();
        for some in [&[][..], &logging_in] {
            let (meter, begun) = (Meter::begin(&server)?, Instant::now());
            for (at, id) in some.iter().enumerate() {
                swarm.ask(*id, &log_in(dialect, &accounts::name(at)))?;
            }
            let mut took = None;
            let load = open.run(&mut swarm, |swarm, due| {
                if took.is_none() && swarm.awaited() == 0 {
                    took = Some(begun.elapsed());
                }
                let at = usize::try_from(dice.below(who.len() as u64))?;
                let to = To::Current(&names[at / MEMBERS]);
                dialect.say(to, &texts.next(due), swarm.out(who[at])?);
                Ok(MEMBERS as u64 - 1)
            })?;
            swarm.answered()?;
            let took = took.unwrap_or_else(|| begun.elapsed());
            let mut figures = meter.end(Measure::CpuPerDelivery, load.deliveries)?;
            figures.extend(of_load(&load));
            if !some.is_empty() {
                figures.insert(Measure::Took, took.as_secs_f64() * 1e3);
            }
            let with = format!("{} log in while {} talk", some.len(), who.len());
            findings.push(Finding::new(with, some.len(), figures));
        }
        swarm.reset_all()?;
        Ok(findings)
    }
}

fn log_in(dialect: Dialect, name: &str) -> SignInRequest {
    let lines = format!("/login {name} {}\n", accounts::PASSWORD);
    let answer: &[u8] = match dialect {
        Dialect::Json => br#""re":"login""#,
        _ => b"* You are signed in as ",
    };
    SignInRequest { lines, answer }
}
