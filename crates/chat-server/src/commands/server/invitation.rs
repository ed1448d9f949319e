//! `/invitation`: makes a code that lets somebody register.

use crate::commands::{Effect, Response};
use crate::hub::admin::command::AdminRequest;

pub(crate) fn handle() -> Response {
    Response::Effect(Effect::Admin(AdminRequest::Invitation, None))
}
