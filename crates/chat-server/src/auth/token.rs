//! Tokens, which replace a password on a device.
//!
//! A token is 32 random bytes and can't be guessed, so a plain hash of it is as good as a slow one.
//! Only the hash is stored.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ctutils::CtEq as _;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use chat_proto::secret::Secret;

/// Bytes of a token.
const BYTES: usize = 32;

/// A token. Its memory is zeroed on drop, and its `Debug` reveals nothing.
pub struct Token([u8; BYTES]);

impl Token {
    /// Creates a token.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut token = Self([0; BYTES]);
        getrandom::fill(&mut token.0)?;
        Ok(token)
    }

    /// Parses a token as it was [`shown`](Self::shown). `None` if it is malformed.
    pub fn parse(shown: &str) -> Option<Self> {
        let mut token = Self([0; BYTES]);
        let bytes = Base64UrlUnpadded::decode(shown, &mut token.0).ok()?;
        (bytes.len() == BYTES).then_some(())?;
        Some(token)
    }

    /// Returns the token as 43 letters, digits, `-` and `_`.
    pub fn shown(&self) -> Secret {
        let mut buffer = Zeroizing::new([0; BYTES.div_ceil(3) * 4]);
        Secret::new(Base64UrlUnpadded::encode(&self.0, buffer.as_mut()).unwrap_or_default())
    }

    /// Returns the hash to store.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// Whether a hash is of this token, in constant time.
    pub fn is_of(&self, hash: &[u8; 32]) -> bool {
        self.hash().ct_eq(hash).to_bool()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_round_trips_and_matches_its_hash() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        let shown = one.shown();
        assert_eq!(shown.expose().len(), 43);
        assert!(!format!("{one:?} {shown:?}").contains(shown.expose()));
        let again = Token::parse(shown.expose()).unwrap();
        assert!(again.is_of(&one.hash()));
        assert!(!other.is_of(&one.hash()));
        assert_ne!(one.hash(), one.0, "the hash isn't the token");
        // SHA-256 of 32 zero bytes (FIPS 180-4).
        let zeros = Token([0; BYTES]).hash();
        assert_eq!(zeros[..4], [0x66, 0x68, 0x7a, 0xad]);
    }

    #[test]
    fn malformed_tokens_are_refused() {
        let shown = Token([0xff; BYTES]).shown().expose().to_owned();
        assert!(Token::parse(&shown).is_some() && shown.ends_with('8'));
        for wrong in ["", "abc", &shown[1..], &format!("{shown}A"), &shown.replace('8', "9")] {
            assert!(Token::parse(wrong).is_none(), "{wrong}");
        }
        assert!(Token::parse(&shown.replace('_', "/")).is_none(), "one spelling only");
    }
}
