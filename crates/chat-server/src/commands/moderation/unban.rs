//! `/unban`: ends a ban.

use std::sync::Arc;

use chat_proto::mod_target::ModTarget;

use crate::commands::{CommandContext, CommandResult};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    target: ModTarget,
) -> CommandResult {
    let subject = context.subject(target);
    context.moderate(channel, ModActionKind::Unban(subject), None)
}
