//! `/away`: tells those who write that one is away.

use chat_proto::event::Away;
use chat_proto::text::Text;

use super::{Change, Outcome};

pub(super) fn handle(reason: Option<Text>) -> Outcome {
    Outcome::Change(Change::Away(Some(Away { reason })))
}
