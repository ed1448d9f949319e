//! The log, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::LogForm;
use crate::config::Logging;

/// Starts the log. A panic is logged like everything else.
pub fn start(logging: Logging) {
    let level = match logging.verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let registry = tracing_subscriber::registry().with(EnvFilter::new(level));
    let to = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    match logging.form {
        LogForm::Text => {
            registry.with(to.compact().with_ansi(io::stderr().is_terminal())).init();
        }
        LogForm::Json => registry.with(to.json().flatten_event(true)).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("for a reason that is no text");
        tracing::error!(place, "panicked: {what}");
    }));
}
