//! All accounts sign in again at once: each signs in by token and re-enters its channels.

use std::time::{Duration, Instant};

use super::{Bench, Scenario, accounts};
use crate::dialect::{Dialect, SignInRequest, To};
use crate::load::crowd;
use crate::meter::Meter;
use crate::outcome::{Figures, Finding, Measure, float, mebibytes};
use crate::subject::{SubjectKind, SubjectSetup};
use crate::words::Texts;

/// Simultaneous sign-ins by token, and resumption of memberships
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Login {
    /// Number of accounts
    #[arg(long, default_value_t = 10_000)]
    pub(crate) people: usize,
    /// Number of channels
    #[arg(long, default_value_t = 500)]
    pub(crate) channels: usize,
    /// Memberships of each account
    #[arg(long, default_value_t = 3)]
    pub(crate) each: usize,
    /// Sign-ins in flight
    #[arg(long, default_value_t = 1000)]
    pub(crate) at_once: usize,
}

impl Scenario for Login {
    fn name(&self) -> &'static str {
        "login"
    }

    fn suits(&self, kind: SubjectKind) -> bool {
        kind.is_ours()
    }

    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>> {
        let folder = tempfile::TempDir::new_in(&bench.folder)?;
        let data = folder.path().join("data");
        let accounts = accounts::make(&data, self.people, self.channels, self.each)?;
        let setup = SubjectSetup { data: Some(data), all_cores: true };
        let server = bench.server_with(kind, &setup)?;
        let mut swarm = server.swarm()?;
        let (meter, begun) = (Meter::begin(&server)?, Instant::now());
        let mut who = Vec::with_capacity(self.people);
        crowd::in_waves(&mut swarm, self.people, self.at_once, |swarm, at| {
            let ask = sign_in(swarm.dialect(), &accounts::name(at), &accounts.tokens[at]);
            who.push(swarm.connect(&ask)?);
            Ok(())
        })?;
        crowd::settle(&mut swarm, &who)?;
        let took = begun.elapsed();
        let mut figures = meter.end(Measure::CpuEach, self.people as u64)?;
        let memory = server.process.memory()?;
        // A message in each channel checks that its members are back.
        let mut heard = 0;
        let mut texts = Texts::new();
        let dialect = swarm.dialect();
        let mut members = vec![Vec::new(); self.channels];
        for (at, id) in who.iter().enumerate() {
            for channel in accounts::channels_of(at, self.each, self.channels) {
                members[channel].push(*id);
            }
        }
        for (at, members) in members.iter().enumerate() {
            if let Some((speaker, others)) = members.split_first() {
                let text = texts.next(swarm.now());
                let channel = accounts::channel(at);
                dialect.say(To::Channel(&channel), &text, swarm.out(*speaker)?);
                heard += others.len() as u64;
            }
        }
        let quiet = Instant::now();
        while swarm.marks() < heard && quiet.elapsed() < Duration::from_secs(10) {
            swarm.turn(Duration::from_millis(100))?;
        }
        figures.extend(Figures::from([
            (Measure::Took, took.as_secs_f64() * 1e3),
            (Measure::PerSecond, float(self.people as u64) / took.as_secs_f64()),
            (Measure::Memory, mebibytes(memory)),
            (Measure::Lost, float(heard.saturating_sub(swarm.marks()))),
        ]));
        swarm.reset_all()?;
        let with = format!("{} people in {} channels each", self.people, self.each);
        Ok(vec![Finding::new(with, self.people, figures)])
    }
}

fn sign_in(dialect: Dialect, name: &str, token: &str) -> SignInRequest {
    if dialect == Dialect::Json {
        let lines = format!("/format json\n/login {name} token:{token}\n");
        return SignInRequest { lines, answer: br#""re":"login""# };
    }
    let lines = format!("/login {name} token:{token}\r\n");
    SignInRequest { lines, answer: b"* You are signed in as " }
}
