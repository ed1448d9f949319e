//! Permissions: pure predicates from facts to yes or a refusal.
//!
//! Policies read and change nothing; the caller passes the facts.

pub(crate) mod account;
pub(crate) mod channel;
pub(crate) mod operator;
pub(crate) mod user;
