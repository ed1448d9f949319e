//! `/logout`: signs this device out.

use chat_proto::command_table::CommandKind;

use crate::commands::{AccountEffect, CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>) -> CommandResult {
    policy::account::is_signed_in(context.state.is_signed_in(), CommandKind::Logout.spec())?;
    Ok(Response::Effect(Effect::Account(AccountEffect::SignOut)))
}
