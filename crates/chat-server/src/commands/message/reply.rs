//! `/reply`: sends a private message to the author of the last one.

use chat_proto::conversation::Conversation;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, JoinedConversation, Response};

pub(crate) fn handle(context: &CommandContext<'_>, text: Text) -> CommandResult {
    let (client, name) =
        context.state.reply_to().cloned().ok_or_else(Refusal::nobody_to_reply_to)?;
    let to = JoinedConversation { conversation: Conversation::Private(name), with: Some(client) };
    Ok(Response::Effect(Effect::Say { to, text, action: false, once: None, verdict: None }))
}
