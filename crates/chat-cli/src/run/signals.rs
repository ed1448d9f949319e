//! Signals that ask the client to leave. Only at a terminal are they listened to, since it has to
//! be given back; a pipe is ended by them as any program is.

use std::future::pending;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals listened to, each with its number.
pub(super) struct Signals(Option<[(Signal, u8); 3]>);

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self(Some([
            (signal(SignalKind::hangup())?, 1),
            (signal(SignalKind::interrupt())?, 2),
            (signal(SignalKind::terminate())?, 15),
        ])))
    }

    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The number of the next one.
    pub(super) async fn next(&mut self) -> u8 {
        let Some([hangup, interrupt, terminate]) = &mut self.0 else { return pending().await };
        tokio::select! {
            _ = hangup.0.recv() => hangup.1,
            _ = interrupt.0.recv() => interrupt.1,
            _ = terminate.0.recv() => terminate.1,
        }
    }
}
