//! `/reply`: to whoever last wrote privately.

use chat_proto::conversation::Conversation;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome, Place};

pub(crate) fn handle(asker: &Asker<'_>, text: Text) -> Handled {
    let (client, name) = asker.me.reply_to().cloned().ok_or_else(Refusal::nobody_to_reply_to)?;
    let to = Place { conversation: Conversation::Private(name), with: Some(client) };
    Ok(Outcome::Change(Change::Say { to, text, action: false, once: None, verdict: None }))
}
