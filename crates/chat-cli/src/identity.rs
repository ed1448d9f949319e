//! The client's identity on the server: a name and its credentials.

use std::collections::VecDeque;

use crate::proto::{Secret, TOKEN_SIGN};

/// A credential for a name.
#[derive(Clone, Debug)]
pub(crate) enum SignInCredential {
    /// Issued by the server; without the prefix.
    Token {
        secret: Secret,
        /// The token comes from the token store, and is removed from it once the server rejects it.
        kept: bool,
    },
    Password(Secret),
}

impl SignInCredential {
    /// A token from user input, with or without its prefix.
    pub(crate) fn token(written: &str) -> Self {
        let secret = Secret::new(written.strip_prefix(TOKEN_SIGN).unwrap_or(written));
        Self::Token { secret, kept: false }
    }

    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Token { kept: true, .. })
    }

    pub(crate) fn is_token(&self) -> bool {
        matches!(self, Self::Token { .. })
    }
}

/// A name and the credentials to try for it, best first.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    name: String,
    credentials: VecDeque<SignInCredential>,
}

impl Identity {
    pub(crate) fn new(name: &str, credentials: impl IntoIterator<Item = SignInCredential>) -> Self {
        Self { name: name.to_owned(), credentials: credentials.into_iter().collect() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same credentials under another name, which the server has accepted.
    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// The credential in use.
    pub(crate) fn credential(&self) -> Option<&SignInCredential> {
        self.credentials.front()
    }

    /// The line for the server: it signs in, or takes the name if there is no credential.
    pub(crate) fn line(&self) -> String {
        match self.credentials.front() {
            Some(SignInCredential::Token { secret, .. }) => {
                format!("/login {} {TOKEN_SIGN}{}", self.name, secret.expose())
            }
            Some(SignInCredential::Password(secret)) => {
                format!("/login {} {}", self.name, secret.expose())
            }
            None => format!("/name {}", self.name),
        }
    }

    /// Drops the credential in use, which is wrong. Returns it, and whether another is left.
    pub(crate) fn next(&mut self) -> (Option<SignInCredential>, bool) {
        let wrong = self.credentials.pop_front();
        (wrong, !self.credentials.is_empty())
    }

    /// Replaces the credentials with a token that the server has issued.
    pub(crate) fn set_token(&mut self, token: Secret) {
        self.credentials.clear();
        self.credentials.push_back(SignInCredential::Token { secret: token, kept: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_tried_in_order() {
        let password = SignInCredential::Password(Secret::new("open sesame"));
        let mut identity = Identity::new("alice", [SignInCredential::token("token:abc"), password]);
        assert_eq!(identity.line(), "/login alice token:abc");
        let (wrong, more) = identity.next();
        assert!(wrong.is_some_and(|wrong| wrong.is_token() && !wrong.is_kept()) && more);
        assert_eq!(identity.line(), "/login alice open sesame");
        assert!(!identity.next().1);
        assert_eq!(identity.line(), "/name alice");
        identity.set_token(Secret::new("xyz"));
        identity.rename("al");
        assert_eq!(identity.line(), "/login al token:xyz");
        assert!(!format!("{identity:?}").contains("xyz"), "no log shows it");
    }
}
