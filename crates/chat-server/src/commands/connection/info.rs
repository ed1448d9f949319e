//! `/info`: the client's own data.

use chat_proto::event::{Event, OkReply, SelfInfo};
use chat_proto::refusal::Refusal;

use crate::commands::{CommandContext, CommandResult, Response};

use crate::util::clock::on_the_wall;

pub(crate) fn handle(context: &CommandContext<'_>) -> CommandResult {
    let name = context.state.name.clone().ok_or_else(|| Refusal::not_named(None))?;
    let away = context.client.away();
    let own = SelfInfo {
        account: Some(name.clone()).filter(|_| context.state.is_signed_in()),
        name,
        current: context.state.current().cloned(),
        channels: context.inbox.channels().map(|channel| channel.name.clone()).collect(),
        address: context.state.address.to_string(),
        since: on_the_wall(context.client.since),
        connected_secs: context.now.seconds_since(context.client.since),
        away,
    };
    Ok(Response::Answer(vec![Event::Info(Box::new(own))], OkReply::Told))
}
