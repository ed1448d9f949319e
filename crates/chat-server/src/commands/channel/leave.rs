//! `/leave`: leaves the current or the named conversation; the one before becomes current.

use chat_proto::conversation::Conversation;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome};

pub(crate) fn handle(
    asker: &Asker<'_>,
    named: Option<Conversation>,
    reason: Option<Text>,
) -> Handled {
    let named = match named {
        Some(named) => named,
        None => asker.current()?.conversation.clone(),
    };
    // As it is known here, not as it was typed.
    let own = asker.me.place(&named).map(|place| place.conversation.clone());
    match (own, named) {
        (Some(own), _) => Ok(Outcome::Change(Change::Leave(own, reason))),
        (None, Conversation::Channel(channel)) => {
            if let Ok(user) = UserName::new(channel.bare())
                && asker.me.place(&Conversation::Private(user.clone())).is_some()
            {
                return Err(Refusal::leave_whom(&channel, &user));
            }
            // Whether it exists or not is told in the same way as everywhere.
            asker.channel(&channel)?;
            Err(Refusal::not_in_channel(&channel))
        }
        (None, Conversation::Private(user)) => Err(Refusal::no_private_chat(&user)),
    }
}
