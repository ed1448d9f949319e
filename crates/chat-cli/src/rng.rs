//! Random numbers and clocks.

use std::io;
use std::time::Instant;

use jiff::Timestamp;

use crate::session::Now;

/// The source of the jitter that spreads reconnections.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Seeded by the operating system.
    pub(crate) fn from_os() -> io::Result<Self> {
        Ok(Self(getrandom::u64()?))
    }

    /// Both clocks, with new jitter.
    pub(crate) fn now(&self) -> Now {
        let (instant, time) = (Instant::now(), Timestamp::now());
        let [jitter, ..] = mixed(self.0 ^ time.as_microsecond().cast_unsigned()).to_ne_bytes();
        Now { instant, time, jitter }
    }
}

/// The finalizer of `SplitMix64`: every bit of the input changes every bit of the output.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The prefix of this run's `/once` keys. No other client may guess or repeat it.
pub(crate) fn seed() -> io::Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }
}
