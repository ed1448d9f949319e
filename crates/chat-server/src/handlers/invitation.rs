//! `/invitation`: makes a code that lets somebody register.

use super::{Change, Outcome};
use crate::hub::admin::command::AdminRequest;

pub(super) fn handle() -> Outcome {
    Outcome::Change(Change::Decree(AdminRequest::Invitation, None))
}
