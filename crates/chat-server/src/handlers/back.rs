//! `/back`: here again.

use super::{Change, Outcome};

pub(super) fn handle() -> Outcome {
    Outcome::Change(Change::Away(None))
}
