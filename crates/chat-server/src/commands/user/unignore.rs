//! `/unignore`: shows a user's messages again.

use chat_proto::name::UserName;

use crate::commands::{Effect, Response};

pub(crate) fn handle(user: UserName) -> Response {
    Response::Effect(Effect::Unignore(user))
}
