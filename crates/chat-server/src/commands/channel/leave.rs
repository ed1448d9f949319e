//! `/leave`: leaves the current or the named conversation; the one before becomes current.

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
    // As it is known here, not as it was typed.
    let own = context.state.find_joined(&named).map(|place| place.conversation.clone());
    match (own, named) {
        (Some(own), _) => Ok(Response::Effect(Effect::Leave(own, reason))),
        (None, Conversation::Channel(channel)) => {
            if let Ok(user) = UserName::new(channel.bare())
                && context.state.find_joined(&Conversation::Private(user.clone())).is_some()
            {
                return Err(Refusal::leave_whom(&channel, &user));
            }
            // Whether it exists or not is told in the same way as everywhere.
            context.channel(&channel)?;
            Err(Refusal::not_in_channel(&channel))
        }
        (None, Conversation::Private(user)) => Err(Refusal::no_private_chat(&user)),
    }
}
