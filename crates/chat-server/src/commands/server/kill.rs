//! `/kill`: ends every connection of a user.

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::hub::admin::command::AdminRequest;
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    user: UserName,
    reason: Option<Text>,
) -> CommandResult {
    policy::user::another_user(CommandKind::Kill.spec(), context.state.name.as_ref(), &user)?;
    Ok(Response::Effect(Effect::Admin(AdminRequest::Kill(user), reason)))
}
