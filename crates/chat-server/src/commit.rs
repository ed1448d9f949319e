//! The commit log: one order for proposals, durable before they are applied.
//!
//! * [`local`]: the log of a single server; implements [`crate::hub::ports::CommitLog`].
//! * [`submission`]: how the committer treats a submission.
//! * [`committer`]: commits a batch of submissions; [`plan`]: its items, and the plan for each;
//!   [`progress`]: how far it is, for the watchdog.
//! * [`proposal`]: the write operations of a proposal.
//! * [`change`]: those of a change without a reply.
//! * [`account`]: changes of accounts, to the store and back.
//! * [`admin`]: commands of server operators, to the store and back.
//! * [`moderation`]: channel moderation, to the store and back.
//! * [`conversation_index`]: every conversation, with its number in the store and its last id.
//! * [`recovery`]: reads the state at start.
//! * [`retention`]: deletes expired messages.
//! * [`turns`]: the order of waiting work.

mod account;
mod admin;
mod change;
pub(crate) mod committer;
mod conversation_index;
pub mod local;
mod moderation;
mod plan;
mod progress;
mod proposal;
mod recovery;
pub mod retention;
mod submission;
mod turns;
