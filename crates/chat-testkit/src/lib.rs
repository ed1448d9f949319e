//! Unpublished: utilities shared by the tests of the other crates.
//!
//! * [`binary`]: paths of the built programs.
//! * [`server`]: the real server as a child process on a free port.
//! * [`test_hub`]: the server's hub without a process or a socket, for a paused clock.
//! * [`client`]: a client connection, in either format.
//! * [`chopped`]: a stream that reads and writes only a few bytes at once.
//! * [`dice`]: reproducible random choices from a seed.
//!
//! Nothing here sleeps: every wait is for an event, with a deadline that fails the test and shows
//! everything seen until then.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic and print"
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
