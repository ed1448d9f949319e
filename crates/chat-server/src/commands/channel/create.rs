//! `/create`: creates a channel and enters it as its operator.

use chat_proto::name::ChannelName;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, Response};

pub(crate) fn handle(
    context: &CommandContext<'_>,
    channel: ChannelName,
    topic: Option<Text>,
) -> CommandResult {
    context.check_conversation_limit()?;
    Ok(Response::Effect(Effect::Create(channel, topic)))
}
