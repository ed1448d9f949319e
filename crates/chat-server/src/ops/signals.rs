//! What each signal does to a server. SIGKILL, the signals of a fault (SIGSEGV, SIGABRT, …) and those that suspend
//! (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU) keep their default action; SIGPIPE is ignored by the standard library.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::ops::RangeInclusive;
use std::task::Poll;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// They stop the server.
const STOPPING: [(Number, &str); 5] = [
    (Number::TERM, "SIGTERM"),
    (Number::INT, "SIGINT"),
    (Number::HUP, "SIGHUP"),
    (Number::QUIT, "SIGQUIT"),
    // The soft limit of processor time; at the hard one comes SIGKILL.
    (Number::XCPU, "SIGXCPU"),
];

/// They do nothing. Their default action would end the process; with SIGXFSZ, a file over its size limit is an error
/// of the write.
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

/// Those without a name do nothing either: from SIGRTMIN to SIGRTMAX, of which the C library may need the first.
const REAL_TIME: RangeInclusive<i32> = 34..=64;

/// The signals that stop the server.
pub struct StopSignals(Vec<(Signal, &'static str)>);

impl StopSignals {
    /// From now on these signals no longer end the process by themselves, and the ignored ones don't either.
    pub fn new() -> io::Result<Self> {
        for number in IGNORED {
            drop(signal(SignalKind::from_raw(number.as_raw()))?);
        }
        for number in REAL_TIME {
            if let Err(error) = signal(SignalKind::from_raw(number)) {
                tracing::debug!(number, %error, "a signal can't be ignored");
            }
        }
        let ignored = ignored_at_start();
        let stopping = STOPPING.iter().filter(|(number, _)| match *number {
            // nohup(1) starts a program with SIGHUP ignored, a shell script one in the background with SIGQUIT.
            Number::HUP | Number::QUIT => ignored >> (number.as_raw() - 1) & 1 == 0,
            _ => true,
        });
        let listen = |(number, name): &(Number, &'static str)| {
            Ok((signal(SignalKind::from_raw(number.as_raw()))?, *name))
        };
        Ok(Self(stopping.map(listen).collect::<io::Result<_>>()?))
    }

    /// Waits for the first one; returns its name. Later ones do nothing.
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

/// The signals that are ignored since the start of the process, one bit each, as proc(5) has them.
fn ignored_at_start() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
