//! The only place that changes what people share.

mod account;
mod decree;
mod line;
mod membership;
mod people;
mod running;

pub(crate) use line::Words;
pub(crate) use membership::{Leaving, Membership};
