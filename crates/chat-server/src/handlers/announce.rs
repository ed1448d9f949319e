//! `/announce`: tells something to everybody.

use chat_proto::text::Text;

use super::{Change, Outcome};
use crate::hub::admin::command::Wish;

pub(super) fn handle(text: Text) -> Outcome {
    Outcome::Change(Change::Decree(Wish::Announce(text), None))
}
