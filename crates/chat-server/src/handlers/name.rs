//! `/name`: takes or changes the name.

use chat_proto::name::UserName;

use super::{Change, Handled, Outcome};

pub(super) fn handle(name: UserName) -> Handled {
    Ok(Outcome::Change(Change::Name(name)))
}
