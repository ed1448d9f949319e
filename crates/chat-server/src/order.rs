//! Where a line gets its place in its conversation and becomes durable.
//!
//! * [`local`]: one server, which keeps its lines itself; implements [`crate::hub::ports::Order`].
//! * [`desk`]: how a batch of drafts is carried out.
//! * [`register`]: every conversation, with its number in the store and its last id.
//! * [`retention`]: which lines are kept no more.

mod desk;
pub mod local;
mod register;
pub mod retention;
