//! The idempotency key of a message.

use std::fmt;
use std::sync::Arc;

use crate::limits::MAX_KEY_CHARS;
use crate::text::clean;

/// One word that the client chooses: a message with a key that was used before isn't sent again.
/// Cheap to clone.
///
/// Keys are compared exactly.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnceKey(Arc<str>);

impl OnceKey {
    /// Parses a key as typed; `None` unless it has 1 to [`MAX_KEY_CHARS`] characters, none of them
    /// a blank or a control character.
    pub fn new(raw: &str) -> Option<Self> {
        let fits = !raw.is_empty() && raw.chars().nth(MAX_KEY_CHARS).is_none();
        let word = !raw.contains(char::is_whitespace) && clean(raw) == raw;
        (fits && word).then(|| Self(raw.into()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OnceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for OnceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_word_of_bounded_length() {
        let longest = "é".repeat(MAX_KEY_CHARS);
        for good in ["7f3a", "#", longest.as_str()] {
            assert_eq!(OnceKey::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\u{3000}b", "a\tb", "a\u{202e}b", &format!("{longest}x")] {
            assert_eq!(OnceKey::new(bad), None, "{bad:?}");
        }
    }
}
