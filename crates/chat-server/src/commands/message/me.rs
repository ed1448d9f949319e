//! `/me`: sends an action to the current conversation.

use chat_proto::text::Text;

use super::say::may_say;
use crate::commands::{CommandContext, CommandResult, Effect, Response};

pub(crate) fn handle(context: &CommandContext<'_>, text: Text) -> CommandResult {
    let to = context.current()?.clone();
    let verdict = may_say(context, &to.conversation, &text)?;
    Ok(Response::Effect(Effect::Say { to, text, action: true, once: None, verdict }))
}
