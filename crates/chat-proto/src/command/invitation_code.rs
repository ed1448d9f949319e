//! The code of an invitation, which lets somebody register where not everybody may.

use std::fmt;

use crate::limits::MAX_INVITE_CHARS;
use crate::secret::Secret;
use crate::text::clean;

/// One word that somebody was given; it is as secret as a password. Two are the same only if they
/// are so letter for letter.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationCode(Secret);

impl InvitationCode {
    /// Checks a code as it was typed, without its sign; `None` unless it is 1 to
    /// [`MAX_INVITE_CHARS`] characters, none of them a blank or a control character.
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
