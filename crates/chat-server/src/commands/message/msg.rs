//! `/msg`: sends one private message; the current conversation stays.

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>, user: UserName, text: Text) -> CommandResult {
    policy::user::another_user(CommandKind::Msg.spec(), context.state.name.as_ref(), &user)?;
    let to = CommandContext::named(user);
    Ok(Response::Effect(Effect::Say { to, text, action: false, once: None, verdict: None }))
}
