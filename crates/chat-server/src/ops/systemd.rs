//! Notifications for the service manager (`sd_notify(3)`). Without one, they have no effect.

use std::time::Duration;

use sd_notify::NotifyState;

/// The server accepts connections.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The server is stopping.
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("Saying goodbye to everybody")]);
}

/// Returns the watchdog period of the service manager, if it has one.
pub(crate) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// The server has passed a probe.
pub(crate) fn alive() {
    notify(&[NotifyState::Watchdog]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "can't notify the service manager");
    }
}
