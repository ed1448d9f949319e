//! `/format`: the form of all further output.

use chat_proto::format::Format;

use super::{Change, Outcome};

pub(super) fn handle(format: Format) -> Outcome {
    Outcome::Change(Change::Format(format))
}
