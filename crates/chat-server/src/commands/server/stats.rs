//! `/stats`: how the server is doing.

use chat_proto::event::{Event, OkReply};

use crate::commands::{Asker, Outcome};

pub(crate) fn handle(asker: &Asker<'_>) -> Outcome {
    let rows: Vec<_> = asker.hub.stats(asker.now).into_iter().map(Event::Stat).collect();
    let count = rows.len();
    Outcome::Answer(rows, OkReply::Listed { count })
}
