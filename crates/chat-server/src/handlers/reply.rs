//! `/reply`: to whoever last wrote privately.

use chat_proto::conversation::Conversation;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::{Asker, Change, Handled, Outcome};

pub(super) fn handle(asker: &Asker<'_>, text: Text) -> Handled {
    let user = asker.me.reply_to.clone().ok_or_else(Refusal::nobody_to_reply_to)?;
    let to = Conversation::Private(user);
    Ok(Outcome::Change(Change::Say { to, text, action: false }))
}
