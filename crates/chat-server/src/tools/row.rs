//! A row of an export: the JSON form of the protocol, and before them one for the channel itself.

use serde::{Deserialize, Serialize};

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum ExportRow {
    /// The first one.
    Channel {
        name: String,
        #[serde(default)]
        topic: Option<String>,
        #[serde(default)]
        last: u64,
    },
    /// Something that was said.
    Message {
        id: u64,
        time: String,
        channel: String,
        from: String,
        text: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        action: bool,
    },
    /// A place whose line was erased with its author's account.
    Erased { id: u64, time: String, channel: String },
}
