//! The middle ring: the server's insides over pipes that hold little and are chopped, with a clock
//! that stands still until everybody waits.

#![allow(
    clippy::expect_used,
    clippy::format_collect,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by them, and need not be fast"
)]

mod conversations;
mod deadlines;
mod lists;
mod regressions;
