//! `/kick`: puts a person out of the current channel.

use chat_proto::name::UserName;
use chat_proto::text::Text;
use chat_proto::verb::{self, Kind};

use super::{Asker, Change, Handled, Outcome};
use crate::policy;

pub(super) fn handle(asker: &Asker<'_>, user: UserName, reason: Option<Text>) -> Handled {
    let channel = asker.current_channel(Kind::Kick)?;
    let operators = channel.operators();
    policy::channel::may_kick(channel.role(asker.id), &channel.name, &operators)?;
    policy::user::somebody_else(verb::of(Kind::Kick), asker.me.name.as_ref(), &user)?;
    Ok(Outcome::Change(Change::Kick { channel: channel.clone(), user, reason }))
}
