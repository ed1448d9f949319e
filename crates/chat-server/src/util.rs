//! Small things that every module may use, and that use none.

pub(crate) mod input;
pub(crate) mod spares;
pub(crate) mod sync;
