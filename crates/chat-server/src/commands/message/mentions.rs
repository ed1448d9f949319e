//! `/mentions`: lines of one's channels that name one.

use chat_proto::command::SearchCursor;
use chat_proto::limits::HISTORY_LINES;

use crate::commands::{Change, Outcome};

pub(crate) fn handle(count: Option<u32>, before: Option<SearchCursor>) -> Outcome {
    Outcome::Change(Change::Mentions { most: count.unwrap_or(HISTORY_LINES), before })
}
