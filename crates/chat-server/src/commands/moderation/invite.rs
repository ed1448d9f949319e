//! `/invite`: lets a person into a channel once, and tells them.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::name::UserName;

use crate::commands::{Asker, Handled};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;

pub(super) fn handle(asker: &Asker<'_>, channel: Arc<Channel>, user: UserName) -> Handled {
    asker.not_oneself(CommandKind::Invite, &user)?;
    let aim = asker.aim_known(user)?;
    asker.act(channel, ModActionKind::Invite(aim), None)
}
