//! `/invitation`: makes a code that lets somebody register.

use super::{Change, Outcome};
use crate::hub::admin::command::Wish;

pub(super) fn handle() -> Outcome {
    Outcome::Change(Change::Decree(Wish::Invitation, None))
}
