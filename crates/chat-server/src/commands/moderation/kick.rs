//! `/kick`: removes a user from a channel.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    user: UserName,
    reason: Option<Text>,
) -> CommandResult {
    context.not_self(CommandKind::Kick, &user)?;
    let target = context.present_target(user)?;
    context.moderate(channel, ModActionKind::Kick(target), reason)
}
