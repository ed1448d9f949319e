//! `/purge`: hides all that a person said in a channel.

use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::text::Text;

use crate::commands::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{ModActionKind, PurgeScope};

pub(super) fn handle(
    asker: &Asker<'_>,
    channel: Arc<Channel>,
    user: UserName,
    reason: Option<Text>,
) -> Handled {
    // Whoever said it may be gone.
    let aim = asker.aim(user);
    let counted = PurgeScope::of(&aim);
    asker.act(channel, ModActionKind::Purge(aim, counted), reason)
}
