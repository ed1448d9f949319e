//! Passwords and tokens: never shown, and zeroed when they are dropped.

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::limits::{MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};
use crate::text::clean;

/// The prefix of a token in the place of a password, in any case: `/login alice token:…`.
pub const TOKEN_SIGN: &str = "token:";

/// The prefix of an invitation code, in any case: `/register invite:CODE`.
pub const INVITE_SIGN: &str = "invite:";

/// The factor by which NFC can lengthen a text in UTF-8.
const MOST_BY_NFC: usize = 3;

/// A password or a token. Its memory is zeroed when it is dropped, and its `Debug` hides it.
///
/// Only the memory of this type is zeroed; types that hold a line zero their own. Comparison is not
/// constant-time, so secrets are verified by their hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret from a text as it is, such as a new token.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// A password as typed, normalised so that it is the same from every keyboard: it is [`clean`]
    /// and trimmed, each blank is a space, and its letters are in Unicode's NFC, as in the
    /// `OpaqueString` profile of RFC 8265. `None` if nothing is left.
    pub fn typed(raw: &str) -> Option<Self> {
        let cleaned = match clean(raw) {
            Cow::Borrowed(cleaned) => Err(cleaned),
            Cow::Owned(cleaned) => Ok(Zeroizing::new(cleaned)),
        };
        let trimmed =
            cleaned.as_ref().map_or_else(|cleaned| *cleaned, |cleaned| cleaned.as_str()).trim();
        if trimmed.is_empty() {
            return None;
        }
        // Allocated at full capacity, because a growing string leaves unzeroed copies behind.
        let mut text = Zeroizing::new(String::with_capacity(trimmed.len() * MOST_BY_NFC));
        text.extend(trimmed.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).nfc());
        Some(Self(text))
    }

    /// The text of the secret.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The number of characters.
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The credential of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The password of the account.
    Password(Secret),
    /// The token that an earlier `/login` returned, without its [`TOKEN_SIGN`].
    Token(Secret),
}

impl Credential {
    /// Parses a credential as typed: a token if it begins with [`TOKEN_SIGN`], else a password;
    /// `None` if it is blank.
    pub fn typed(raw: &str) -> Option<Self> {
        let secret = Secret::typed(raw)?;
        Some(match without_sign(secret.expose(), TOKEN_SIGN) {
            Some(token) => Self::Token(Secret::new(token)),
            None => Self::Password(secret),
        })
    }
}

/// The text without its prefix, if it has it in any case.
pub(crate) fn without_sign<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(sign.len())?;
    head.eq_ignore_ascii_case(sign).then_some(rest)
}

/// Why a text is not acceptable as a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordError {
    /// It has fewer than [`MIN_PASSWORD_CHARS`] characters.
    TooShort {
        /// The number of its characters.
        was: usize,
    },
    /// It has more than [`MAX_PASSWORD_CHARS`] characters.
    TooLong {
        /// The excess characters.
        over: usize,
    },
    /// It begins with a prefix that has another meaning in the place of a password.
    Sign(&'static str),
}

/// Checks that a text, normalised by [`Secret::typed`], is acceptable as a password.
pub fn check_password(password: &str) -> Result<(), PasswordError> {
    let was = password.chars().count();
    if was < MIN_PASSWORD_CHARS {
        return Err(PasswordError::TooShort { was });
    }
    if was > MAX_PASSWORD_CHARS {
        return Err(PasswordError::TooLong { over: was - MAX_PASSWORD_CHARS });
    }
    let signs = [TOKEN_SIGN, INVITE_SIGN];
    match signs.into_iter().find(|sign| without_sign(password, sign).is_some()) {
        Some(sign) => Err(PasswordError::Sign(sign)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_same_however_it_is_typed() {
        for (typed, password) in [
            ("hunter2", "hunter2"),
            ("  a b  c ", "a b  c"),
            ("a\u{a0}b\u{3000}c", "a b c"),
            ("a\tb\u{7f}\u{202e}", "a b"),
            ("e\u{301}", "é"),
            ("Straße", "Straße"),
        ] {
            let secret = Secret::typed(typed).unwrap();
            assert_eq!(secret.expose(), password);
            assert_eq!(Secret::typed(secret.expose()), Some(secret), "{typed:?}");
        }
        for blank in ["", "  ", "\u{3000}\t", "\u{1b}"] {
            assert_eq!(Secret::typed(blank), None, "{blank:?}");
        }
    }

    #[test]
    fn a_password_is_not_reallocated() {
        // NFC triples the length of this character, the maximum in Unicode.
        let raw = "\u{1d160}".repeat(1000);
        let secret = Secret::typed(&raw).unwrap();
        assert_eq!(secret.expose().len(), raw.len() * MOST_BY_NFC);
        assert_eq!(secret.0.capacity(), raw.len() * MOST_BY_NFC);
    }

    #[test]
    fn debug_hides_a_secret() {
        let credential = Credential::typed("hunter2").unwrap();
        assert_eq!(format!("{credential:?}"), "Password(Secret(…))");
        assert_eq!(format!("{:?}", Credential::typed("TOKEN:abc")), "Some(Token(Secret(…)))");
    }

    #[test]
    fn a_token_is_recognized_by_its_prefix() {
        let token = |text| Some(Credential::Token(Secret::new(text)));
        assert_eq!(Credential::typed("token:ab-c_d"), token("ab-c_d"));
        assert_eq!(Credential::typed(" Token:ab "), token("ab"));
        // The Kelvin sign is a letter K to Unicode.
        assert_eq!(Credential::typed("to\u{212a}en:ab"), token("ab"));
        assert_eq!(Credential::typed("token:"), token(""));
        let password = |text| Some(Credential::Password(Secret::new(text)));
        assert_eq!(Credential::typed("token abc"), password("token abc"));
        assert_eq!(Credential::typed("tokené:"), password("tokené:"));
        assert_eq!(Credential::typed(" "), None);
    }

    #[test]
    fn acceptable_passwords_are_accepted() {
        assert_eq!(check_password("a b c d "), Ok(()));
        assert_eq!(check_password("éééééééé"), Ok(()));
        assert_eq!(check_password(&"€".repeat(200)), Ok(()));
        assert_eq!(check_password("ééééééé"), Err(PasswordError::TooShort { was: 7 }));
        assert_eq!(check_password(&"x".repeat(203)), Err(PasswordError::TooLong { over: 3 }));
        assert_eq!(check_password("Token:abcdef"), Err(PasswordError::Sign("token:")));
        assert_eq!(check_password("invite:abcdef"), Err(PasswordError::Sign("invite:")));
    }
}
