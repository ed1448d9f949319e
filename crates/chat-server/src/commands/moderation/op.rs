//! `/op`: makes a person an operator of a channel.

use std::sync::Arc;

use chat_proto::name::UserName;

use crate::commands::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(asker: &Asker<'_>, channel: Arc<Channel>, user: UserName) -> Handled {
    let aim = asker.aim_known(user)?;
    asker.act(channel, ModActionKind::Op(aim), None)
}
