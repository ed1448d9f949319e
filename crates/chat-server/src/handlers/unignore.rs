//! `/unignore`: sees a person again.

use chat_proto::name::UserName;

use super::{Change, Outcome};

pub(super) fn handle(user: UserName) -> Outcome {
    Outcome::Change(Change::Unignore(user))
}
