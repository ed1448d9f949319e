//! `/deop`: takes the operator's right from a person, or gives up one's own.

use std::sync::Arc;

use chat_proto::name::UserName;

use crate::commands::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(asker: &Asker<'_>, channel: Arc<Channel>, user: UserName) -> Handled {
    // An account has the right also while nobody is signed in to it.
    let aim = asker.aim_known(user)?;
    asker.act(channel, ModActionKind::Deop(aim), None)
}
