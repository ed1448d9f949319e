//! `/quit`: leaves the system.

use chat_proto::text::Text;

use super::{Change, Outcome};

pub(super) fn handle(reason: Option<Text>) -> Outcome {
    Outcome::Change(Change::Quit(reason))
}
