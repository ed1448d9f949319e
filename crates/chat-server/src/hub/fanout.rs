//! Fan-out of events to clients.
//!
//! * [`delivery`]: an event, or a run of messages, encoded once for each format.
//! * [`ready_set`]: marks what waits for a client, and wakes its task.
//! * [`sequence`]: the order of events.
//! * [`wake_batch`]: the wakes of a whole batch at once.

pub(crate) mod delivery;
pub(crate) mod ready_set;
pub(crate) mod sequence;
pub(in crate::hub) mod wake_batch;
