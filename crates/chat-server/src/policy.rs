//! May they? Pure predicates from a state to yes or a named refusal.
//!
//! This room reads nothing and changes nothing: whoever asks brings the facts.

pub(crate) mod account;
pub(crate) mod channel;
pub(crate) mod operator;
pub(crate) mod user;
