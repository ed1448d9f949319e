//! `/password`: changes the password of the account.

use chat_proto::command_table::CommandKind;
use chat_proto::secret::Secret;

use crate::commands::{AccountChange, Asker, Change, Handled, Outcome};
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, passwords: Option<(Secret, Secret)>) -> Handled {
    policy::account::is_signed_in(asker.me.is_signed_in(), CommandKind::Password.spec())?;
    if let Some((_, new)) = &passwords {
        policy::account::may_be_password(new)?;
    }
    Ok(Outcome::Change(Change::Account(AccountChange::Password(passwords))))
}
