//! The chat daemon, for telnet, nc and chat-cli.
//!
//! A line passes these modules from top to bottom and back; each one uses only those below it:
//!
//! * [`app`]: the composition root; builds the modules from a checked [`config`] and stops them.
//! * [`listen`]: the accept loop; does nothing slow.
//! * [`admin`]: serves `chat-server admin`.
//! * [`conn`]: one task for each connection; the only code that reads or writes a client's bytes.
//! * [`session`]: the state machine of one client; synchronous.
//! * [`commands`]: one file for each command.
//! * [`policy`]: permissions: pure predicates.
//! * [`inbox`]: the event sources of one client, merged in order.
//! * [`client_state`]: what commands read of one client: name, conversations, ignored users.
//! * [`dialect`]: what a peer speaks: encodings and the behaviour that depends on them.
//! * [`hub`]: the shared state: clients, channels, private chats; synchronous.
//! * [`commit`]: orders proposals and makes them durable.
//! * [`history`]: answers queries about stored messages.
//! * [`store`]: the database, one SQLite file.
//! * [`auth`]: passwords and tokens.
//! * [`tools`]: the operator's commands at the shell.
//! * [`ops`]: log, signals, service manager.
//! * [`util`]: locks, work queues, network prefixes, clocks.

mod admin;
pub mod app;
pub mod auth;
pub mod cli;
mod client_state;
mod commands;
pub mod config;
pub mod conn;
mod dialect;
pub mod history;
pub mod hub;
mod inbox;
pub mod listen;
pub mod ops;

pub mod commit;
mod policy;
mod session;
pub mod store;
#[cfg(any(test, feature = "test_support"))]
pub mod test_support;
pub mod tools;
mod util;
