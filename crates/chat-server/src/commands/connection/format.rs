//! `/format`: the form of all further output.

use chat_proto::format::Format;

use crate::commands::{Change, Outcome};

pub(crate) fn handle(format: Format) -> Outcome {
    Outcome::Change(Change::Format(format))
}
