//! `/name`: takes or changes the name.

use chat_proto::name::UserName;

use super::{Change, Outcome};

pub(super) fn handle(name: UserName) -> Outcome {
    Outcome::Change(Change::Name(name))
}
