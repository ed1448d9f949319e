//! The delay before the next attempt to connect.

use std::time::Duration;

/// The longest delay, without the jitter.
const MAX_SECS: u64 = 30;

/// The delay before attempt number `attempt` (from 0): 1, 2, 4 … 30 s, plus up to a quarter by
/// `jitter`, so that the clients of a restarted server don't all reconnect at once.
pub(crate) fn backoff(attempt: u32, jitter: u8) -> Duration {
    let secs = 1_u64.checked_shl(attempt).map_or(MAX_SECS, |secs| secs.clamp(1, MAX_SECS));
    let base = Duration::from_secs(secs);
    base + base * u32::from(jitter) / (4 * u32::from(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_half_a_minute() {
        let secs: Vec<_> = (0..8).map(|attempt| backoff(attempt, 0).as_secs()).collect();
        assert_eq!(secs, [1, 2, 4, 8, 16, 30, 30, 30]);
        for attempt in [31, 63, 64, 1000, u32::MAX] {
            assert_eq!(backoff(attempt, 0).as_secs(), 30);
        }
    }

    #[test]
    fn jitter_adds_a_quarter_at_most() {
        assert_eq!(backoff(2, u8::MAX), Duration::from_secs(5));
        assert!(backoff(2, 0) < backoff(2, 100) && backoff(2, 100) < backoff(2, u8::MAX));
    }
}
