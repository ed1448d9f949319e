//! `/kick`: puts a person out of a channel.

use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::text::Text;
use chat_proto::verb::Kind;

use super::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(
    asker: &Asker<'_>,
    channel: Arc<Channel>,
    user: UserName,
    reason: Option<Text>,
) -> Handled {
    asker.not_oneself(Kind::Kick, &user)?;
    let aim = asker.aim_here(user)?;
    asker.act(channel, ModActionKind::Kick(aim), reason)
}
