//! `/format`: the form of all further output.

use chat_proto::rendition::Form;

use super::{Change, Outcome};

pub(super) fn handle(form: Form) -> Outcome {
    Outcome::Change(Change::Format(form))
}
