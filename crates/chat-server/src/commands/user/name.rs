//! `/name`: takes or changes the name.

use chat_proto::name::UserName;

use crate::commands::{Asker, Change, Handled, Outcome};
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, name: UserName) -> Handled {
    let own = asker.me.name.as_ref().filter(|_| asker.me.is_signed_in());
    policy::account::may_change_name(own)?;
    Ok(Outcome::Change(Change::Name(name)))
}
