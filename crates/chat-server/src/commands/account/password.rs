//! `/password`: changes the password of the account.

use chat_proto::command_table::CommandKind;
use chat_proto::secret::Secret;

use crate::commands::{AccountEffect, CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    passwords: Option<(Secret, Secret)>,
) -> CommandResult {
    policy::account::is_signed_in(context.state.is_signed_in(), CommandKind::Password.spec())?;
    if let Some((_, new)) = &passwords {
        policy::account::may_be_password(new)?;
    }
    Ok(Response::Effect(Effect::Account(AccountEffect::Password(passwords))))
}
