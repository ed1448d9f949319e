//! `/enter`: enters a channel and makes it current.

use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;

use crate::commands::{Asker, Change, Handled, Outcome};

pub(crate) fn handle(asker: &Asker<'_>, channel: ChannelName, after: Option<MessageId>) -> Handled {
    if asker.inbox.channel(&channel).is_none() {
        asker.has_room()?;
    }
    Ok(Outcome::Change(Change::Enter(channel, after)))
}
