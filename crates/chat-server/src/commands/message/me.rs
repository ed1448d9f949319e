//! `/me`: an action in the current conversation.

use chat_proto::text::Text;

use super::say::may_say;
use crate::commands::{Asker, Change, Handled, Outcome};

pub(crate) fn handle(asker: &Asker<'_>, text: Text) -> Handled {
    let to = asker.current()?.clone();
    let verdict = may_say(asker, &to.conversation, &text)?;
    Ok(Outcome::Change(Change::Say { to, text, action: true, once: None, verdict }))
}
