//! `/log`: lists the moderation actions of a channel.

use chat_proto::limits::LOGGED_ACTS;

use crate::commands::{Effect, Response};
use crate::hub::channel::Channel;

pub(super) fn handle(channel: &Channel, count: Option<u32>) -> Response {
    let (channel, most) = (channel.name.clone(), count.unwrap_or(LOGGED_ACTS));
    Response::Effect(Effect::ShowLog { channel, most })
}
