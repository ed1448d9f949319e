//! `/users`: lists the members of a channel, by default the current one, or all online users.

use chat_proto::command::Command;
use chat_proto::conversation::Conversation;
use chat_proto::event::Event;
use chat_proto::limits::LIST_ROWS;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;

use crate::commands::{CommandContext, CommandResult, Response, done};
use crate::hub::channel::Channel;
use crate::hub::snapshot::{ListPage, UserRow};
use crate::policy;

/// Names in one line of the text format, which stays about as long as the longest line of input.
const NAMES_IN_LINE: usize = 100;

pub(crate) fn handle(
    context: &CommandContext<'_>,
    name: Option<&ChannelName>,
    after: Option<&UserName>,
) -> CommandResult {
    let channel = match (name, context.state.current()) {
        (Some(name), _) => Some(context.channel(name)?),
        (None, Some(Conversation::Channel(name))) => {
            Some(context.channel(name).map_err(|_| Refusal::not_in_channel(name))?)
        }
        (None, _) => None,
    };
    if let Some(channel) = &channel {
        channel.ask(context.client, context.now, policy::channel::may_see_members)?;
    }
    let ListPage { count, rows, has_more, looked_at } = match &channel {
        Some(channel) => channel.members(after, LIST_ROWS),
        None => context.hub.online(after, LIST_ROWS),
    };
    let name = channel.as_ref().map(|channel| channel.name.clone());
    let last = rows.last().filter(|_| has_more).map(|last| last.name.clone());
    let next = last.map(|last| Command::Users(name.clone(), Some(last)));
    let done = done(rows.len(), next);
    let names: Vec<UserName> = rows.iter().map(|row| row.name.clone()).collect();
    let mut lines = names.chunks(NAMES_IN_LINE).map(<[UserName]>::to_vec);
    let names = lines.next().unwrap_or_default();
    let more: Vec<_> = lines.collect();
    let head = Event::UsersHead { channel: name, count, names };
    let rows = std::iter::once(head)
        .chain(more.into_iter().map(|names| Event::UsersMore { names }))
        .chain(rows.into_iter().map(move |user| row(user, channel.as_deref())));
    Ok(Response::List { rows: Box::new(rows), looked_at, done })
}

fn row(user: UserRow, channel: Option<&Channel>) -> Event {
    let UserRow { name, client } = user;
    let operator = channel.is_some_and(|channel| channel.role(&client).operator);
    Event::User {
        name,
        channel: channel.map(|channel| channel.name.clone()),
        operator,
        away: client.away(),
    }
}
