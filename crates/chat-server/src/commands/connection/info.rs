//! `/info`: about oneself.

use chat_proto::event::{Event, OkReply, SelfInfo};
use chat_proto::refusal::Refusal;

use crate::commands::{Asker, Handled, Outcome};

use crate::util::clock::on_the_wall;

pub(crate) fn handle(asker: &Asker<'_>) -> Handled {
    let name = asker.me.name.clone().ok_or_else(|| Refusal::not_named(None))?;
    let away = asker.client.away();
    let own = SelfInfo {
        account: Some(name.clone()).filter(|_| asker.me.is_signed_in()),
        name,
        current: asker.me.current().cloned(),
        channels: asker.inbox.channels().map(|channel| channel.name.clone()).collect(),
        address: asker.me.address.to_string(),
        since: on_the_wall(asker.client.since),
        connected_secs: asker.now.seconds_since(asker.client.since),
        away,
    };
    Ok(Outcome::Answer(vec![Event::Info(Box::new(own))], OkReply::Told))
}
