//! Holds the documents to the code, and the code to the rules of docs/architecture.md.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod documents;
mod names;
mod prose;
mod source;
mod tree;
mod walls;
