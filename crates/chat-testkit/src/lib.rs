//! Unpublished: what the tests of the other crates share.
//!
//! * [`binary`]: where the built programs are.
//! * [`server`]: the real server as a child process on a free port.
//! * [`test_hub`]: the server's insides without a process or a socket, for a paused clock.
//! * [`client`]: one person at a connection, in either form.
//! * [`chopped`]: a stream that gives and takes only a few bytes at once.
//! * [`dice`]: random choices that are the same for the same seed.
//!
//! Nothing here waits for a time: everything waits for what is to happen, under a deadline that
//! fails loudly with all that was seen until then.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by the one and tells by the other"
)]

pub mod binary;
pub mod chopped;
pub mod client;
pub mod dice;
pub mod server;
pub mod test_hub;

pub use self::client::{ClientFormat, TestClient};
pub use self::dice::Dice;
pub use self::server::{ServerSetup, TestServer};
pub use self::test_hub::TestHub;
