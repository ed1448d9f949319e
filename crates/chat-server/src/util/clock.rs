//! The clocks. `conn`, `listen`, `admin` and `app` read them and pass the time on as a value; [`end_of`] reads them too, when
//! a term is made or loaded.
//!
//! What a server measures by is [`steady_clock`]: it shows the wall clock's time at the start of the process and goes on
//! with `CLOCK_BOOTTIME`, which nobody sets and which counts while the machine is suspended. So a wall clock that is set
//! neither ends nor prolongs anything. What is stored of a moment, and shown of it, is the wall clock's time,
//! [`on_the_wall`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chat_proto::time::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// By how many milliseconds the steady clock is ahead of `CLOCK_BOOTTIME`.
static START: OnceLock<i64> = OnceLock::new();

/// By how many milliseconds the wall clock is ahead of the steady one, when they were last read.
static SHIFT: AtomicI64 = AtomicI64::new(0);

/// The two clocks are read one after the other, and a wall clock that is set differs by more than that takes.
const NOISE_MILLIS: i64 = 100;

/// The moment by which everything is measured, in milliseconds like the wall clock's.
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

/// What the wall clock shows at a moment of the steady clock.
pub(crate) fn on_the_wall(moment: Timestamp) -> Timestamp {
    Timestamp(moment.0.saturating_add(shift()))
}

/// By how many milliseconds the wall clock was set since the start.
pub(crate) fn shift() -> i64 {
    SHIFT.load(Ordering::Relaxed)
}

/// When something ends, by the steady clock, that was made to last from one time of the wall clock to another. It lasts
/// no longer than that, also when it is loaded by a wall clock that was set back meanwhile.
pub(crate) fn end_of(made: Timestamp, end: Timestamp) -> Timestamp {
    let lasts = end.0.saturating_sub(made.0);
    let end = end.0.saturating_sub(shift());
    Timestamp(end.min(steady_clock().0.saturating_add(lasts)))
}

/// What the wall clock shows, for what outlives the process.
pub(crate) fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

fn since_boot() -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    tv_sec.saturating_mul(1000).saturating_add(tv_nsec / 1_000_000)
}
