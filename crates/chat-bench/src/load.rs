//! The load generator: many connections on one thread, light enough that the server is the
//! bottleneck.
//!
//! * [`peer`]: one connection.
//! * [`swarm`]: all connections, and the loop that drives them.
//! * [`crowd`]: clients that connect, sign in and enter channels.
//! * [`timer`]: wakes the loop on time.
//! * [`closed`]: a closed loop: a fixed number of messages in flight; the next is sent when one has
//!   arrived.
//! * [`open`]: an open loop: a fixed rate of messages, independent of the server.

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

/// The result of a load.
pub(crate) struct Load {
    /// Messages that arrived, counted once per recipient.
    pub(crate) deliveries: u64,
    /// Expected deliveries that didn't arrive.
    pub(crate) lost: u64,
    /// Connections that the server closed.
    pub(crate) dropped: usize,
    /// From the first line to the last arrival.
    pub(crate) lasted: Duration,
    /// Nanoseconds from the time at which a message was due until it arrived, on the connections
    /// that watch [`Times`](Watch::Times).
    pub(crate) latency: Histogram<u64>,
}
