//! `/away`: tells those who write that one is away.

use chat_proto::event::Away;
use chat_proto::text::Text;

use crate::commands::{Change, Outcome};

pub(crate) fn handle(reason: Option<Text>) -> Outcome {
    Outcome::Change(Change::Away(Some(Away { reason })))
}
