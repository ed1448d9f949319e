//! Detects a part of the server that no longer responds, logs what is stuck, and aborts the process
//! so that the service manager restarts it.
//!
//! Each probe runs on a thread of its own, which may block forever. The watchdog itself takes no
//! lock that another thread could hold for long. It counts its own ticks, not time: a changed
//! clock, a suspended machine and a process stopped with SIGSTOP count as one tick, however long
//! that took.

use std::fs;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::log;
use crate::util::sync::held_by_threads;

/// Interval of the probes.
const TICK: Duration = Duration::from_secs(5);

/// Ticks without a response after which a part is stuck. Half a minute: every lock of the hub is
/// held for less than a millisecond, and a machine so busy that a thread waits longer is of no use.
const STUCK_TICKS: u32 = 6;

/// The same for a commit that waits for the disk. Ten minutes: a disk that resets, or a network
/// storage that fails over, returns within a few, and a restart doesn't help a slow disk.
const STUCK_ON_DISK_TICKS: u32 = 120;

/// Time limits for the report and for its lines in the log before the process aborts.
const REPORT_DEADLINE: Duration = Duration::from_secs(5);

/// Threads in a report.
const MAX_THREADS: usize = 128;

/// The result of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// The part is idle.
    Idle,
    /// The part is working. The step changes with its progress.
    Working { step: u64, on_disk: bool },
}

/// A probe of one part of the server.
pub(crate) struct Probe {
    /// The name in the log.
    pub(crate) name: &'static str,
    /// Runs the probe; blocks while the part is stuck. Records how far it came.
    pub(crate) ask: Box<dyn FnMut(&ProbePoint) -> Pulse + Send>,
}

/// How far a probe came.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProbePoint(Arc<Mutex<&'static str>>);

impl ProbePoint {
    pub(crate) fn is(&self, place: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    fn get(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches until it is dropped.
pub(crate) struct Watchdog {
    _stop: SyncSender<()>,
}

impl Watchdog {
    /// Starts the watchdog. The process aborts if a part is stuck.
    pub(crate) fn start(parts: Vec<Probe>) -> std::io::Result<Self> {
        Self::every(TICK, parts, end)
    }

    /// Starts the watchdog with another tick and action.
    pub(crate) fn every(
        tick: Duration,
        parts: Vec<Probe>,
        stuck: impl FnOnce(Vec<String>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut watched = Vec::with_capacity(parts.len());
        for part in parts {
            watched.push(WatchedProbe::start(part)?);
        }
        let (stop, stopped) = sync_channel(0);
        thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                let reports: Vec<String> =
                    watched.iter_mut().filter_map(WatchedProbe::tick).collect();
                if !reports.is_empty() {
                    return stuck(reports);
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// A probe with its thread.
struct WatchedProbe {
    name: &'static str,
    spot: ProbePoint,
    ask: SyncSender<()>,
    answers: Receiver<Pulse>,
    count: MissedTicks,
}

impl WatchedProbe {
    fn start(part: Probe) -> std::io::Result<Self> {
        let Probe { name, ask: mut question } = part;
        let spot = ProbePoint(Arc::new(Mutex::new("")));
        let (ask, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let theirs = spot.clone();
        thread::Builder::new().name(format!("watch-{name}")).spawn(move || {
            while let Ok(()) = asked.recv() {
                if answer.send(question(&theirs)).is_err() {
                    return;
                }
            }
        })?;
        // The first result is there at the first tick.
        let _ = ask.try_send(());
        Ok(Self { name, spot, ask, answers, count: MissedTicks::default() })
    }

    /// Takes the result and probes again. Returns a sentence if the part is stuck.
    fn tick(&mut self) -> Option<String> {
        let answer = match self.answers.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            // The probe has panicked, which is logged: nothing is known of the part.
            Err(TryRecvError::Disconnected) => return None,
        };
        if answer.is_some()
            && let Err(TrySendError::Full(())) = self.ask.try_send(())
        {
            tracing::debug!(part = self.name, "a probe is in progress already");
        }
        match self.count.tick(answer) {
            ProbeVerdict::Well => None,
            ProbeVerdict::Slow => {
                let spot = self.spot.get();
                tracing::warn!(
                    part = self.name,
                    spot,
                    "the disk hasn't responded for half a minute"
                );
                None
            }
            ProbeVerdict::Stuck => Some(format!("{} is stuck at: {}", self.name, self.spot.get())),
        }
    }
}

/// Ticks without progress.
#[derive(Default)]
struct MissedTicks {
    missed: u32,
    last: Option<Pulse>,
}

#[derive(Debug, PartialEq, Eq)]
enum ProbeVerdict {
    Well,
    /// It waits for the disk: logged repeatedly.
    Slow,
    Stuck,
}

impl MissedTicks {
    /// `None` is a missing result.
    fn tick(&mut self, answer: Option<Pulse>) -> ProbeVerdict {
        let on_disk = match answer {
            // No result: what the part was doing before doesn't matter.
            None => false,
            Some(Pulse::Working { on_disk, .. }) if answer == self.last => on_disk,
            Some(_) => {
                (self.missed, self.last) = (0, answer);
                return ProbeVerdict::Well;
            }
        };
        self.missed += 1;
        match (on_disk, self.missed) {
            (false, STUCK_TICKS..) | (true, STUCK_ON_DISK_TICKS..) => ProbeVerdict::Stuck,
            (true, missed) if missed.is_multiple_of(STUCK_TICKS) => ProbeVerdict::Slow,
            _ => ProbeVerdict::Well,
        }
    }
}

/// Logs the report and aborts the process.
fn end(stuck: Vec<String>) {
    let (done, reported) = sync_channel(1);
    let report = thread::Builder::new().name("report".to_owned()).spawn(move || {
        for one in stuck {
            tracing::error!("{one}; the process aborts, and the service manager restarts it");
        }
        for line in threads() {
            tracing::error!("{line}");
        }
        for line in held_by_threads() {
            tracing::error!("locks of {line}");
        }
        let _ = done.send(());
    });
    if report.is_ok() {
        let _ = reported.recv_timeout(REPORT_DEADLINE);
    }
    log::flush(REPORT_DEADLINE);
    std::process::abort();
}

/// Returns what the kernel reports about each thread.
fn threads() -> Vec<String> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let reports = tasks.filter_map(Result::ok).take(MAX_THREADS).map(|task| {
        let read = |file| {
            let text = fs::read_to_string(task.path().join(file)).unwrap_or_default();
            text.trim().to_owned()
        };
        // The state is the first word after the name in brackets.
        let stat = read("stat");
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').next());
        let (id, state) = (task.file_name(), state.unwrap_or("?"));
        format!(
            "thread {} {}: state {state}, waits in {}, system call {}",
            id.to_string_lossy(),
            read("comm"),
            read("wchan"),
            read("syscall")
        )
    });
    reports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_stuck_after_so_many_ticks_and_a_slow_disk_much_later() {
        let working = |step, on_disk| Some(Pulse::Working { step, on_disk });
        let ticks_until_stuck = |answer| {
            let mut count = MissedTicks::default();
            assert_eq!(count.tick(working(1, true)), ProbeVerdict::Well);
            assert_eq!(count.tick(Some(Pulse::Idle)), ProbeVerdict::Well);
            let mut ticks = 0;
            loop {
                ticks += 1;
                if count.tick(answer) == ProbeVerdict::Stuck {
                    break ticks;
                }
            }
        };
        assert_eq!(ticks_until_stuck(None), STUCK_TICKS);
        // The first result is the one to compare with.
        assert_eq!(ticks_until_stuck(working(2, false)), STUCK_TICKS + 1);
        assert_eq!(ticks_until_stuck(working(2, true)), STUCK_ON_DISK_TICKS + 1);
    }

    #[test]
    fn a_part_that_progresses_or_is_idle_is_never_stuck() {
        let mut count = MissedTicks::default();
        for step in 0..1000 {
            assert_eq!(
                count.tick(Some(Pulse::Working { step, on_disk: false })),
                ProbeVerdict::Well
            );
        }
        for _ in 0..1000 {
            assert_eq!(count.tick(Some(Pulse::Idle)), ProbeVerdict::Well);
        }
        // Late results aren't missing results.
        for _ in 0..1000 {
            assert_eq!(count.tick(None), ProbeVerdict::Well);
            assert_eq!(count.tick(Some(Pulse::Idle)), ProbeVerdict::Well);
        }
    }

    #[test]
    fn a_hanging_disk_is_logged_each_half_minute() {
        let mut count = MissedTicks::default();
        let slow = (0..100).filter(|_| {
            count.tick(Some(Pulse::Working { step: 1, on_disk: true })) == ProbeVerdict::Slow
        });
        assert_eq!(slow.count(), 16);
    }

    #[test]
    fn a_report_has_every_thread_with_its_state() {
        let threads = threads();
        assert!(threads.iter().any(|thread| thread.contains("state R")), "{threads:#?}");
    }
}
