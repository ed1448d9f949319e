//! How long to wait before the next attempt.

use std::time::Duration;

/// Longest pause, before luck is added: half a minute is what a person waits without wondering.
const MAX_SECS: u64 = 30;

/// The pause before attempt number `attempt` (from 0): 1, 2, 4 … 30 s, and up to a quarter more by
/// `jitter`, so that the people of a server that comes back don't all knock at once.
pub(crate) fn backoff(attempt: u32, jitter: u8) -> Duration {
    let secs = 1_u64.checked_shl(attempt).map_or(MAX_SECS, |secs| secs.clamp(1, MAX_SECS));
    let base = Duration::from_secs(secs);
    base + base * u32::from(jitter) / (4 * u32::from(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_half_a_minute() {
        let secs: Vec<_> = (0..8).map(|attempt| backoff(attempt, 0).as_secs()).collect();
        assert_eq!(secs, [1, 2, 4, 8, 16, 30, 30, 30]);
        for attempt in [31, 63, 64, 1000, u32::MAX] {
            assert_eq!(backoff(attempt, 0).as_secs(), 30);
        }
    }

    #[test]
    fn luck_adds_a_quarter_at_most() {
        assert_eq!(backoff(2, u8::MAX), Duration::from_secs(5));
        assert!(backoff(2, 0) < backoff(2, 100) && backoff(2, 100) < backoff(2, u8::MAX));
    }
}
