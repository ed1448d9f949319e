//! Who somebody is: passwords, tokens, and how fast they may be tried.
//!
//! This room knows nothing of accounts, of channels or of the store. What it is given it compares, and what it makes
//! is for others to keep.
//!
//! * [`keeper`]: answers those who sign in; implements [`crate::hub::ports::Vault`].
//! * [`password`]: hashing and verifying.
//! * [`pool`]: the threads that do it, so that nobody else waits.
//! * [`token`]: what a device signs in with instead of a password.
//! * [`slowdown`]: how long to wait after wrong passwords.

mod keeper;
pub mod password;
pub mod pool;
pub mod slowdown;
pub mod token;

pub use self::keeper::Keeper;
