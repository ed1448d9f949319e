//! `/channels`: lists the channels whose names contain a text.

use chat_proto::command::Command;
use chat_proto::command_table::CommandKind;
use chat_proto::event::{Event, Sentence};
use chat_proto::limits::{LIST_ROWS, LISTED_TOPIC_CHARS, NAMELESS_LIST_ROWS};
use chat_proto::name::ChannelName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Response, done};
use crate::hub::snapshot::ListPage;

/// Without a name, a client gets one short page.
const NAME_FIRST: &str = "There are more. Give a name first, then /channels shows them.";

pub(crate) fn handle(
    context: &CommandContext<'_>,
    part: Option<Text>,
    after: Option<&ChannelName>,
) -> CommandResult {
    let is_named = context.state.name.is_some();
    if after.is_some() && !is_named {
        return Err(Refusal::not_named(Some(CommandKind::Channels.spec())));
    }
    let most = if is_named { LIST_ROWS } else { NAMELESS_LIST_ROWS };
    let wanted = part.as_ref().map(Text::as_str);
    let page = context.hub.channels(context.client, wanted, after, most, context.now);
    let ListPage { count, rows, has_more, looked_at } = page;
    let last = rows.last().filter(|_| has_more && is_named).map(|last| last.name.clone());
    let next = last.map(|last| Command::Channels(part.clone(), Some(last)));
    let done = done(rows.len(), next);
    let head = Event::ChannelsHead { count, part };
    let end = (has_more && !is_named).then(|| Event::Notice(Sentence::new(NAME_FIRST)));
    let rows = rows.into_iter().map(|channel| Event::Channel {
        name: channel.name.clone(),
        members: channel.count(),
        topic: channel.topic().map(|topic| topic.shortened(LISTED_TOPIC_CHARS)),
    });
    let rows = std::iter::once(head).chain(rows).chain(end);
    Ok(Response::List { rows: Box::new(rows), looked_at, done })
}
