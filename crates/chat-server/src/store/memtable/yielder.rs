//! How work that has time lets others have the processor.
//!
//! Where there is one processor, what has a low priority still keeps it for some milliseconds once it has it, and whoever
//! is waiting for lines waits so long. If it gives way every few lines it works while the others wait for the disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// It gives way after so many lines, which take some 50 µs, and with each quarter of what may wait after twice as many:
/// the busier the others are the longer they take each time, and it is to keep up with them before they wait for it.
const LINES: u32 = 32;
const QUARTERS: usize = 4;

/// The server itself wants the processor for no longer than this at once; when it takes longer, other programs keep it
/// busy.
const LONG: Duration = Duration::from_millis(5);

/// For so long it doesn't give way then: a scheduler takes that for having had one's share, so who goes on with it comes
/// to nothing.
const PAUSE: Duration = Duration::from_secs(10);

/// Lets others have the processor, unless they wait for what this work holds.
pub(super) struct Yielder<'a> {
    /// How many wait for it; none is asked by who has no time to give.
    wanted: Option<&'a AtomicUsize>,
    lines: u32,
    gives_way_after: u32,
    pauses_until: Option<Instant>,
}

impl<'a> Yielder<'a> {
    /// Gives way as long as nobody wants what is counted here.
    pub(super) fn new(wanted: &'a AtomicUsize) -> Self {
        Self { wanted: Some(wanted), lines: 0, gives_way_after: LINES, pauses_until: None }
    }

    /// Gives way to nobody: somebody waits for the work.
    pub(super) fn none() -> Self {
        Self { wanted: None, lines: 0, gives_way_after: LINES, pauses_until: None }
    }

    /// Whether there is time to give.
    pub(super) fn has_time(&self) -> bool {
        self.wanted.is_some()
    }

    /// So much waits to be done, of what may wait at most.
    pub(super) fn hurry(&mut self, waiting: usize, most: usize) {
        let quarters = (waiting * QUARTERS / most).min(QUARTERS);
        self.gives_way_after = LINES << quarters;
    }

    /// A line is done. Tells whether others were let in.
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
    fn who_has_time_gives_way_every_few_lines_unless_somebody_waits_for_them() {
        let wanted = AtomicUsize::new(0);
        let mut yielder = Yielder::new(&wanted);
        // That this machine is busy otherwise is another test's.
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
    fn who_falls_behind_gives_way_less_often() {
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
    fn who_is_kept_waiting_gives_way_no_more_for_a_while() {
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
