//! The outer ring: the real server, reached by sockets, programs and signals.
//!
//! * [`accounts`]: accounts on several devices.
//! * [`asking`]: history queries, filtered and in pages.
//! * [`transcripts`]: conversations of several users, played from files in both formats.
//! * [`old_faults`]: one test for each fault of the program's predecessor.
//! * [`regressions`]: one test for each fault that was found in this program.
//! * [`folding`]: case folding in search, filters, bans and mentions.
//! * [`framing`]: bytes to lines, over the wire.
//! * [`last_words`]: lines received before a peer is gone.
//! * [`resources`]: the cost of one peer for others, and deadlines.
//! * [`running`]: bans, mutes and settings, their duration, and a kill.
//! * [`operation`]: flags, settings, signals, listeners, the log.
//! * [`picture`]: the picture of the README, drawn from a real session.
//! * [`programs`]: the real `telnet` and `nc`.
//! * [`shares`]: the shares of one account or address.
//! * [`shell`]: shell commands of the pages.
//! * [`store`]: messages after a restart, history and search.
//! * [`kills`]: the server is killed under load, again and again, and loses no answered message.
//! * [`damage`]: files of the store are damaged after a kill, and losses are reported.
//! * [`moved`]: files of the store are moved or removed under a running server.
//! * [`disk`]: the disk is full, slow or broken.
//! * [`clocks`]: the wall clock is wrong, or steps.
//! * [`operators`]: server operators, in the chat and at the shell.
//! * [`order`]: the order of events.
//! * [`stress`]: many clients send random commands at once.
//! * [`model`]: the events of all clients agree, whatever they do at once.
//! * [`process`]: an unread log, and signals.
//! * [`service`]: the systemd unit and its notifications.
//! * [`tools`]: backup, check, export, import and restore.

#![allow(
    clippy::expect_used,
    clippy::format_collect,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, print and block"
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
mod picture;
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
