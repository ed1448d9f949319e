//! `/search`: stored messages with certain words, in conversations that the client may read.

use chat_proto::command::SearchQuery;

use crate::commands::{CommandContext, CommandResult, Effect, Response};

pub(crate) fn handle(context: &CommandContext<'_>, search: SearchQuery) -> CommandResult {
    let only = match search.within.clone() {
        Some(within) => Some(context.readable(within)?.1),
        None => None,
    };
    Ok(Response::Effect(Effect::Search { search, only }))
}
