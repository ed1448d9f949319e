//! `/forget`: erases the account and its messages.

use chat_proto::command_table::CommandKind;
use chat_proto::secret::Secret;

use crate::commands::{AccountEffect, CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>, password: Option<Secret>) -> CommandResult {
    policy::account::is_signed_in(context.state.is_signed_in(), CommandKind::Forget.spec())?;
    Ok(Response::Effect(Effect::Account(AccountEffect::Forget(password))))
}
