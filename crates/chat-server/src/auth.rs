//! Authentication: password hashing, tokens, and the login throttle.
//!
//! This module knows nothing of accounts, channels or the store, and stores nothing.
//!
//! * [`service`]: the service of one server; implements [`crate::hub::ports::Authenticator`].
//! * [`password`]: hashing and verification.
//! * [`pool`]: the threads that hash.
//! * [`token`]: tokens, which replace a password on a device.
//! * [`login_throttle`]: delays after wrong passwords.

pub mod login_throttle;
pub mod password;
pub mod pool;
mod service;
pub mod token;

pub use self::service::AuthService;
