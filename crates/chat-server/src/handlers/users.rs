//! `/users`: who is in a channel, by default the current one, or online.

use chat_proto::conversation::Conversation;
use chat_proto::event::{Done, Event};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;

use super::{Asker, Handled, Outcome};
use crate::hub::snapshot::UserRow;
use crate::policy;

/// Names in one line of the text form, so that the longest line stays about as long as a line may be.
const NAMES_IN_LINE: usize = 100;

pub(super) fn handle(asker: &Asker<'_>, name: Option<&ChannelName>) -> Handled {
    let channel = match (name, asker.me.current()) {
        (Some(name), _) => Some(asker.channel(name)?),
        (None, Some(Conversation::Channel(name))) => {
            Some(asker.channel(name).map_err(|_| Refusal::not_in_channel(name))?)
        }
        (None, _) => None,
    };
    if let Some(channel) = &channel {
        channel.ask(asker.person, asker.now, policy::channel::may_see_members)?;
    }
    let users = match &channel {
        Some(channel) => channel.members(),
        None => asker.hub.online(),
    };
    let channel = channel.map(|channel| channel.name.clone());
    let count = users.len();
    let names: Vec<UserName> = users.iter().map(|user| user.name.clone()).collect();
    let mut lines = names.chunks(NAMES_IN_LINE).map(<[UserName]>::to_vec);
    let names = lines.next().unwrap_or_default();
    let head = Event::UsersHead { channel: channel.clone(), count, names };
    let rows = std::iter::once(head)
        .chain(lines.map(|names| Event::UsersMore { names }))
        .chain(users.into_iter().map(|user| row(user, channel.as_ref())))
        .collect();
    Ok(Outcome::Answer(rows, Done::Listed { count }))
}

fn row(user: UserRow, channel: Option<&ChannelName>) -> Event {
    let UserRow { name, person, operator } = user;
    Event::User { name, channel: channel.cloned(), operator, away: person.away() }
}
