//! `/op`: makes a user an operator of a channel.

use std::sync::Arc;

use chat_proto::name::UserName;

use crate::commands::{CommandContext, CommandResult};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    user: UserName,
) -> CommandResult {
    let target = context.known_target(user)?;
    context.moderate(channel, ModActionKind::Op(target), None)
}
