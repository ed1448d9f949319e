//! `/leave`: leaves a conversation, by default the current one; the one used before becomes
//! current.

use chat_proto::conversation::Conversation;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, Response};

pub(crate) fn handle(
    context: &CommandContext<'_>,
    named: Option<Conversation>,
    reason: Option<Text>,
) -> CommandResult {
    let named = match named {
        Some(named) => named,
        None => context.current()?.conversation.clone(),
    };
    // In the conversation's spelling, not the typed one.
    let own = context.state.find_joined(&named).map(|place| place.conversation.clone());
    match (own, named) {
        (Some(own), _) => Ok(Response::Effect(Effect::Leave(own, reason))),
        (None, Conversation::Channel(channel)) => {
            if let Ok(user) = UserName::new(channel.bare())
                && context.state.find_joined(&Conversation::Private(user.clone())).is_some()
            {
                return Err(Refusal::leave_whom(&channel, &user));
            }
            // A hidden channel is refused like one that doesn't exist.
            context.channel(&channel)?;
            Err(Refusal::not_in_channel(&channel))
        }
        (None, Conversation::Private(user)) => Err(Refusal::no_private_chat(&user)),
    }
}
