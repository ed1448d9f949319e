//! `/quit`: leaves the system.

use chat_proto::text::Text;

use crate::commands::{Effect, Response};

pub(crate) fn handle(reason: Option<Text>) -> Response {
    Response::Effect(Effect::Quit(reason))
}
