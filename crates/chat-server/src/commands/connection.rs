//! The connection itself: help, format, ping, quit.

pub(super) mod format;
pub(crate) mod help;
pub(super) mod info;
pub(super) mod ping;
pub(super) mod quit;
