//! `/login`: signs in to an account.

use chat_proto::name::UserName;
use chat_proto::secret::Credential;

use crate::commands::{AccountChange, Asker, Change, Handled, Outcome};
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, name: UserName, credential: Option<Credential>) -> Handled {
    let own = asker.me.name.as_ref().filter(|_| asker.me.is_signed_in());
    policy::account::may_sign_in(own)?;
    Ok(Outcome::Change(Change::Account(AccountChange::SignIn(name, credential))))
}
