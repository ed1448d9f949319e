//! `/mentions`: lines of one's channels that name one.

use chat_proto::limits::HISTORY_LINES;

use super::{Change, Outcome};

pub(super) fn handle(count: Option<u32>) -> Outcome {
    Outcome::Change(Change::Mentions(count.unwrap_or(HISTORY_LINES)))
}
