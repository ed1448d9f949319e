//! The only place that changes what people share.

mod line;
mod membership;
mod people;

pub(crate) use line::Words;
pub(crate) use membership::{Leaving, Membership};
