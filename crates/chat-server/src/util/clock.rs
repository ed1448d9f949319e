//! The clocks. `conn`, `listen`, `admin` and `app` read them and pass the time on as a value.
//! [`end_of`] reads them too, when a term is created or loaded.
//!
//! The server measures time by [`steady_clock`]: it starts with the wall clock's time at the start
//! of the process and continues with `CLOCK_BOOTTIME`, which can't be set and which counts while
//! the machine is suspended. So setting the wall clock neither ends nor prolongs anything. Stored
//! and displayed times are the wall clock's, [`on_the_wall`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chat_proto::time::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds by which the steady clock is ahead of `CLOCK_BOOTTIME`.
static START: OnceLock<i64> = OnceLock::new();

/// Milliseconds by which the wall clock was ahead of the steady one when they were last read.
static SHIFT: AtomicI64 = AtomicI64::new(0);

/// Tolerance for reading the two clocks one after the other. Setting the wall clock makes a larger
/// difference.
const NOISE_MILLIS: i64 = 100;

/// Returns the time of the steady clock, in milliseconds like the wall clock's.
pub(crate) fn steady_clock() -> Timestamp {
    let since_boot = since_boot();
    let wall = wall_clock().0;
    let now = START.get_or_init(|| wall.saturating_sub(since_boot)).saturating_add(since_boot);
    let shift = wall.saturating_sub(now);
    if shift.abs_diff(SHIFT.load(Ordering::Relaxed)) > NOISE_MILLIS.unsigned_abs() {
        SHIFT.store(if shift.abs() > NOISE_MILLIS { shift } else { 0 }, Ordering::Relaxed);
    }
    Timestamp(now)
}

/// Converts a time of the steady clock to the wall clock.
pub(crate) fn on_the_wall(moment: Timestamp) -> Timestamp {
    Timestamp(moment.0.saturating_add(shift()))
}

/// Returns the milliseconds by which the wall clock was set since the start.
pub(crate) fn shift() -> i64 {
    SHIFT.load(Ordering::Relaxed)
}

/// Returns the end, on the steady clock, of a term between two times of the wall clock. The term
/// isn't prolonged if the wall clock was set back before it was loaded.
pub(crate) fn end_of(made: Timestamp, end: Timestamp) -> Timestamp {
    let lasts = end.0.saturating_sub(made.0);
    let end = end.0.saturating_sub(shift());
    Timestamp(end.min(steady_clock().0.saturating_add(lasts)))
}

/// Returns the time of the wall clock, for data that outlives the process.
pub(crate) fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

fn since_boot() -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    tv_sec.saturating_mul(1000).saturating_add(tv_nsec / 1_000_000)
}
