//! `/away`: marks the user as away.

use chat_proto::event::Away;
use chat_proto::text::Text;

use crate::commands::{Effect, Response};

pub(crate) fn handle(reason: Option<Text>) -> Response {
    Response::Effect(Effect::Away(Some(Away { reason })))
}
