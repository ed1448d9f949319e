//! `/whois`: about one person.

use std::sync::atomic::Ordering;

use chat_proto::event::{Done, Event, Person};
use chat_proto::id::Timestamp;
use chat_proto::name::UserName;

use super::{Asker, Handled, Outcome};

pub(super) fn handle(asker: &Asker<'_>, user: &UserName) -> Handled {
    let person = asker.hub.person(user)?;
    let shares = asker.inbox.channels().filter(|channel| channel.role(person.id).member);
    let last_line = Timestamp(person.last_line_at.load(Ordering::Relaxed));
    let told = Person {
        name: person.name().unwrap_or_else(|| user.clone()),
        away: person.away(),
        shared: shares.map(|channel| channel.name.clone()).collect(),
        since: person.since,
        idle_secs: asker.now.seconds_since(last_line),
        online_secs: asker.now.seconds_since(person.since),
    };
    Ok(Outcome::Answer(vec![Event::Whois(Box::new(told))], Done::Told))
}
