//! `/log`: who did what to whom in a channel, when and why.

use chat_proto::limits::LOGGED_ACTS;

use crate::commands::{Change, Outcome};
use crate::hub::channel::Channel;

pub(super) fn handle(channel: &Channel, count: Option<u32>) -> Outcome {
    let (channel, most) = (channel.name.clone(), count.unwrap_or(LOGGED_ACTS));
    Outcome::Change(Change::TellActs { channel, most })
}
