//! `/ping`: replies with the token.

use chat_proto::event::OkReply;
use chat_proto::text::Text;

use crate::commands::Response;

pub(crate) fn handle(token: Option<Text>) -> Response {
    Response::Answer(Vec::new(), OkReply::Pong { token })
}
