//! Load: many connections on one thread, light enough that the server is what is measured.
//!
//! * [`peer`]: one connection.
//! * [`swarm`]: all of them, and the loop that drives them.
//! * [`crowd`]: people who connect, sign in, enter rooms.
//! * [`timer`]: wakes the loop on time.
//! * [`closed`]: so many lines under way at once; the next is said when one has arrived.
//! * [`open`]: so many lines a second, whatever the server does.

pub(crate) mod closed;
pub(crate) mod crowd;
pub(crate) mod open;
mod peer;
mod swarm;
mod timer;

pub(crate) use self::peer::Watch;
pub(crate) use self::swarm::Swarm;

use std::time::Duration;

use hdrhistogram::Histogram;

/// What came of a load.
pub(crate) struct Load {
    /// Lines that arrived, each once for everybody whom it reached.
    pub(crate) deliveries: u64,
    /// Lines that were to arrive and didn't.
    pub(crate) lost: u64,
    /// Connections that the server closed.
    pub(crate) dropped: usize,
    /// From the first line to the last arrival.
    pub(crate) lasted: Duration,
    /// Nanoseconds from when a line was to be said until it arrived, at those who look.
    pub(crate) latency: Histogram<u64>,
}
