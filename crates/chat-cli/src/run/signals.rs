//! Signals that make the client leave. They are handled only at a terminal, which has to be
//! restored; in a pipe they have their default action.

use std::future::pending;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals handled, each with its number.
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

    /// Waits for the next signal; returns its number.
    pub(super) async fn next(&mut self) -> u8 {
        let Some([hangup, interrupt, terminate]) = &mut self.0 else { return pending().await };
        tokio::select! {
            _ = hangup.0.recv() => hangup.1,
            _ = interrupt.0.recv() => interrupt.1,
            _ = terminate.0.recv() => terminate.1,
        }
    }
}
