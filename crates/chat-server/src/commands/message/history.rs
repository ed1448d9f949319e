//! `/history`: stored messages of a conversation, by default the current one.

use chat_proto::command::HistoryRange;
use chat_proto::conversation::Conversation;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::{Code, Refusal};

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::hub::id::ConversationKey;
use crate::hub::query::ConversationRef;
use crate::policy;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    named: Option<Conversation>,
    span: HistoryRange,
) -> CommandResult {
    let named = match named {
        Some(named) => named,
        None => context.current()?.conversation.clone(),
    };
    let typed = named.to_string();
    let (conversation, of) = context.readable(named).map_err(|refusal| {
        let word = typed.trim_start_matches('#');
        let is_count = refusal.code() == Code::NoSuchChannel && is_like_count(word);
        if is_count { Refusal::bad_count(word) } else { refusal }
    })?;
    Ok(Response::Effect(Effect::ReadHistory { conversation, of, span }))
}

/// Whether a word looks like a malformed count: `10x`, `1.5`, `1e3`.
fn is_like_count(word: &str) -> bool {
    let letters = word.chars().filter(char::is_ascii_alphabetic).count();
    word.starts_with(|c: char| c.is_ascii_digit())
        && letters <= 2
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}

impl CommandContext<'_> {
    /// A conversation whose history the client may read, as the session and the history service
    /// know it.
    pub(crate) fn readable(
        &self,
        named: Conversation,
    ) -> Result<(Conversation, ConversationRef), Refusal> {
        match named {
            Conversation::Channel(name) => {
                let name = self.own_channel(&name)?;
                let of = ConversationRef::Channel(name.clone());
                Ok((Conversation::Channel(name), of))
            }
            Conversation::Private(user) => {
                let of = self.chat_with(&user);
                Ok((Conversation::Private(user), of))
            }
        }
    }

    /// Only members read a channel's history.
    fn own_channel(&self, name: &ChannelName) -> Result<ChannelName, Refusal> {
        let channel = self.channel(name)?;
        channel.ask(self.client, self.now, policy::channel::may_take_part)?;
        Ok(channel.name.clone())
    }

    /// The private chat with the user of this name. If no user has it, or the one of an open chat
    /// has left, it is the client's last chat with a user of that name.
    fn chat_with(&self, user: &UserName) -> ConversationRef {
        let place = self.state.find_joined(&Conversation::Private(user.clone()));
        let whom = match place.and_then(|place| place.with) {
            Some(with) => self.hub.contact_with(with, user),
            None => self.hub.contact(user),
        };
        match whom {
            Ok(whom) => {
                let key = ConversationKey::private(self.user_id, whom.user_id());
                ConversationRef::Chat(key, user.clone())
            }
            Err(_) => ConversationRef::LastWith(self.user_id, user.clone()),
        }
    }
}
