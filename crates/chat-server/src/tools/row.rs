//! Rows of an export: the protocol's JSON encoding, after a row for the channel itself.

use serde::{Deserialize, Serialize};

/// A row of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum ExportRow {
    /// The first row.
    Channel {
        name: String,
        #[serde(default)]
        topic: Option<String>,
        #[serde(default)]
        last: u64,
    },
    /// A message.
    Message {
        id: u64,
        time: String,
        channel: String,
        from: String,
        text: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        action: bool,
    },
    /// A line that was redacted with its author's account.
    Erased { id: u64, time: String, channel: String },
}
