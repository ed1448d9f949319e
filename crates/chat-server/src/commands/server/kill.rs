//! `/kill`: ends every connection of a person.

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome};
use crate::hub::admin::command::AdminRequest;
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, user: UserName, reason: Option<Text>) -> Handled {
    policy::user::somebody_else(CommandKind::Kill.spec(), asker.me.name.as_ref(), &user)?;
    Ok(Outcome::Change(Change::Decree(AdminRequest::Kill(user), reason)))
}
