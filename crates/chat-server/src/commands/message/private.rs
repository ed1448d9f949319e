//! `/private`: opens a private chat and makes it current. The other user is notified; their current
//! conversation stays.

use chat_proto::command_table::CommandKind;
use chat_proto::conversation::Conversation;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    user: UserName,
    text: Option<Text>,
) -> CommandResult {
    policy::user::another_user(CommandKind::Private.spec(), context.state.name.as_ref(), &user)?;
    if context.state.find_joined(&Conversation::Private(user.clone())).is_none() {
        context.check_conversation_limit()?;
    }
    Ok(Response::Effect(Effect::OpenPrivate(user, text)))
}
