//! `/unban`: lets a person or a net into a channel again.

use std::sync::Arc;

use chat_proto::mod_target::ModTarget;

use crate::commands::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(asker: &Asker<'_>, channel: Arc<Channel>, target: ModTarget) -> Handled {
    let against = asker.against(target);
    asker.act(channel, ModActionKind::Unban(against), None)
}
