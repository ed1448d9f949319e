//! Why a name is refused.

use std::fmt;

/// Why a name is refused. Displayed as a sentence for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// More characters than a name may have.
    TooLong {
        /// The maximum.
        max: usize,
        /// The number of characters.
        was: usize,
    },
    /// It begins with something other than a letter or a digit.
    BadStart(char),
    /// It holds something other than letters, digits, `-`, `_` and `.`.
    BadChar(char),
    /// A user of this name could be taken for the server or its operators.
    Reserved,
    /// Each character is allowed, but not the combination.
    NotAllowed,
}

impl std::error::Error for NameError {}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "A name is missing; {RULE}."),
            Self::TooLong { max, was } => {
                write!(f, "A name may have at most {max} characters; this one has {was}.")
            }
            Self::BadStart(c) => write!(f, "A name cannot begin with {}; {RULE}.", Spelled(c)),
            Self::BadChar(c) => write!(f, "A name cannot hold {}; {RULE}.", Spelled(c)),
            Self::Reserved => f.write_str("This name is reserved; choose another one."),
            Self::NotAllowed => {
                f.write_str("These characters cannot stand together in a name; choose another one.")
            }
        }
    }
}

const RULE: &str = "it may hold letters, digits, - _ and ., beginning with a letter or digit";

/// Prints a character so that it is safe on a terminal.
struct Spelled(char);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a space"),
            c if c.is_ascii_graphic() => f.write_str(c.encode_utf8(&mut [0; 4])),
            c => write!(f, "U+{:04X}", u32::from(c)),
        }
    }
}
