//! The outer ring: the real server, reached as people reach it.
//!
//! * [`transcripts`]: conversations of several people, played from files in both forms.
//! * [`old_faults`]: one test for each fault of the program that came before.
//! * [`regressions`]: one test for each fault that was found in this program.
//! * [`framing`]: bytes to lines, over the wire.
//! * [`resources`]: what one peer may cost the others, and deadlines.
//! * [`operation`]: flags, settings, signals, doors, the log.
//! * [`programs`]: the real `telnet` and `nc`.
//! * [`store`]: what was said outlives a restart, and is read and searched.
//! * [`kills`]: the server is killed under load, again and again, and loses nothing that it answered.
//! * [`disk`]: the disk is full, slow or broken.
//! * [`service`]: the systemd unit and its notifications.

#![allow(
    clippy::expect_used,
    clippy::format_collect,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by some and tells by others, and need not be fast"
)]

mod disk;
mod framing;
mod kills;
mod old_faults;
mod operation;
mod programs;
mod regressions;
mod resources;
mod service;
mod store;
mod tools;
mod transcripts;
