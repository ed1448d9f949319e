//! Reproducible random choices from a seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// splitmix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent generator of the same seed, for one of many.
    #[must_use]
    pub fn of(seed: u64, one: u64) -> Self {
        Self(seed ^ one.wrapping_mul(0x1234_5678_9abc_def1))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which isn't 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// An index below `end`, which isn't 0.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }

    /// One of these, of which there is at least one.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }
}

/// The number in this environment variable, if it is set.
///
/// # Panics
///
/// If it isn't a number.
pub fn number_in(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

/// The seed in this environment variable, else a new one.
pub fn seed_in(variable: &str) -> u64 {
    number_in(variable).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Short enough to type, and different each time.
        u64::from(now.subsec_nanos()) ^ now.as_secs()
    })
}
