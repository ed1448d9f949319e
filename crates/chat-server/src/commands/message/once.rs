//! `/once`: sends a message exactly once for each key.
//!
//! The commit log looks the key up first: permission is checked only if the message wasn't sent
//! already.

use chat_proto::command::OnceKey;
use chat_proto::command_table::CommandKind;
use chat_proto::conversation::Conversation;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, JoinedConversation, Response};
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    key: OnceKey,
    conversation: Conversation,
    text: Text,
) -> CommandResult {
    if let Conversation::Private(user) = &conversation {
        policy::user::another_user(CommandKind::Once.spec(), context.state.name.as_ref(), user)?;
    }
    let to = JoinedConversation { conversation, with: None };
    Ok(Response::Effect(Effect::Say { to, text, action: false, once: Some(key), verdict: None }))
}
