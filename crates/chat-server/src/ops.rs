//! Operations: log, signals, service manager, watchdog, memory.

pub(crate) mod heartbeat;
pub mod log;
pub mod signals;
pub mod systemd;
pub(crate) mod watchdog;
