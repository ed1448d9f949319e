//! `/msg`: one private message; the current conversation stays.

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome};
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, user: UserName, text: Text) -> Handled {
    policy::user::somebody_else(CommandKind::Msg.spec(), asker.me.name.as_ref(), &user)?;
    let to = Asker::somebody(user);
    Ok(Outcome::Change(Change::Say { to, text, action: false, once: None, verdict: None }))
}
