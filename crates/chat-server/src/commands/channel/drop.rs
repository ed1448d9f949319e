//! `/drop`: ends a channel, with everything said in it.

use chat_proto::command_table::CommandKind;
use chat_proto::name::ChannelName;
use chat_proto::text::Text;

use crate::commands::{Asker, Handled};
use crate::hub::channel::mod_action::ModActionKind;

pub(crate) fn handle(asker: &Asker<'_>, name: &ChannelName, reason: Option<Text>) -> Handled {
    let channel = asker.channel(name)?;
    asker.may_run(&channel, CommandKind::Drop)?;
    asker.act(channel, ModActionKind::Drop, reason)
}
