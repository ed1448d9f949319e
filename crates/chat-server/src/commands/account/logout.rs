//! `/logout`: signs this device out.

use chat_proto::command_table::CommandKind;

use crate::commands::{AccountChange, Asker, Change, Handled, Outcome};
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>) -> Handled {
    policy::account::is_signed_in(asker.me.is_signed_in(), CommandKind::Logout.spec())?;
    Ok(Outcome::Change(Change::Account(AccountChange::SignOut)))
}
