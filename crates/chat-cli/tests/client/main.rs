//! The client as a process: against a scripted server, and against the real one.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of tests may panic"
)]

mod account;
mod devices;
mod gate;
mod kills;
mod pipe;
mod process;
mod send;
mod server;
mod store;
mod terminal;
