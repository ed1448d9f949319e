//! `/purge`: hides all that a person said in a channel.

use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::text::Text;

use super::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{Counted, Deed};

pub(super) fn handle(
    asker: &Asker<'_>,
    channel: Arc<Channel>,
    user: UserName,
    reason: Option<Text>,
) -> Handled {
    // Whoever said it may be gone.
    let aim = asker.aim(user);
    let counted = Counted::of(&aim);
    asker.act(channel, Deed::Purge(aim, counted), reason)
}
