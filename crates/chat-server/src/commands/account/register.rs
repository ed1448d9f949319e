//! `/register`: makes the present name an account.

use chat_proto::command::InvitationCode;
use chat_proto::command_table::CommandKind;
use chat_proto::refusal::Refusal;
use chat_proto::secret::Secret;

use crate::commands::{AccountChange, Asker, Change, Handled, Outcome};
use crate::hub::limits::RegistrationMode;
use crate::policy;

pub(crate) fn handle(
    asker: &Asker<'_>,
    invite: Option<InvitationCode>,
    password: Option<Secret>,
) -> Handled {
    let name = asker.me.name.as_ref().or_else(|| asker.me.wanted_name()).cloned();
    let name = name.ok_or_else(|| Refusal::not_named(Some(CommandKind::Register.spec())))?;
    let mode = asker.hub.bounds.registration;
    if mode == RegistrationMode::Closed && asker.me.name.is_none() {
        return Err(Refusal::account_required(&name, None));
    }
    policy::account::may_register(asker.me.is_signed_in(), &name, mode, invite.is_some())?;
    // Where everybody may register, none is used up.
    let invite = invite.filter(|_| mode == RegistrationMode::Invitation);
    let invite = invite.map(|invite| asker.hub.invitation(&invite, asker.now)).transpose()?;
    if let Some(password) = &password {
        policy::account::may_be_password(password)?;
    }
    let change = AccountChange::Register { name, invite, password };
    Ok(Outcome::Change(Change::Account(change)))
}
