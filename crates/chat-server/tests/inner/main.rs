//! The middle ring: the server's core over small pipes that split reads and writes, with a paused
//! clock that advances only when every task waits.

#![allow(
    clippy::expect_used,
    clippy::format_collect,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic and block"
)]

mod conversations;
mod deadlines;
mod lists;
mod regressions;
