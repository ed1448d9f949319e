//! `/mentions`: messages in the client's channels that mention the client.

use chat_proto::command::SearchCursor;
use chat_proto::limits::HISTORY_LINES;

use crate::commands::{Effect, Response};

pub(crate) fn handle(count: Option<u32>, before: Option<SearchCursor>) -> Response {
    Response::Effect(Effect::Mentions { most: count.unwrap_or(HISTORY_LINES), before })
}
