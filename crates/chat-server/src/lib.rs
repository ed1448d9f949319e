//! The chat daemon: people reach it with telnet, nc or chat-cli.
//!
//! A line travels from top to bottom and back, each room knowing only those below it:
//!
//! * [`app`]: the composition root; builds the rooms from a checked [`config`] and stops them.
//! * [`listen`]: accepts connections, and does nothing slow.
//! * [`admin`]: serves `chat-server admin`.
//! * [`alive`]: tells the service manager that the server is alive.
//! * [`conn`]: one task for each connection; the only code that reads or writes a client's bytes.
//! * [`session`]: one person's state machine; synchronous.
//! * [`handlers`]: one file for each command.
//! * [`policy`]: may they? pure predicates.
//! * [`hub`]: who is here, the channels, the private chats; synchronous.
//! * [`order`]: gives each line its place in its conversation, and makes it durable.
//! * [`archive`]: answers questions about the past.
//! * [`store`]: what is kept, in one SQLite file.
//! * [`vault`]: passwords and tokens.
//! * [`tools`]: what an operator does with the data from the shell.
//! * [`backlog`]: work that waits for a thread of its own.
//! * [`fair`]: the same, served in turns by address and connection.
//! * [`household`]: which addresses belong to the same people.
//! * [`ops`]: the log and the service manager.
//! * [`util`]: locks with a rank.

mod admin;
mod alive;
pub mod app;
pub mod archive;
mod backlog;
pub mod cli;
mod clock;
pub mod config;
pub mod conn;
mod fair;
mod handlers;
mod household;
pub mod hub;
pub mod listen;
pub mod ops;

pub mod order;
mod policy;
mod session;
pub mod store;
pub mod tools;
mod util;
pub mod vault;
