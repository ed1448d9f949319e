//! `/kick`: puts a person out of a channel.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(
    asker: &Asker<'_>,
    channel: Arc<Channel>,
    user: UserName,
    reason: Option<Text>,
) -> Handled {
    asker.not_oneself(CommandKind::Kick, &user)?;
    let aim = asker.aim_here(user)?;
    asker.act(channel, ModActionKind::Kick(aim), reason)
}
