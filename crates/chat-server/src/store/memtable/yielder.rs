//! Yields the processor to more urgent threads.
//!
//! On one processor a thread of low priority keeps it for some milliseconds at a time, and threads
//! that send or receive lines wait. If the thread yields every few lines, it runs while the others
//! wait for the disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Lines between two yields, which take some 50 µs. The number doubles with each quarter of the
/// memtable that is full: the busier the others are, the longer each yield takes, and the flush
/// must keep up before they wait for it.
const LINES: u32 = 32;
const QUARTERS: usize = 4;

/// The server's own threads want the processor for no longer than this at once. A longer yield
/// means that other programs are busy.
const LONG: Duration = Duration::from_millis(5);

/// How long it doesn't yield then: the scheduler treats a yield as a used-up share, so a thread
/// that goes on yielding gets nothing done.
const PAUSE: Duration = Duration::from_secs(10);

/// Yields the processor, unless another thread waits for the work.
pub(super) struct Yielder<'a> {
    /// Threads that wait for the work; `None` if it never yields.
    wanted: Option<&'a AtomicUsize>,
    lines: u32,
    gives_way_after: u32,
    pauses_until: Option<Instant>,
}

impl<'a> Yielder<'a> {
    /// Yields while the count of waiting threads is zero.
    pub(super) fn new(wanted: &'a AtomicUsize) -> Self {
        Self { wanted: Some(wanted), lines: 0, gives_way_after: LINES, pauses_until: None }
    }

    /// Never yields: a thread waits for the work.
    pub(super) fn none() -> Self {
        Self { wanted: None, lines: 0, gives_way_after: LINES, pauses_until: None }
    }

    /// Whether there is time to yield.
    pub(super) fn has_time(&self) -> bool {
        self.wanted.is_some()
    }

    /// Sets the load, as a part of the capacity.
    pub(super) fn hurry(&mut self, waiting: usize, most: usize) {
        let quarters = (waiting * QUARTERS / most).min(QUARTERS);
        self.gives_way_after = LINES << quarters;
    }

    /// Counts a line. Returns whether it yielded.
    pub(super) fn line_done(&mut self) -> bool {
        let Some(wanted) = self.wanted else { return false };
        self.lines += 1;
        if self.lines < self.gives_way_after {
            return false;
        }
        self.lines = 0;
        if wanted.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let begun = Instant::now();
        if self.pauses_until.is_some_and(|until| begun < until) {
            return false;
        }
        std::thread::yield_now();
        self.took(begun, Instant::now());
        true
    }

    fn took(&mut self, begun: Instant, done: Instant) {
        self.pauses_until = (done - begun > LONG).then(|| done + PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times_given(yielder: &mut Yielder<'_>, lines: u32) -> usize {
        (0..lines).filter(|_| yielder.line_done()).count()
    }

    #[test]
    fn an_idle_flush_yields_every_few_lines_unless_a_thread_waits() {
        let wanted = AtomicUsize::new(0);
        let mut yielder = Yielder::new(&wanted);
        // Load from other programs is covered by another test.
        let mut given = 0;
        for _ in 0..10 {
            given += times_given(&mut yielder, LINES);
            yielder.pauses_until = None;
        }
        assert_eq!(given, 10);
        wanted.store(1, Ordering::Relaxed);
        assert_eq!(times_given(&mut yielder, 10 * LINES), 0);
        assert_eq!(times_given(&mut Yielder::none(), 10 * LINES), 0);
    }

    #[test]
    fn a_flush_under_load_yields_less_often() {
        let wanted = AtomicUsize::new(0);
        for (waiting, times) in [(0, 32), (24, 32), (25, 16), (50, 8), (75, 4), (100, 2), (110, 2)]
        {
            let mut yielder = Yielder::new(&wanted);
            yielder.hurry(waiting, 100);
            let mut given = 0;
            for _ in 0..32 * LINES {
                given += times_given(&mut yielder, 1);
                yielder.pauses_until = None;
            }
            assert_eq!(given, times, "{waiting} of 100 wait");
        }
    }

    #[test]
    fn after_a_long_yield_a_flush_pauses_yielding() {
        let wanted = AtomicUsize::new(0);
        let mut yielder = Yielder::new(&wanted);
        let begun = Instant::now();
        yielder.took(begun, begun + LONG);
        assert!(yielder.pauses_until.is_none());
        yielder.took(begun, begun + 2 * LONG);
        assert_eq!(yielder.pauses_until, Some(begun + 2 * LONG + PAUSE));
        assert_eq!(times_given(&mut yielder, 10 * LINES), 0);
    }
}
