//! `/set`: shows the settings of a channel, or changes one.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::event::{Event, OkReply, Sentence};
use chat_proto::setting::ChannelSetting;

use crate::commands::{CommandContext, CommandResult, Response};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;
use crate::policy;

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    setting: ChannelSetting,
) -> CommandResult {
    context.moderate(channel, ModActionKind::Set(setting), None)
}

/// Every member may see the settings.
pub(super) fn show(context: &CommandContext<'_>, channel: &Channel) -> CommandResult {
    channel.ask(context.client, context.now, policy::channel::may_take_part)?;
    let settings = channel.settings(channel.role(context.client).operator);
    let count = settings.len();
    let name = channel.name.clone();
    let head = Event::ModListHead { kind: CommandKind::Set, channel: name.clone(), count };
    let rows = settings.into_iter().map(|(setting, value)| Event::Setting {
        channel: name.clone(),
        name: setting,
        value: Sentence::new(value),
    });
    let rows = std::iter::once(head).chain(rows).collect();
    Ok(Response::Answer(rows, OkReply::ListedOf { channel: name, count }))
}
