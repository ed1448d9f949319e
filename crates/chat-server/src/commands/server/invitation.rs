//! `/invitation`: makes a code that lets somebody register.

use crate::commands::{Change, Outcome};
use crate::hub::admin::command::AdminRequest;

pub(crate) fn handle() -> Outcome {
    Outcome::Change(Change::Decree(AdminRequest::Invitation, None))
}
