//! Signals. SIGKILL, the signals of a fault (SIGSEGV, SIGABRT, …) and those that suspend (SIGSTOP,
//! SIGTSTP, SIGTTIN, SIGTTOU) keep their default action. The standard library ignores SIGPIPE.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::ops::RangeInclusive;
use std::task::Poll;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that stop the server.
const STOPPING: [(Number, &str); 5] = [
    (Number::TERM, "SIGTERM"),
    (Number::INT, "SIGINT"),
    (Number::HUP, "SIGHUP"),
    (Number::QUIT, "SIGQUIT"),
    // The soft limit of processor time; SIGKILL follows at the hard one.
    (Number::XCPU, "SIGXCPU"),
];

/// Ignored signals. Their default action would end the process. With SIGXFSZ ignored, exceeding the
/// file size limit is a write error.
const IGNORED: [Number; 9] = [
    Number::USR1,
    Number::USR2,
    Number::ALARM,
    Number::VTALARM,
    Number::PROF,
    Number::IO,
    Number::POWER,
    Number::STKFLT,
    Number::XFSZ,
];

/// Real-time signals are ignored too: from SIGRTMIN to SIGRTMAX, of which the C library may need
/// the first.
const REAL_TIME: RangeInclusive<i32> = 34..=64;

/// Waits for a signal that stops the server.
pub struct StopSignals(Vec<(Signal, &'static str)>);

impl StopSignals {
    /// Installs the handlers, so that neither these nor the ignored signals end the process.
    pub fn new() -> io::Result<Self> {
        for number in IGNORED {
            drop(signal(SignalKind::from_raw(number.as_raw()))?);
        }
        for number in REAL_TIME {
            if let Err(error) = signal(SignalKind::from_raw(number)) {
                tracing::debug!(number, %error, "can't ignore a signal");
            }
        }
        let ignored = ignored_at_start();
        let stopping = STOPPING.iter().filter(|(number, _)| match *number {
            // nohup(1) starts a program with SIGHUP ignored, a shell script one in the background
            // with SIGQUIT.
            Number::HUP | Number::QUIT => ignored >> (number.as_raw() - 1) & 1 == 0,
            _ => true,
        });
        let listen = |(number, name): &(Number, &'static str)| {
            Ok((signal(SignalKind::from_raw(number.as_raw()))?, *name))
        };
        Ok(Self(stopping.map(listen).collect::<io::Result<_>>()?))
    }

    /// Waits for the first signal and returns its name. Later ones have no effect.
    pub async fn wait(mut self) -> &'static str {
        poll_fn(|context| {
            let came = self
                .0
                .iter_mut()
                .find_map(|(signal, name)| signal.poll_recv(context).is_ready().then_some(*name));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Returns the signals that were ignored at the start of the process, as a bit set (proc(5)).
fn ignored_at_start() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
