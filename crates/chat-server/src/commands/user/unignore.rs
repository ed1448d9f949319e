//! `/unignore`: sees a person again.

use chat_proto::name::UserName;

use crate::commands::{Change, Outcome};

pub(crate) fn handle(user: UserName) -> Outcome {
    Outcome::Change(Change::Unignore(user))
}
