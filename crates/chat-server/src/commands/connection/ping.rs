//! `/ping`: answered at once with the token.

use chat_proto::event::OkReply;
use chat_proto::text::Text;

use crate::commands::Outcome;

pub(crate) fn handle(token: Option<Text>) -> Outcome {
    Outcome::Answer(Vec::new(), OkReply::Pong { token })
}
