//! `/enter`: enters a channel and makes it current.

use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;

use crate::commands::{CommandContext, CommandResult, Effect, Response};

pub(crate) fn handle(
    context: &CommandContext<'_>,
    channel: ChannelName,
    after: Option<MessageId>,
) -> CommandResult {
    if context.inbox.channel(&channel).is_none() {
        context.check_conversation_limit()?;
    }
    Ok(Response::Effect(Effect::Enter(channel, after)))
}
