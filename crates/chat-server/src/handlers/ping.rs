//! `/ping`: answered at once with the token.

use chat_proto::event::Done;
use chat_proto::text::Text;

use super::{Handled, Outcome};

pub(super) fn handle(token: Option<Text>) -> Handled {
    Ok(Outcome::Answer(Vec::new(), Done::Pong { token }))
}
