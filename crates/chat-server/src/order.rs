//! Where a line gets its place in its conversation and becomes durable.
//!
//! * [`local`]: one server, which keeps its lines itself; implements [`crate::hub::ports::Order`].
//! * [`desk`]: how a batch of drafts is carried out.
//! * [`account`]: what becomes of accounts, as the store keeps it.
//! * [`operator`]: what operators of the server decide, as the store keeps it.
//! * [`running`]: how channels are run, to the store and back.
//! * [`register`]: every conversation, with its number in the store and its last id.
//! * [`retention`]: which lines are kept no more.

mod account;
mod desk;
pub mod local;
mod operator;
mod register;
pub mod retention;
mod running;
