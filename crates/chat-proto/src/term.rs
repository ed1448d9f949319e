//! How long a ban or a mute lasts.

use std::fmt;

use crate::time::Timestamp;

/// The end of a ban or a mute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// It lasts until it is lifted.
    Permanent,
    /// It ends by itself.
    Until(Timestamp),
}

/// Prints the end of a sentence: ` until 2026-11-22 07:44:05`, or nothing.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permanent => Ok(()),
            Self::Until(end) => write!(f, " until {}", end.date_and_time()),
        }
    }
}
