//! Very many sessions in one process.

use std::time::Instant;

use indicatif::ProgressBar;
use tokio::io::DuplexStream;
use tokio::runtime::Builder;

use super::{PIPE, SimulatedHub, drain, send, until};
use crate::outcome::float;
use crate::subject::process::Process;

/// A million sessions in one process
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Million {
    /// Number of sessions
    #[arg(long, default_value_t = 1_000_000)]
    sessions: usize,
    /// Members of the large channel; the other sessions are in channels of a thousand
    #[arg(long, default_value_t = 100_000)]
    room: usize,
    /// Members of the large channel that leave it and enter it again
    #[arg(long, default_value_t = 10_000)]
    movers: usize,
}

/// Members of each of the other channels.
const OTHERS: usize = 1000;

/// Sessions that are started between two turns of the scheduler.
const AT_ONCE: usize = 500;

/// Messages that are sent to the large channel.
const LINES: u32 = 20;

impl Million {
    /// Runs the simulation; returns its results as a table.
    pub(crate) fn run(&self, progress: &ProgressBar) -> anyhow::Result<String> {
        // One thread, so the elapsed time is the processor time.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.simulate(progress))
    }

    async fn simulate(&self, progress: &ProgressBar) -> anyhow::Result<String> {
        let room = self.room.min(self.sessions);
        progress.set_length(self.sessions as u64 * 3);
        let empty = resident()?;
        // The memory of the pipes doesn't count as the server's.
        let pipes: Vec<_> =
            (0..self.sessions.min(100_000)).map(|_| tokio::io::duplex(PIPE)).collect();
        let pipe = (resident()? - empty) / float(pipes.len() as u64);
        drop(pipes);
        let before = resident()?;
        let hub = SimulatedHub::new(false)?;
        let begun = Instant::now();
        let mut people: Vec<DuplexStream> = Vec::with_capacity(self.sessions);
        let mut scratch = vec![0; PIPE];
        while people.len() < self.sessions {
            let first = people.len();
            let some = AT_ONCE.min(self.sessions - first);
            for at in first..first + some {
                let mut one = hub.connect();
                send(&mut one, &format!("p{at}\n")).await?;
                people.push(one);
            }
            for one in &mut people[first..] {
                until(one, "* Hello, ").await?;
                drain(one, &mut scratch).await?;
            }
            progress.inc(some as u64);
        }
        let connected = begun.elapsed() / u32::try_from(self.sessions)?;
        let named = resident()?;
        let begun = Instant::now();
        Self::enter(&mut people, room, progress).await?;
        let entered = begun.elapsed() / u32::try_from(self.sessions)?;
        let inside = resident()?;

        let (large, others) = people.split_at_mut(room);
        let mut line = std::time::Duration::MAX;
        for number in 0..LINES {
            let text = format!("line {number} of how soon is the deploy of today's release done?");
            let begun = Instant::now();
            send(&mut large[0], &format!("{text}\n")).await?;
            for one in &mut large[1..] {
                until(one, &text).await?;
            }
            line = line.min(begun.elapsed());
        }
        let movers = self.movers.min(large.len() - 1);
        let begun = Instant::now();
        for one in &mut large[1..=movers] {
            send(one, "/leave\n").await?;
            until(one, "* You left #large").await?;
        }
        let left = begun.elapsed() / u32::try_from(movers.max(1))?;
        let begun = Instant::now();
        for one in &mut large[1..=movers] {
            send(one, "/enter large\n").await?;
            until(one, "* You entered #large").await?;
        }
        let back = begun.elapsed() / u32::try_from(movers.max(1))?;
        progress.finish_and_clear();

        let each = |bytes: f64| (bytes - before) / float(self.sessions as u64) - pipe;
        let hearers = float(room.max(2) as u64 - 1);
        let rooms = others.len().div_ceil(OTHERS);
        Ok([
            format!("| {} sessions in one process, on one thread | |", self.sessions),
            "|---|---|".to_owned(),
            format!("| memory of each, connected and named, its pipe apart | {:.0} bytes |", each(named)),
            format!("| memory of each, in a room as well | {:.0} bytes |", each(inside)),
            format!("| the pipe of each | {pipe:.0} bytes |"),
            format!("| to connect and give a name | {:.1} µs |", micros(connected)),
            format!("| to enter a room (one of {room}, {rooms} of {OTHERS}), and to hear who comes | {:.1} µs |", micros(entered)),
            format!("| a line to the room of {room}, until the last has it | {:.1} ms, {:.2} µs each |", micros(line) / 1000.0, micros(line) / hearers),
            format!("| to leave that room | {:.1} µs |", micros(left)),
            format!("| to enter that room again, its last lines told | {:.1} µs |", micros(back)),
        ]
        .join("\n"))
    }

    async fn enter(
        people: &mut [DuplexStream],
        room: usize,
        progress: &ProgressBar,
    ) -> anyhow::Result<()> {
        let mut scratch = vec![0; PIPE];
        for (at, one) in people.iter_mut().enumerate() {
            let (name, first) = match at.checked_sub(room) {
                None => ("large".to_owned(), at == 0),
                Some(at) => (format!("room{}", at / OTHERS), at % OTHERS == 0),
            };
            let (word, awaited) =
                if first { ("create", "* You made #") } else { ("enter", "* You entered #") };
            send(one, &format!("/{word} {name}\n")).await?;
            until(one, awaited).await?;
            // Members receive the entry of each new client, which mustn't fill their pipes.
            if at % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
            progress.inc(1);
        }
        for one in people.iter_mut() {
            drain(one, &mut scratch).await?;
            progress.inc(1);
        }
        Ok(())
    }
}

fn micros(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn resident() -> anyhow::Result<f64> {
    Ok(float(Process::own().memory()?))
}
