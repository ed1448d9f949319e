//! `/drop`: ends a channel and deletes its messages.

use chat_proto::command_table::CommandKind;
use chat_proto::name::ChannelName;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult};
use crate::hub::channel::mod_action::ModActionKind;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    name: &ChannelName,
    reason: Option<Text>,
) -> CommandResult {
    let channel = context.channel(name)?;
    context.may_run(&channel, CommandKind::Drop)?;
    context.moderate(channel, ModActionKind::Drop, reason)
}
