//! `/announce`: sends a notice to every client.

use chat_proto::text::Text;

use crate::commands::{Effect, Response};
use crate::hub::admin::command::AdminRequest;

pub(crate) fn handle(text: Text) -> Response {
    Response::Effect(Effect::Admin(AdminRequest::Announce(text), None))
}
