//! `/quit`: leaves the system.

use chat_proto::text::Text;

use super::{Change, Handled, Outcome};

pub(super) fn handle(reason: Option<Text>) -> Handled {
    Ok(Outcome::Change(Change::Quit(reason)))
}
