//! `/format`: the form of all further output.

use chat_proto::rendition::Form;

use super::{Change, Handled, Outcome};

pub(super) fn handle(form: Form) -> Handled {
    Ok(Outcome::Change(Change::Format(form)))
}
