//! `/deop`: takes a user's operator rights in a channel, or gives up one's own.

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
    // An account keeps its rights while no device is signed in to it.
    let target = context.known_target(user)?;
    context.moderate(channel, ModActionKind::Deop(target), None)
}
