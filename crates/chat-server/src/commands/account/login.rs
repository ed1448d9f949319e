//! `/login`: signs in to an account.

use chat_proto::name::UserName;
use chat_proto::secret::Credential;

use crate::commands::{AccountEffect, CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    name: UserName,
    credential: Option<Credential>,
) -> CommandResult {
    let own = context.state.name.as_ref().filter(|_| context.state.is_signed_in());
    policy::account::may_sign_in(own)?;
    Ok(Response::Effect(Effect::Account(AccountEffect::SignIn(name, credential))))
}
