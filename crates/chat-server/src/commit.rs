//! Where a line gets its place in its conversation and becomes durable.
//!
//! * [`local`]: one server, which keeps its lines itself; implements
//!   [`crate::hub::ports::CommitLog`].
//! * [`committer`]: how a batch of drafts is carried out.
//! * [`account`]: what becomes of accounts, as the store keeps it.
//! * [`admin`]: what operators of the server decide, as the store keeps it.
//! * [`moderation`]: how channels are run, to the store and back.
//! * [`conversation_index`]: every conversation, with its number in the store and its last id.
//! * [`retention`]: which lines are kept no more.
//! * [`turns`]: in which order waiting work has its turn.

mod account;
mod admin;
mod committer;
mod conversation_index;
#[cfg(any(test, feature = "test_support"))]
pub mod inline;
pub mod local;
mod moderation;
mod recovery;
pub mod retention;
mod turns;
