//! `/back`: here again.

use super::{Change, Handled, Outcome};

pub(super) fn handle() -> Handled {
    Ok(Outcome::Change(Change::Away(None)))
}
