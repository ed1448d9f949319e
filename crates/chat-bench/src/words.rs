//! Generated texts, and percentiles of measured times.

use std::time::Duration;

use crate::stamp::{self, TEXT_BYTES};

/// A pseudorandom generator (`SplitMix64`), with the same numbers in every run.
pub(crate) struct BenchRng(pub(crate) u64);

impl BenchRng {
    /// A number below `most`.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most.max(1)
    }

    /// A text of 64 bytes: words of which a few are frequent and most are rare, as in a language.
    pub(crate) fn text(&mut self) -> String {
        let mut text = String::with_capacity(80);
        while text.len() < 64 {
            // The square of a uniform fraction: the first words are by far the most frequent.
            let fraction = self.below(10_000);
            let word = fraction * fraction / 10_000;
            text.push_str(SYLLABLES[usize::try_from(word % 16).unwrap_or(0)]);
            text.push_str(SYLLABLES[usize::try_from(word / 16 % 16).unwrap_or(0)]);
            text.push_str(SYLLABLES[usize::try_from(word / 256 % 16).unwrap_or(0)]);
            text.push(' ');
        }
        text.truncate(64);
        text
    }
}

const SYLLABLES: [&str; 16] = [
    "ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za",
];

/// A cycle of texts with a stamp.
pub(crate) struct Texts {
    words: Vec<[u8; TEXT_BYTES]>,
    next: usize,
}

/// The length of the cycle.
const TEXTS: usize = 64;

impl Texts {
    pub(crate) fn new() -> Self {
        let mut dice = BenchRng(5);
        let words = (0..TEXTS).map(|_| {
            let mut words = [b'x'; TEXT_BYTES];
            for (place, byte) in words.iter_mut().zip(dice.text().bytes()) {
                *place = byte;
            }
            // Some servers trim a blank at the end.
            words[TEXT_BYTES - 1] = b'.';
            words
        });
        Self { words: words.collect(), next: 0 }
    }

    /// The next text, with the stamp of a message that is due this many nanoseconds after the
    /// start.
    pub(crate) fn next(&mut self, nanos: u64) -> [u8; TEXT_BYTES] {
        self.next = (self.next + 1) % self.words.len();
        stamp::write(nanos, &self.words[self.next])
    }
}

/// Measured times.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// A percentile of the times, in milliseconds.
    pub(crate) fn millis(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }
}
