//! Plain text and `/say`: send a message to the current conversation, or to a named one.

use chat_proto::command_table::CommandKind;
use chat_proto::conversation::Conversation;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, JoinedConversation, Response};
use crate::hub::channel::mod_action::AccessContext;
use crate::hub::channel::moderation::FilterVerdict;
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    to: Option<Conversation>,
    text: Text,
) -> CommandResult {
    let to = match to {
        Some(conversation) => JoinedConversation { conversation, with: None },
        None => context.current()?.clone(),
    };
    let verdict = may_say(context, &to.conversation, &text)?;
    Ok(Response::Effect(Effect::Say { to, text, action: false, once: None, verdict }))
}

/// Checks whether the client may send a text to a conversation. Returns the finding of the
/// channel's word filter.
pub(crate) fn may_say(
    context: &CommandContext<'_>,
    to: &Conversation,
    text: &Text,
) -> Result<Option<FilterVerdict>, Refusal> {
    let mut verdict = None;
    match to {
        Conversation::Channel(name) => {
            let may = |access: &AccessContext<'_>| policy::channel::may_say(access, text);
            let channel = context.channel(name)?;
            channel.ask_to_show(context.client, context.now, text.as_str(), &mut verdict, may)?;
        }
        Conversation::Private(user) => {
            policy::user::another_user(CommandKind::Say.spec(), context.state.name.as_ref(), user)?;
        }
    }
    Ok(verdict)
}
