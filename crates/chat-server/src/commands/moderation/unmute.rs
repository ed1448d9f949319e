//! `/unmute`: lets a person speak in a channel again.

use std::sync::Arc;

use chat_proto::name::UserName;

use crate::commands::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(asker: &Asker<'_>, channel: Arc<Channel>, user: UserName) -> Handled {
    let aim = asker.aim(user);
    asker.act(channel, ModActionKind::Unmute(aim), None)
}
