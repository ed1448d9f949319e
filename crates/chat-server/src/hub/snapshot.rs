//! What is shared, read for answers.

use std::sync::{Arc, PoisonError};

use chat_proto::command::near;
use chat_proto::event::Event;
use chat_proto::id::LineId;
use chat_proto::limits::MAX_NEAREST;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::channel::{Channel, Role};
use super::person::{Person, PersonId};
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

impl Hub {
    /// A person by name.
    pub(crate) fn person(&self, name: &UserName) -> Result<Arc<Person>, Refusal> {
        let known: Vec<UserName> = {
            let directory = lock(&self.directory);
            if let Some(person) = directory.find(name) {
                return Ok(Arc::clone(person));
            }
            directory.named().take(COMPARED).map(|(name, _)| name.clone()).collect()
        };
        let known = known.iter().map(|name| (name.key(), name.as_str()));
        Err(Refusal::no_such_user(name.as_str(), &near(name.key(), known, MAX_NEAREST)))
    }

    /// The very person with whom a private chat is, called `name` when it was last heard: not somebody
    /// else who took the name.
    pub(crate) fn person_with(
        &self,
        id: PersonId,
        name: &UserName,
    ) -> Result<Arc<Person>, Refusal> {
        let directory = lock(&self.directory);
        directory.everyone.get(&id).cloned().ok_or_else(|| {
            let somebody_else = directory.find(name).is_some();
            Refusal::gone_from_chat(name, somebody_else)
        })
    }

    /// A channel by name.
    pub(crate) fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, Refusal> {
        let known: Vec<ChannelName> = {
            let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(channel) = channels.by_name.get(name) {
                return Ok(Arc::clone(channel));
            }
            channels.by_name.keys().take(COMPARED).cloned().collect()
        };
        let known = known.iter().map(|name| (name.key(), name.bare()));
        Err(Refusal::no_such_channel(name, &near(name.key(), known, MAX_NEAREST)))
    }

    pub(super) fn no_such_channel(&self, name: &ChannelName) -> Refusal {
        self.channel(name).err().unwrap_or_else(|| Refusal::no_such_channel(name, &[]))
    }

    /// The channels whose name contains `part` in any case, by name.
    pub(crate) fn channels(&self, part: Option<&str>) -> Vec<ChannelRow> {
        let part = part.map(str::to_lowercase);
        let wanted = |channel: &&Arc<Channel>| {
            part.as_ref().is_none_or(|part| channel.name.key().contains(part.as_str()))
        };
        let mut found: Vec<Arc<Channel>> = {
            let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
            channels.by_name.values().filter(wanted).cloned().collect()
        };
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let row = |channel: Arc<Channel>| ChannelRow {
            name: channel.name.clone(),
            members: channel.count(),
            topic: channel.topic(),
        };
        found.into_iter().map(row).collect()
    }

    /// How many channels there are, and how many people have a name.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner).by_name.len();
        (channels, lock(&self.directory).named().len())
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
                    operator: state.is_operator(member.person.id),
                    person: Arc::clone(&member.person),
                })
            })
            .collect();
        drop(state);
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows
    }

    /// Those of its operators who are in it, by name.
    pub(crate) fn operators(&self) -> Vec<UserName> {
        let operators = self.members().into_iter().filter(|row| row.operator);
        operators.map(|row| row.name).collect()
    }

    /// How many are in it.
    pub(crate) fn count(&self) -> usize {
        self.state().members.len()
    }

    pub(crate) fn topic(&self) -> Option<Text> {
        self.state().topic.clone()
    }

    /// The last line that everybody in it was handed.
    pub(crate) fn last_line(&self) -> LineId {
        self.state().last_line
    }

    /// What a person is in it.
    pub(crate) fn role(&self, id: PersonId) -> Role {
        self.state().role(id)
    }
}
