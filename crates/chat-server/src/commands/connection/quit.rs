//! `/quit`: leaves the system.

use chat_proto::text::Text;

use crate::commands::{Change, Outcome};

pub(crate) fn handle(reason: Option<Text>) -> Outcome {
    Outcome::Change(Change::Quit(reason))
}
