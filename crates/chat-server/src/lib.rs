//! The chat daemon: people reach it with telnet, nc or chat-cli.
//!
//! A line travels from top to bottom and back, each room knowing only those below it:
//!
//! * [`app`]: the composition root; builds the rooms from a checked [`config`] and stops them.
//! * [`listen`]: accepts connections, and does nothing slow.
//! * [`admin`]: serves `chat-server admin`.
//! * [`conn`]: one task for each connection; the only code that reads or writes a client's bytes.
//! * [`dialect`]: what a peer speaks: encodings and the behaviour that depends on them.
//! * [`session`]: one person's state machine; synchronous.
//! * [`commands`]: one file for each command.
//! * [`client_state`]: what commands read of one client: name, conversations, ignored users.
//! * [`inbox`]: the sources that one client reads, merged in order.
//! * [`policy`]: may they? pure predicates.
//! * [`hub`]: who is here, the channels, the private chats; synchronous.
//! * [`commit`]: gives each line its place in its conversation, and makes it durable.
//! * [`history`]: answers questions about stored messages.
//! * [`store`]: what is kept, in one SQLite file.
//! * [`auth`]: passwords and tokens.
//! * [`tools`]: what an operator does with the data from the shell.
//! * [`ops`]: the log and the service manager.
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
