//! Plain text, and `/say`: said into the current conversation, or into a named one.

use chat_proto::conversation::Conversation;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::verb::{self, Kind};

use super::{Asker, Change, Handled, Outcome, Place};
use crate::hub::act::Standing;
use crate::policy;

pub(super) fn handle(asker: &Asker<'_>, to: Option<Conversation>, text: Text) -> Handled {
    let to = match to {
        Some(conversation) => Place { conversation, with: None },
        None => asker.current()?.clone(),
    };
    may_say(asker, &to.conversation, &text)?;
    Ok(Outcome::Change(Change::Say { to, text, action: false, once: None }))
}

/// Whether the asker may say something into this conversation.
pub(super) fn may_say(asker: &Asker<'_>, to: &Conversation, text: &Text) -> Result<(), Refusal> {
    match to {
        Conversation::Channel(name) => {
            let may = |standing: &Standing<'_>| policy::channel::may_say(standing, text);
            asker.channel(name)?.ask(asker.person, asker.now, may)
        }
        Conversation::Private(user) => {
            policy::user::somebody_else(verb::of(Kind::Say), asker.me.name.as_ref(), user)
        }
    }
}
