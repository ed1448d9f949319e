//! `/register`: makes the current name an account.

use chat_proto::command::InvitationCode;
use chat_proto::command_table::CommandKind;
use chat_proto::refusal::Refusal;
use chat_proto::secret::Secret;

use crate::commands::{AccountEffect, CommandContext, CommandResult, Effect, Response};
use crate::hub::limits::RegistrationMode;
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    invite: Option<InvitationCode>,
    password: Option<Secret>,
) -> CommandResult {
    let name = context.state.name.as_ref().or_else(|| context.state.wanted_name()).cloned();
    let name = name.ok_or_else(|| Refusal::not_named(Some(CommandKind::Register.spec())))?;
    let mode = context.hub.bounds.registration;
    if mode == RegistrationMode::Closed && context.state.name.is_none() {
        return Err(Refusal::account_required(&name, None));
    }
    policy::account::may_register(context.state.is_signed_in(), &name, mode, invite.is_some())?;
    // In the open mode an invitation isn't used up.
    let invite = invite.filter(|_| mode == RegistrationMode::Invitation);
    let invite = invite.map(|invite| context.hub.invitation(&invite, context.now)).transpose()?;
    if let Some(password) = &password {
        policy::account::may_be_password(password)?;
    }
    let change = AccountEffect::Register { name, invite, password };
    Ok(Response::Effect(Effect::Account(change)))
}
