//! The code of an invitation, which allows a registration on servers that require one.

use std::fmt;

use crate::limits::MAX_INVITE_CHARS;
use crate::secret::Secret;
use crate::text::clean;

/// One word, as secret as a password. Codes are compared exactly.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationCode(Secret);

impl InvitationCode {
    /// Parses a code as typed, without its prefix; `None` unless it has 1 to [`MAX_INVITE_CHARS`]
    /// characters, none of them a blank or a control character.
    pub fn new(raw: &str) -> Option<Self> {
        let fits = !raw.is_empty() && raw.chars().nth(MAX_INVITE_CHARS).is_none();
        let word = !raw.contains(char::is_whitespace) && clean(raw) == raw;
        (fits && word).then(|| Self(Secret::new(raw)))
    }

    /// The code.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invite(…)")
    }
}
