//! Texts, and what is measured in words.

use std::time::Duration;

use crate::stamp::{self, TEXT_BYTES};

/// Numbers that look like chance and are the same in every run (`SplitMix64`).
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
            // The square of a fraction: the first words are by far the most frequent.
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

/// Texts with a stamp, one after the other.
pub(crate) struct Texts {
    words: Vec<[u8; TEXT_BYTES]>,
    next: usize,
}

/// So many texts before they come again.
const TEXTS: usize = 64;

impl Texts {
    pub(crate) fn new() -> Self {
        let mut dice = BenchRng(5);
        let words = (0..TEXTS).map(|_| {
            let mut words = [b'x'; TEXT_BYTES];
            for (place, byte) in words.iter_mut().zip(dice.text().bytes()) {
                *place = byte;
            }
            // A blank at the end is no part of a text to everybody.
            words[TEXT_BYTES - 1] = b'.';
            words
        });
        Self { words: words.collect(), next: 0 }
    }

    /// The next, which is to be said so many nanoseconds after the beginning.
    pub(crate) fn next(&mut self, nanos: u64) -> [u8; TEXT_BYTES] {
        self.next = (self.next + 1) % self.words.len();
        stamp::write(nanos, &self.words[self.next])
    }
}

/// Times that were taken.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time below which this share of all lies, in milliseconds.
    pub(crate) fn millis(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }
}
