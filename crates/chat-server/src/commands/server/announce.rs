//! `/announce`: tells something to everybody.

use chat_proto::text::Text;

use crate::commands::{Change, Outcome};
use crate::hub::admin::command::AdminRequest;

pub(crate) fn handle(text: Text) -> Outcome {
    Outcome::Change(Change::Decree(AdminRequest::Announce(text), None))
}
