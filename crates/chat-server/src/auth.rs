//! Who somebody is: passwords, tokens, and how fast they may be tried.
//!
//! This room knows nothing of accounts, of channels or of the store. What it is given it compares, and what it makes
//! is for others to keep.
//!
//! * [`service`]: answers those who sign in; implements [`crate::hub::ports::Authenticator`].
//! * [`password`]: hashing and verifying.
//! * [`pool`]: the threads that do it, so that nobody else waits.
//! * [`token`]: what a device signs in with instead of a password.
//! * [`login_throttle`]: how long to wait after wrong passwords.

pub mod login_throttle;
pub mod password;
pub mod pool;
mod service;
pub mod token;

pub use self::service::AuthService;
