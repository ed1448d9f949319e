//! What the operator and the service manager see.

pub mod log;
pub mod signals;
pub mod systemd;
