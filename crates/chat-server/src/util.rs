//! Small things that every module may use, and that use none.

pub(crate) mod sync;
