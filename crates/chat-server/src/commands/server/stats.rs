//! `/stats`: figures of the server.

use chat_proto::event::{Event, OkReply};

use crate::commands::{CommandContext, Response};

pub(crate) fn handle(context: &CommandContext<'_>) -> Response {
    let rows: Vec<_> = context.hub.stats(context.now).into_iter().map(Event::Stat).collect();
    let count = rows.len();
    Response::Answer(rows, OkReply::Listed { count })
}
