//! `/back`: ends the away state.

use crate::commands::{Effect, Response};

pub(crate) fn handle() -> Response {
    Response::Effect(Effect::Away(None))
}
