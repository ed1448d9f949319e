//! `/invitation`: creates a code for one registration.

use crate::commands::{Effect, Response};
use crate::hub::admin::command::AdminRequest;

pub(crate) fn handle() -> Response {
    Response::Effect(Effect::Admin(AdminRequest::Invitation, None))
}
