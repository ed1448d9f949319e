//! `/back`: here again.

use crate::commands::{Change, Outcome};

pub(crate) fn handle() -> Outcome {
    Outcome::Change(Change::Away(None))
}
