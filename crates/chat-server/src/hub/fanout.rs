//! Events on their way to several clients.
//!
//! * [`delivery`]: an event, or a run of lines, encoded once for each format.
//! * [`sequence`]: the order in which events happened.
//! * [`wake_batch`]: the wakes of a whole batch at once.

pub(crate) mod delivery;
pub(crate) mod ready_set;
pub(crate) mod sequence;
pub(in crate::hub) mod wake_batch;
