//! Who one is to the server: a name, and what proves that it is one's own.

use std::collections::VecDeque;

use crate::proto::{Secret, TOKEN_SIGN};

/// What proves that a name is one's own.
#[derive(Clone, Debug)]
pub(crate) enum SignInCredential {
    /// Given by the server, without the sign in front.
    Token {
        secret: Secret,
        /// It was read from the kept ones, and goes from there once it is dead.
        kept: bool,
    },
    Password(Secret),
}

impl SignInCredential {
    /// A token as somebody wrote it down, with or without its sign.
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

/// A name, and the credentials to try with it, the best first.
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

    /// The same credentials under another name, which the server has agreed to.
    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// What is tried now.
    pub(crate) fn credential(&self) -> Option<&SignInCredential> {
        self.credentials.front()
    }

    /// The line for the server: it signs in, or takes the name if there is nothing to sign in with.
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

    /// The credential that was tried is wrong: it goes. Gives it, and whether there is another.
    pub(crate) fn next(&mut self) -> (Option<SignInCredential>, bool) {
        let wrong = self.credentials.pop_front();
        (wrong, !self.credentials.is_empty())
    }

    /// The server has given a token: it is all that is needed from now on.
    pub(crate) fn set_token(&mut self, token: Secret) {
        self.credentials.clear();
        self.credentials.push_back(SignInCredential::Token { secret: token, kept: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signs_in() {
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
