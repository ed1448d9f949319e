//! `/unignore`: sees a person again.

use chat_proto::name::UserName;

use super::{Change, Handled, Outcome};

pub(super) fn handle(user: UserName) -> Handled {
    Ok(Outcome::Change(Change::Unignore(user)))
}
