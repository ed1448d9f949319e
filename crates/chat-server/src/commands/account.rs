//! Accounts: registering, signing in and out, passwords, erasure.

pub(super) mod forget;
pub(super) mod login;
pub(super) mod logout;
pub(super) mod password;
pub(super) mod register;
