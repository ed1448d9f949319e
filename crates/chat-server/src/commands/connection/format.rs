//! `/format`: sets the format of further output.

use chat_proto::format::Format;

use crate::commands::{Effect, Response};

pub(crate) fn handle(format: Format) -> Response {
    Response::Effect(Effect::Format(format))
}
