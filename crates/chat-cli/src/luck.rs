//! Numbers that nobody can foretell, and what time it is.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Instant;

use jiff::Timestamp;

use crate::session::Now;

/// Where the numbers come from: the standard library asks the system for one.
#[derive(Debug, Default)]
pub(crate) struct Luck(RandomState);

impl Luck {
    /// When it is, with a new number.
    pub(crate) fn now(&self) -> Now {
        let (instant, time) = (Instant::now(), Timestamp::now());
        // Enough for spreading people out, and no need for a crate.
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(time.as_nanosecond().unsigned_abs());
        let [luck, ..] = hasher.finish().to_ne_bytes();
        Now { instant, time, luck }
    }
}

/// A number that no other client has.
pub(crate) fn seed() -> u128 {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    half() << 64 | half()
}
