//! `/purge`: hides all messages of a user in a channel.

use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{ModActionKind, PurgeScope};

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    user: UserName,
    reason: Option<Text>,
) -> CommandResult {
    // The user needn't be online.
    let target = context.target(user);
    let counted = PurgeScope::of(&target);
    context.moderate(channel, ModActionKind::Purge(target, counted), reason)
}
