//! `/name`: takes or changes the name.

use chat_proto::name::UserName;

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>, name: UserName) -> CommandResult {
    let own = context.state.name.as_ref().filter(|_| context.state.is_signed_in());
    policy::account::may_change_name(own)?;
    Ok(Response::Effect(Effect::Name(name)))
}
