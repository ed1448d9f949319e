//! `/mute`: forbids a user to send messages to a channel, or lists the mutes.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::UserName;
use chat_proto::period::Period;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Response};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;
use crate::hub::channel::moderation::ListKind;

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    user: UserName,
    period: Option<Period>,
    reason: Option<Text>,
) -> CommandResult {
    context.not_self(CommandKind::Mute, &user)?;
    let is_net =
        ModTarget::net(user.as_str()).is_some() || ModTarget::is_meant_as_net(user.as_str());
    if (is_net || ModTarget::is_like_address(user.as_str())) && !context.is_known(&user) {
        return Err(Refusal::mute_of_address(user.as_str()));
    }
    // The user needn't be online.
    let target = context.target(user);
    context.moderate(channel, ModActionKind::Mute(target, period), reason)
}

pub(super) fn list(context: &CommandContext<'_>, channel: &Channel) -> Response {
    context.list_entries(channel, ListKind::Mutes, CommandKind::Mute)
}
