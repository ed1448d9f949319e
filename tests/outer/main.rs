//! The outer ring: the real server, reached as people reach it.
//!
//! * [`accounts`]: whose name it is, on several devices.
//! * [`asking`]: questions about history, filtered and in parts.
//! * [`transcripts`]: conversations of several people, played from files in both forms.
//! * [`old_faults`]: one test for each fault of the program that came before.
//! * [`regressions`]: one test for each fault that was found in this program.
//! * [`folding`]: what is the same word to a search, a filter, a ban and a mention.
//! * [`framing`]: bytes to lines, over the wire.
//! * [`resources`]: what one peer may cost the others, and deadlines.
//! * [`running`]: bans, mutes and settings hold at once, for their time, and over a kill.
//! * [`operation`]: flags, settings, signals, doors, the log.
//! * [`programs`]: the real `telnet` and `nc`.
//! * [`shell`]: what the pages tell people to type at a shell, typed.
//! * [`store`]: what was said outlives a restart, and is read and searched.
//! * [`kills`]: the server is killed under load, again and again, and loses nothing that it answered.
//! * [`damage`]: files of the store are damaged after a kill, and what is missing is reported.
//! * [`moved`]: files of the store are moved or removed under a running server.
//! * [`disk`]: the disk is full, slow or broken.
//! * [`clocks`]: the wall clock is wrong, or steps.
//! * [`operators`]: those who run the server, in the chat and at its shell.
//! * [`commit`]: in what order people see what is said.
//! * [`stress`]: many clients send random commands at once.
//! * [`model`]: whatever clients do at once, all that they are told agrees.
//! * [`process`]: the log when standard error takes nothing, and signals.
//! * [`service`]: the systemd unit and its notifications.

#![allow(
    clippy::expect_used,
    clippy::format_collect,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by some and tells by others, and need not be fast"
)]

mod accounts;
mod asking;
mod clocks;
mod damage;
mod disk;
mod folding;
mod framing;
mod kills;
mod last_words;
mod model;
mod moved;
mod old_faults;
mod operation;
mod operators;
mod order;
mod process;
mod programs;
mod regressions;
mod resources;
mod running;
mod service;
mod shares;
mod shell;
mod store;
mod stress;
mod tools;
mod transcripts;
