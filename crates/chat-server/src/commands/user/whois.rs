//! `/whois`: shows a user's profile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::event::{Event, OkReply, WhoisInfo};
use chat_proto::name::UserName;
use chat_proto::time::Timestamp;

use crate::commands::{CommandContext, CommandResult, Response};
use crate::hub;
use crate::hub::channel::Channel;
use crate::hub::snapshot::Contact;
use crate::util::clock::on_the_wall;

/// Each address once.
fn addresses(devices: &[Arc<hub::client::Client>]) -> String {
    let all: BTreeSet<String> = devices.iter().map(|device| device.shown_address()).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

pub(crate) fn handle(context: &CommandContext<'_>, user: &UserName) -> CommandResult {
    let client = match context.hub.contact(user)? {
        Contact::Online(client) => client,
        Contact::Offline(account) => {
            let (name, seen, away) = (account.name.clone(), account.seen(), account.away());
            return Ok(Response::Answer(vec![Event::LastSeen { name, seen, away }], OkReply::Told));
        }
    };
    let devices = context.hub.devices(&client);
    let is_in = |channel: &&Arc<Channel>| devices.iter().any(|device| channel.role(device).member);
    let shares = context.inbox.channels().filter(is_in);
    // With several devices: online since the first one came, idle since the last input on any.
    let since = devices.iter().map(|device| device.since).min().unwrap_or(client.since);
    let last_line = devices.iter().map(|device| device.last_line_at.load(Ordering::Relaxed)).max();
    let last_line = Timestamp(last_line.unwrap_or(since.0));
    let info = WhoisInfo {
        name: client.name().unwrap_or_else(|| user.clone()),
        account: client.signed_in().map(|account| account.name.clone()),
        away: client.away(),
        shared: shares.map(|channel| channel.name.clone()).collect(),
        since: on_the_wall(since),
        idle_secs: context.now.seconds_since(last_line),
        online_secs: context.now.seconds_since(since),
        address: context.is_server_operator().then(|| addresses(&devices)),
    };
    Ok(Response::Answer(vec![Event::Whois(Box::new(info))], OkReply::Told))
}
