//! `/forget`: erases the account, with what it wrote.

use chat_proto::command_table::CommandKind;
use chat_proto::secret::Secret;

use crate::commands::{AccountChange, Asker, Change, Handled, Outcome};
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, password: Option<Secret>) -> Handled {
    policy::account::is_signed_in(asker.me.is_signed_in(), CommandKind::Forget.spec())?;
    Ok(Outcome::Change(Change::Account(AccountChange::Forget(password))))
}
