//! Plain text, and `/say`: said into the current conversation, or into a named one.

use chat_proto::command_table::CommandKind;
use chat_proto::conversation::Conversation;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome, Place};
use crate::hub::channel::mod_action::AccessContext;
use crate::hub::channel::moderation::FilterVerdict;
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, to: Option<Conversation>, text: Text) -> Handled {
    let to = match to {
        Some(conversation) => Place { conversation, with: None },
        None => asker.current()?.clone(),
    };
    let verdict = may_say(asker, &to.conversation, &text)?;
    Ok(Outcome::Change(Change::Say { to, text, action: false, once: None, verdict }))
}

/// Whether the asker may say something into this conversation. Returns what a channel's filter has found in it.
pub(crate) fn may_say(
    asker: &Asker<'_>,
    to: &Conversation,
    text: &Text,
) -> Result<Option<FilterVerdict>, Refusal> {
    let mut verdict = None;
    match to {
        Conversation::Channel(name) => {
            let may = |standing: &AccessContext<'_>| policy::channel::may_say(standing, text);
            let channel = asker.channel(name)?;
            channel.ask_to_show(asker.client, asker.now, text.as_str(), &mut verdict, may)?;
        }
        Conversation::Private(user) => {
            policy::user::somebody_else(CommandKind::Say.spec(), asker.me.name.as_ref(), user)?;
        }
    }
    Ok(verdict)
}
