//! The log, on standard error.
//!
//! Log lines of a server go through a bounded queue to a thread that writes them. If standard error
//! is blocked (an unread pipe, a paused terminal, a full disk), lines are dropped and counted, and
//! the server goes on. A tool writes its lines directly. If standard error is the journal, each
//! line begins with its priority (sd-daemon(3)).

use std::cell::Cell;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::LogFormat;

/// Format and level of the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logging {
    /// The format.
    pub format: LogFormat,
    /// The level: 0 default, 1 more, 2 everything.
    pub verbose: u8,
}

/// Bytes of queued log lines. Further lines are dropped.
const MAX_WAITING: usize = 1024 * 1024;

/// How long the process waits at its end for the last log lines. A pipe and a file take them at
/// once.
pub const FLUSH_DEADLINE: Duration = Duration::from_millis(500);

/// Pause before a retry if standard error is non-blocking and takes nothing now.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// The queue of the process, after [`start_queue`].
static QUEUE: OnceLock<LogQueue> = OnceLock::new();

thread_local! {
    /// The writer's own line, with the number of dropped ones, is accepted even if the queue is
    /// full again.
    static MAX_OF_THREAD: Cell<usize> = const { Cell::new(MAX_WAITING) };
}

/// Starts the log. A panic is logged like everything else.
pub fn start(logging: Logging) {
    let level = match logging.verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let registry = tracing_subscriber::registry().with(EnvFilter::new(level));
    let to = tracing_subscriber::fmt::layer()
        .with_writer(Stderr { is_journal: is_journal() })
        .with_target(false)
        // Otherwise a failed write is reported on standard error, with a panic if that fails too.
        .log_internal_errors(false);
    match logging.format {
        LogFormat::Text => {
            registry.with(to.compact().with_ansi(io::stderr().is_terminal())).init();
        }
        LogFormat::Json => registry.with(to.json().flatten_event(true)).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("for a reason that is no text");
        tracing::error!(place, "panicked: {what}");
    }));
}

/// Starts the thread that writes log lines.
pub fn start_queue() -> io::Result<()> {
    let queue = QUEUE.get_or_init(LogQueue::default);
    let write = || {
        MAX_OF_THREAD.set(usize::MAX);
        queue.write_to(&mut io::stderr());
    };
    thread::Builder::new().name("log".to_owned()).spawn(write)?;
    Ok(())
}

/// Waits until all log lines so far are written, for `within` at most.
pub fn flush(within: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.wait_until_written(within);
    }
}

/// Whether standard error is the stream to the journal that the service manager names
/// (systemd.exec(5)).
fn is_journal() -> bool {
    let Some(named) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let stream = rustix::fs::fstat(io::stderr());
    stream.is_ok_and(|stream| named == *format!("{}:{}", stream.st_dev, stream.st_ino))
}

/// The priority of a level (syslog(3)), as the journal reads it at the beginning of a line.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Standard error, or the queue before it.
struct Stderr {
    is_journal: bool,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter { prefix: "" }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> LineWriter {
        LineWriter { prefix: if self.is_journal { priority(*of.level()) } else { "" } }
    }
}

/// Writes the lines of one event.
struct LineWriter {
    prefix: &'static str,
}

impl LineWriter {
    /// A message of several lines is several entries of the journal.
    fn prefixed(&self, lines: &[u8]) -> Vec<u8> {
        let lines = lines.split_inclusive(|byte| *byte == b'\n');
        lines.flat_map(|line| [self.prefix.as_bytes(), line].concat()).collect()
    }
}

impl Write for LineWriter {
    /// The subscriber writes one whole line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let prefixed = (!self.prefix.is_empty()).then(|| self.prefixed(line));
        let whole = prefixed.as_deref().unwrap_or(line);
        match QUEUE.get() {
            Some(queue) => queue.push(whole),
            None => io::stderr().write_all(whole)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct LogQueue {
    state: Mutex<LogQueueState>,
    pushed: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct LogQueueState {
    waiting: Vec<u8>,
    is_writing: bool,
    /// Lines that did not fit, or could not be written.
    dropped: usize,
}

impl LogQueue {
    fn lock(&self) -> MutexGuard<'_, LogQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len().saturating_add(line.len()) > MAX_OF_THREAD.get() {
            state.dropped += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        self.pushed.notify_one();
    }

    fn wait_until_written(&self, within: Duration) {
        let is_behind = |state: &mut LogQueueState| !state.waiting.is_empty() || state.is_writing;
        drop(self.written.wait_timeout_while(self.lock(), within, is_behind));
    }

    /// Writes lines as they come. Once a write succeeds, the number of lines dropped before it is
    /// logged.
    fn write_to(&self, out: &mut impl Write) {
        let mut ends_in_line = false;
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            if state.waiting.is_empty() {
                self.written.notify_all();
            }
            let woken = self.pushed.wait_while(state, |state| state.waiting.is_empty());
            let mut state = woken.unwrap_or_else(PoisonError::into_inner);
            let mut lines = mem::take(&mut state.waiting);
            let dropped = mem::take(&mut state.dropped);
            state.is_writing = true;
            drop(state);
            if ends_in_line {
                lines.insert(0, b'\n');
            }
            let count = write_what_goes(out, &lines);
            let (written, rest) = lines.split_at(count);
            if let Some(last) = written.last() {
                ends_in_line = *last != b'\n';
            }
            if !rest.is_empty() {
                let lost = memchr::memchr_iter(b'\n', rest).count();
                self.lock().dropped += dropped + lost;
            } else if dropped > 0 {
                tracing::warn!("{dropped} log lines were dropped: standard error took nothing");
            }
        }
    }
}

/// Writes bytes and waits while `out` is blocked, even if it is non-blocking. Returns how many were
/// written before an error.
#[expect(
    clippy::disallowed_methods,
    reason = "a non-blocking file has no event for the writing thread"
)]
fn write_what_goes(out: &mut impl Write, bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some(rest) = bytes.get(count..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
            Err(_) => break,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// Accepts as many bytes as scripted, or fails.
    struct ScriptedWriter(Receiver<io::Result<usize>>, SyncSender<Vec<u8>>);

    impl Write for ScriptedWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let most = self.0.recv().map_err(|_| ErrorKind::BrokenPipe)??.min(bytes.len());
            let _ = self.1.send(bytes[..most].to_vec());
            Ok(most)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> (&'static LogQueue, SyncSender<io::Result<usize>>, Receiver<Vec<u8>>) {
        let queue: &'static LogQueue = Box::leak(Box::default());
        let (outcomes, script) = sync_channel(8);
        let (write, written) = sync_channel(8);
        thread::spawn(move || queue.write_to(&mut ScriptedWriter(script, write)));
        (queue, outcomes, written)
    }

    fn text(written: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(written.recv().unwrap()).unwrap()
    }

    #[test]
    fn each_line_of_an_event_has_its_priority() {
        let writer = LineWriter { prefix: priority(Level::WARN) };
        assert_eq!(writer.prefixed(b"one\ntwo\n"), b"<4>one\n<4>two\n");
    }

    #[test]
    fn lines_that_do_not_fit_are_dropped_and_counted() {
        let queue = LogQueue::default();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        for _ in 0..1030 {
            queue.push(&line);
        }
        let state = queue.lock();
        assert_eq!((state.waiting.len(), state.dropped), (MAX_WAITING, 6));
    }

    #[test]
    fn a_truncated_line_ends_before_the_next_one() {
        let (queue, outcomes, written) = start();
        queue.push(b"one\ntwo\nthree\n");
        outcomes.send(Ok(6)).unwrap();
        outcomes.send(Err(ErrorKind::StorageFull.into())).unwrap();
        assert_eq!(text(&written), "one\ntw");
        queue.wait_until_written(Duration::from_mins(1));
        assert_eq!(queue.lock().dropped, 2);
        queue.push(b"four\n");
        outcomes.send(Err(ErrorKind::Interrupted.into())).unwrap();
        outcomes.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        outcomes.send(Ok(100)).unwrap();
        assert_eq!(text(&written), "\nfour\n");
    }

    #[test]
    fn a_flush_waits_for_the_current_write_within_its_deadline() {
        let (queue, outcomes, written) = start();
        queue.push(b"one\n");
        // Nothing is written yet.
        queue.wait_until_written(Duration::from_millis(1));
        assert!(written.try_recv().is_err());
        outcomes.send(Ok(100)).unwrap();
        queue.wait_until_written(Duration::from_mins(1));
        assert_eq!(written.try_recv().unwrap(), b"one\n");
    }
}
