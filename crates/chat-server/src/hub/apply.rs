//! The only writer of the shared state.

mod account;
mod admin;
mod clients;
mod line;
mod membership;
mod moderation;

pub(crate) use line::NewMessage;
pub(crate) use membership::{LeavePosition, Membership};
