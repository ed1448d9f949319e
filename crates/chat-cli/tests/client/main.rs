//! The client as a process, against a server that follows a script.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what helps a test may fail it"
)]

mod pipe;
mod process;
mod server;
mod terminal;
