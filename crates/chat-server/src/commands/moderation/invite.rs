//! `/invite`: lets a user enter a channel once, and notifies them.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;

use crate::commands::{CommandContext, CommandResult};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    user: UserName,
) -> CommandResult {
    context.not_self(CommandKind::Invite, &user)?;
    let target = context.known_target(user)?;
    context.moderate(channel, ModActionKind::Invite(target), None)
}
