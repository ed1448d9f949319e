//! `/create`: makes a channel and enters it as its operator.

use chat_proto::name::ChannelName;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome};

pub(crate) fn handle(asker: &Asker<'_>, channel: ChannelName, topic: Option<Text>) -> Handled {
    asker.has_room()?;
    Ok(Outcome::Change(Change::Create(channel, topic)))
}
