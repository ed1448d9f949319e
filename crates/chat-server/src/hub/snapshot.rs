//! What is shared, read for answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_proto::command::near;
use chat_proto::event::{Event, Restricted, Term};
use chat_proto::fold::folded;
use chat_proto::id::{LineId, Timestamp};
use chat_proto::limits::MAX_NEAREST;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::account::Account;
use super::channel::{Channel, Role};
use super::person::{Party, Person};
use super::rules::List;
use super::{Hub, lock};

/// Names that a mistyped one is compared with, which takes about 2 ms. They are copied first, so that nobody
/// waits for the comparing.
const COMPARED: usize = 10_000;

/// One channel, for a list.
pub(crate) struct ChannelRow {
    pub(crate) name: ChannelName,
    pub(crate) members: usize,
    pub(crate) topic: Option<Text>,
}

impl From<ChannelRow> for Event {
    fn from(row: ChannelRow) -> Self {
        let ChannelRow { name, members, topic } = row;
        Self::Channel { name, members, topic }
    }
}

/// Somebody in a list.
pub(crate) struct UserRow {
    pub(crate) name: UserName,
    pub(crate) person: Arc<Person>,
    pub(crate) operator: bool,
}

/// Somebody to write to.
pub(crate) enum Whom {
    /// They are here, perhaps on several devices.
    Here(Arc<Person>),
    /// They have an account and aren't here.
    Account(Arc<Account>),
}

impl Whom {
    pub(crate) fn party(&self) -> Party {
        match self {
            Self::Here(person) => person.party(),
            Self::Account(account) => account.party,
        }
    }

    pub(super) fn has_account(&self) -> bool {
        match self {
            Self::Here(person) => person.account().is_some(),
            Self::Account(_) => true,
        }
    }

    /// Their name now, which was `called`.
    pub(crate) fn name(&self, called: &UserName) -> UserName {
        match self {
            Self::Here(person) => person.name().unwrap_or_else(|| called.clone()),
            Self::Account(account) => account.name.clone(),
        }
    }
}

impl Hub {
    /// Somebody to write to by name.
    pub(crate) fn whom(&self, name: &UserName) -> Result<Whom, Refusal> {
        if let Some(person) = lock(&self.directory).find(name) {
            return Ok(Whom::Here(Arc::clone(person)));
        }
        if let Some(account) = self.account(name) {
            return Ok(Whom::Account(account));
        }
        self.person(name).map(Whom::Here)
    }

    /// The very person with whom a private chat is, called `name` when it was last heard: not somebody
    /// else who took the name.
    pub(crate) fn whom_with(&self, party: Party, name: &UserName) -> Result<Whom, Refusal> {
        let somebody_else = {
            let directory = lock(&self.directory);
            if let Some(guest) = directory.guest(party) {
                return Ok(Whom::Here(Arc::clone(guest)));
            }
            match directory.find(name) {
                Some(person) if person.party() == party => {
                    return Ok(Whom::Here(Arc::clone(person)));
                }
                found => found.is_some(),
            }
        };
        let account = lock(&self.accounts).of(party).cloned();
        account.map(Whom::Account).ok_or_else(|| Refusal::gone_from_chat(name, somebody_else))
    }

    /// An account by its name.
    pub(crate) fn account(&self, name: &UserName) -> Option<Arc<Account>> {
        lock(&self.accounts).find(name).cloned()
    }

    /// On how many devices somebody of this name is here.
    pub(crate) fn device_count(&self, name: &UserName) -> usize {
        lock(&self.directory).bearers(name).count()
    }

    /// All devices on which somebody is here, this one included.
    pub(crate) fn devices(&self, person: &Arc<Person>) -> Vec<Arc<Person>> {
        match (person.account(), person.name()) {
            (Some(account), Some(name)) => {
                let directory = lock(&self.directory);
                let devices = directory.bearers(&name);
                devices.filter(|device| device.account() == Some(account)).cloned().collect()
            }
            _ => vec![Arc::clone(person)],
        }
    }

    /// A person by name.
    pub(crate) fn person(&self, name: &UserName) -> Result<Arc<Person>, Refusal> {
        let known: BTreeSet<UserName> = {
            let directory = lock(&self.directory);
            if let Some(person) = directory.find(name) {
                return Ok(Arc::clone(person));
            }
            let here = directory.named().take(COMPARED).map(|(name, _)| name.clone());
            let accounts = lock(&self.accounts);
            let others = |named: &&UserName| *named != name;
            let absent = accounts.named().filter(others).take(COMPARED).cloned();
            here.chain(absent).collect::<BTreeSet<_>>()
        };
        let known = known.iter().map(|name| (name.key(), name.as_str()));
        Err(Refusal::no_such_user(name.as_str(), &near(name.key(), known, MAX_NEAREST)))
    }

    /// A channel by name, whether anybody may know of it or not.
    pub(super) fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, Refusal> {
        let channels = self.channels.read();
        let found = channels.by_name.get(name).cloned();
        drop(channels);
        found.ok_or_else(|| self.no_such_channel(name))
    }

    /// A channel by name, for somebody. One that they may not know of is one that isn't there.
    pub(crate) fn channel_for(
        &self,
        person: &Person,
        name: &ChannelName,
        now: Timestamp,
    ) -> Result<Arc<Channel>, Refusal> {
        let channel = self.channel(name)?;
        if channel.is_known_to(person, now) { Ok(channel) } else { Err(self.no_such_channel(name)) }
    }

    /// The same answer for a channel that isn't there and for one that nobody may know of: neither is named.
    pub(super) fn no_such_channel(&self, name: &ChannelName) -> Refusal {
        let known: Vec<ChannelName> = {
            let channels = self.channels.read();
            let shown = channels.by_name.values().filter(|channel| !channel.is_hidden());
            shown.take(COMPARED).map(|channel| channel.name.clone()).collect()
        };
        let known = known.iter().map(|name| (name.key(), name.bare()));
        Refusal::no_such_channel(name, &near(name.key(), known, MAX_NEAREST))
    }

    /// The channels that somebody may know of and whose name contains `part` in any case, by name.
    pub(crate) fn channels(
        &self,
        person: &Person,
        part: Option<&str>,
        now: Timestamp,
    ) -> Vec<ChannelRow> {
        let part = part.map(folded);
        let wanted = |channel: &&Arc<Channel>| {
            part.as_ref().is_none_or(|part| folded(channel.name.bare()).contains(&**part))
        };
        let mut found: Vec<Arc<Channel>> = {
            let channels = self.channels.read();
            channels.by_name.values().filter(wanted).cloned().collect()
        };
        found.retain(|channel| channel.is_known_to(person, now));
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let row = |channel: Arc<Channel>| ChannelRow {
            name: channel.name.clone(),
            members: channel.count(),
            topic: channel.topic(),
        };
        found.into_iter().map(row).collect()
    }

    /// The account of this name, whether anybody is signed in to it or not.
    pub(crate) fn account_called(&self, name: &UserName) -> Option<Party> {
        self.account(name).map(|account| account.party)
    }

    /// Why somebody may not write to somebody else first: from what channel alone they know each other, if they are
    /// banned from it or, with `false`, muted in it, and for how long. `own` are the channels that the one who
    /// writes is in. Who was written to before may write.
    pub(crate) fn restricted_acquaintance<'a>(
        &self,
        person: &Person,
        other: &Whom,
        own: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) -> Option<(bool, ChannelName, Term)> {
        if lock(&self.restricting).is_empty() {
            return None;
        }
        if let Whom::Here(other) = other
            && lock(&self.private).queue(other.id, person.id).is_some()
        {
            return None;
        }
        let watched = lock(&self.restricting).clone();
        let restricted = watched.iter().find_map(|channel| {
            channel
                .ask(person, now, |standing| {
                    let mark = standing.ban.map(|ban| (true, ban));
                    let mark = mark.or(standing.mute.map(|mute| (false, mute)));
                    // Nobody learns from this that there is a channel which they don't know.
                    let may = |_: &_| !standing.operator && standing.knows();
                    let (is_ban, mark) = mark.filter(may)?;
                    Some((is_ban, channel.name.clone(), mark.term))
                })
                .filter(|_| channel.has_member(other))
        })?;
        let is_free = |channel: &&Arc<Channel>| {
            channel.has_member(other)
                && channel.ask(person, now, |standing| {
                    standing.member && (standing.operator || standing.mute.is_none())
                })
        };
        let mut own = own;
        own.by_ref().find(is_free).is_none().then_some(restricted)
    }

    /// How many channels there are of which everybody may know, and how many people have a name.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let channels = self.channels.read();
        let shown = channels.by_name.values().filter(|channel| !channel.is_hidden()).count();
        drop(channels);
        (shown, lock(&self.directory).named().len())
    }

    /// Everybody who has a name, by name.
    pub(crate) fn online(&self) -> Vec<UserRow> {
        let mut rows: Vec<_> = lock(&self.directory)
            .named()
            .map(|(name, person)| UserRow {
                name: name.clone(),
                person: Arc::clone(person),
                operator: false,
            })
            .collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows
    }
}

impl Channel {
    /// Everybody in it, by name.
    pub(crate) fn members(&self) -> Vec<UserRow> {
        let state = self.state();
        let mut rows: Vec<_> = state
            .members
            .values()
            .filter_map(|member| {
                Some(UserRow {
                    name: member.person.name()?,
                    operator: state.is_operator(&member.person),
                    person: Arc::clone(&member.person),
                })
            })
            .collect();
        drop(state);
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        // Several devices of one person.
        rows.dedup_by(|one, other| one.name == other.name);
        rows
    }

    /// How many are in it.
    pub(crate) fn count(&self) -> usize {
        self.state().count()
    }

    pub(crate) fn topic(&self) -> Option<Text> {
        self.state().topic.clone()
    }

    /// Lines up to this one are kept no more.
    pub(crate) fn floor(&self) -> LineId {
        self.state().floor
    }

    /// The last line that everybody in it was handed.
    pub(crate) fn last_line(&self) -> LineId {
        self.state().last_line
    }

    /// What a person is in it.
    pub(crate) fn role(&self, person: &Person) -> Role {
        self.state().role(person)
    }

    /// Whether somebody may know that it is there.
    pub(super) fn is_known_to(&self, person: &Person, now: Timestamp) -> bool {
        !self.is_hidden()
            || self.state().standing(&self.name, person, &person.who(), now, None).knows()
    }

    /// Whether somebody is in it, here or when they come back.
    fn has_member(&self, whom: &Whom) -> bool {
        match whom {
            Whom::Here(person) => self.state().holds(person),
            Whom::Account(account) => account.is_in(&self.name),
        }
    }

    /// The marks of a list that hold at this moment, the oldest first.
    pub(crate) fn marks(&self, list: List, now: Timestamp) -> Vec<Restricted> {
        self.state().rules.holding(list, now).map(|mark| mark.shown.clone()).collect()
    }

    /// Every setting and its value; an operator is told all of it.
    pub(crate) fn settings(&self, to_operator: bool) -> Vec<(&'static str, String)> {
        self.state().rules.settings.all(to_operator).collect()
    }
}
