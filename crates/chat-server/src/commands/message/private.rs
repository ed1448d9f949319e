//! `/private`: opens a private chat and makes it current. The other person is told and never moved.

use chat_proto::command_table::CommandKind;
use chat_proto::conversation::Conversation;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome};
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, user: UserName, text: Option<Text>) -> Handled {
    policy::user::somebody_else(CommandKind::Private.spec(), asker.me.name.as_ref(), &user)?;
    if asker.me.place(&Conversation::Private(user.clone())).is_none() {
        asker.has_room()?;
    }
    Ok(Outcome::Change(Change::OpenPrivate(user, text)))
}
