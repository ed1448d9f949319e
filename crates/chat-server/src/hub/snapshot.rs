//! The only reader of the shared state for answers.

pub(crate) mod admin;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::event::{Restriction, Term};
use chat_proto::fold::folded;
use chat_proto::id::MessageId;
use chat_proto::limits::MAX_NEAREST;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::suggest::suggestions;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::channel::moderation::ListKind;
use crate::hub::channel::{Channel, Role};
use crate::hub::client::Client;
use crate::hub::client::account::Account;
use crate::hub::id::UserId;
use crate::util::sync::lock;

/// Names that a mistyped one is compared with, which takes about 0.1 ms: all, if there are no more,
/// otherwise its neighbours in the order.
const COMPARED: usize = 512;

/// Channels read with the lock held once.
const CHANNELS_A_SLICE: usize = 64;

/// Candidates for a mistyped name.
fn around<'a, N: Ord, T>(
    all: &'a BTreeMap<N, T>,
    name: &'a N,
) -> impl Iterator<Item = (&'a N, &'a T)> {
    let some = if all.len() <= COMPARED { COMPARED } else { COMPARED / 2 };
    let before = all.range(..name).rev().take(some);
    before.chain(all.range(name..).take(some))
}

/// The names nearest to one.
fn nearest<'a>(
    name: &UserName,
    known: impl Iterator<Item = &'a UserName>,
) -> impl Iterator<Item = UserName> {
    let known: BTreeMap<&str, &UserName> = known.map(|known| (known.key(), known)).collect();
    let near = suggestions(name.key(), known.keys().map(|key| (*key, *key)), MAX_NEAREST);
    let near: Vec<_> =
        near.into_iter().filter_map(|key| known.get(key).copied().cloned()).collect();
    near.into_iter()
}

/// A channel that restricts a user: they are banned from it or, if not `is_ban`, muted in it.
pub(crate) struct ChannelRestriction {
    pub(crate) is_ban: bool,
    pub(crate) channel: ChannelName,
    pub(crate) term: Term,
}

/// A page of a list.
pub(crate) struct ListPage<T> {
    /// For the head of the list.
    pub(crate) count: usize,
    pub(crate) rows: Vec<T>,
    /// Whether more rows follow.
    pub(crate) has_more: bool,
    /// Entries examined for it.
    pub(crate) looked_at: usize,
}

/// A user in a list.
pub(crate) struct UserRow {
    pub(crate) name: UserName,
    pub(crate) client: Arc<Client>,
}

/// A recipient of private messages.
pub(crate) enum Contact {
    /// Online, perhaps on several devices.
    Online(Arc<Client>),
    /// An account that is offline.
    Offline(Arc<Account>),
}

impl Contact {
    pub(crate) fn user_id(&self) -> UserId {
        match self {
            Self::Online(client) => client.user_id(),
            Self::Offline(account) => account.user_id,
        }
    }

    pub(super) fn has_account(&self) -> bool {
        match self {
            Self::Online(client) => client.account().is_some(),
            Self::Offline(_) => true,
        }
    }

    /// The present name; `called` is the last known one.
    pub(crate) fn name(&self, called: &UserName) -> UserName {
        match self {
            Self::Online(client) => client.name().unwrap_or_else(|| called.clone()),
            Self::Offline(account) => account.name.clone(),
        }
    }
}

impl Hub {
    /// A recipient by name.
    pub(crate) fn contact(&self, name: &UserName) -> Result<Contact, Refusal> {
        if let Some(client) = lock(&self.directory).find(name) {
            return Ok(Contact::Online(Arc::clone(client)));
        }
        if let Some(account) = self.account(name) {
            return Ok(Contact::Offline(account));
        }
        self.client(name).map(Contact::Online)
    }

    /// The user of an existing private chat, last known as `name`: not another user who took the
    /// name.
    pub(crate) fn contact_with(
        &self,
        user_id: UserId,
        name: &UserName,
    ) -> Result<Contact, Refusal> {
        let another_user = {
            let directory = lock(&self.directory);
            if let Some(guest) = directory.guest(user_id) {
                return Ok(Contact::Online(Arc::clone(guest)));
            }
            match directory.find(name) {
                Some(client) if client.user_id() == user_id => {
                    return Ok(Contact::Online(Arc::clone(client)));
                }
                found => found.is_some(),
            }
        };
        let account = lock(&self.accounts).of(user_id).cloned();
        account.map(Contact::Offline).ok_or_else(|| Refusal::gone_from_chat(name, another_user))
    }

    /// An account by name.
    pub(crate) fn account(&self, name: &UserName) -> Option<Arc<Account>> {
        lock(&self.accounts).find(name).cloned()
    }

    /// The number of devices online under this name.
    pub(crate) fn device_count(&self, name: &UserName) -> usize {
        lock(&self.directory).owners(name).count()
    }

    /// All devices of the user, this one included.
    pub(crate) fn devices(&self, client: &Arc<Client>) -> Vec<Arc<Client>> {
        match (client.account(), client.name()) {
            (Some(account), Some(name)) => {
                let directory = lock(&self.directory);
                let devices = directory.owners(&name);
                devices.filter(|device| device.account() == Some(account)).cloned().collect()
            }
            _ => vec![Arc::clone(client)],
        }
    }

    /// A client by name.
    pub(crate) fn client(&self, name: &UserName) -> Result<Arc<Client>, Refusal> {
        let mut known: BTreeSet<UserName> = {
            let directory = lock(&self.directory);
            if let Some(client) = directory.find(name) {
                return Ok(Arc::clone(client));
            }
            nearest(name, around(directory.by_name(), name).map(|(name, _)| name)).collect()
        };
        {
            let accounts = lock(&self.accounts);
            let around = around(accounts.by_name(), name).map(|(name, _)| name);
            known.extend(nearest(name, around.filter(|other| *other != name)));
        }
        let known = known.iter().map(|name| (name.key(), name.as_str()));
        Err(Refusal::no_such_user(name.as_str(), &suggestions(name.key(), known, MAX_NEAREST)))
    }

    /// A channel by name, hidden or not.
    pub(super) fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, Refusal> {
        let channels = self.channels.read();
        let found = channels.by_name.get(name).cloned();
        drop(channels);
        found.ok_or_else(|| self.no_such_channel(name))
    }

    /// A channel by name, for a client. A hidden one that it may not know of is reported as
    /// missing.
    pub(crate) fn channel_for(
        &self,
        client: &Client,
        name: &ChannelName,
        now: Timestamp,
    ) -> Result<Arc<Channel>, Refusal> {
        let channel = self.channel(name)?;
        if channel.is_known_to(client, now) { Ok(channel) } else { Err(self.no_such_channel(name)) }
    }

    /// The refusal for a missing channel, the same for a hidden one: neither is suggested.
    pub(super) fn no_such_channel(&self, name: &ChannelName) -> Refusal {
        let near: Vec<String> = {
            let channels = self.channels.read();
            let around = around(&channels.by_name, name);
            let shown = around.filter(|(_, channel)| !channel.is_hidden());
            let known = shown.map(|(name, _)| (name.key(), name.bare()));
            suggestions(name.key(), known, MAX_NEAREST).into_iter().map(ToOwned::to_owned).collect()
        };
        let near: Vec<&str> = near.iter().map(String::as_str).collect();
        Refusal::no_such_channel(name, &near)
    }

    /// The channels that a client may know of and whose name contains `part` in any case, by name:
    /// those after `after`, at most `most`.
    pub(crate) fn channels(
        &self,
        client: &Client,
        part: Option<&str>,
        after: Option<&ChannelName>,
        most: usize,
        now: Timestamp,
    ) -> ListPage<Arc<Channel>> {
        let part = part.map(folded);
        let is_wanted = |channel: &Channel| {
            let name = channel.name.bare();
            part.as_ref().is_none_or(|part| folded(name).contains(&**part))
                && channel.is_known_to(client, now)
        };
        let mut page = ListPage { count: 0, rows: Vec::new(), has_more: false, looked_at: 0 };
        let mut last = after.cloned();
        loop {
            let some: Vec<Arc<Channel>> = {
                let from = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let channels = self.channels.read();
                let range = channels.by_name.range::<ChannelName, _>((from, Bound::Unbounded));
                range.take(CHANNELS_A_SLICE).map(|(_, channel)| Arc::clone(channel)).collect()
            };
            let Some(end) = some.last() else { return page };
            last = Some(end.name.clone());
            page.looked_at += some.len();
            for channel in some.into_iter().filter(|channel| is_wanted(channel)) {
                if page.rows.len() == most {
                    page.has_more = true;
                    return page;
                }
                page.rows.push(channel);
                page.count += 1;
            }
        }
    }

    /// The account of this name, online or not.
    pub(crate) fn account_called(&self, name: &UserName) -> Option<UserId> {
        self.account(name).map(|account| account.user_id)
    }

    /// The channel whose ban or mute prevents a first private message: the two share only channels
    /// in which the sender is restricted. `own` are the sender's channels. An open chat is not
    /// restricted.
    pub(crate) fn restricted_acquaintance<'a>(
        &self,
        client: &Client,
        other: &Contact,
        own: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) -> Option<ChannelRestriction> {
        if lock(&self.index).has_no_entries() {
            return None;
        }
        if let Contact::Online(other) = other
            && lock(&self.private).queue(other.id, client.id).is_some()
        {
            return None;
        }
        let who = client.who();
        let watched = lock(&self.index).about(&who);
        let restricted = watched.iter().find_map(|channel| {
            channel
                .ask(client, now, |access| {
                    let list_entry = access.ban.map(|ban| (true, ban));
                    let list_entry = list_entry.or(access.mute.map(|mute| (false, mute)));
                    // The refusal doesn't reveal an unknown channel.
                    let may = |_: &_| !access.operator && access.knows();
                    let (is_ban, list_entry) = list_entry.filter(may)?;
                    Some(ChannelRestriction {
                        is_ban,
                        channel: channel.name.clone(),
                        term: list_entry.term,
                    })
                })
                .filter(|_| channel.has_member(other))
        })?;
        let is_free = |channel: &&Arc<Channel>| {
            channel.has_member(other)
                && channel.ask(client, now, |access| {
                    access.member && (access.operator || access.mute.is_none())
                })
        };
        let mut own = own;
        own.by_ref().find(is_free).is_none().then_some(restricted)
    }

    /// Visits all channels without holding the lock of their list. One that is created meanwhile
    /// may be skipped.
    pub(super) fn each_channel(&self, mut look_at: impl FnMut(&Arc<Channel>)) {
        let mut after = Bound::Unbounded;
        loop {
            let some: Vec<_> = {
                let channels = self.channels.read();
                let range = channels.by_name.range((after, Bound::Unbounded));
                range.take(CHANNELS_A_SLICE).map(|(_, channel)| Arc::clone(channel)).collect()
            };
            some.iter().for_each(&mut look_at);
            match some.last() {
                Some(last) => after = Bound::Excluded(last.name.clone()),
                None => return,
            }
        }
    }

    /// The number of visible channels, and of named users.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let channels = self.channels.read();
        let shown = channels.by_name.len().saturating_sub(self.hidden.load(Ordering::Relaxed));
        drop(channels);
        (shown, lock(&self.directory).named().len())
    }

    /// The named users, by name: a page after `after`; or the first page, with the total.
    pub(crate) fn online(&self, after: Option<&UserName>, most: usize) -> ListPage<UserRow> {
        let directory = lock(&self.directory);
        let mut all = directory.named_after(after);
        let row = |(name, client): (&UserName, &Arc<Client>)| UserRow {
            name: name.clone(),
            client: Arc::clone(client),
        };
        let rows: Vec<_> = all.by_ref().take(most).map(row).collect();
        let count = if after.is_none() { directory.named().len() } else { rows.len() };
        ListPage { count, has_more: all.next().is_some(), looked_at: rows.len(), rows }
    }
}

impl Channel {
    /// The members, by name: a page after `after`; or the first page, with the total.
    pub(crate) fn members(&self, after: Option<&UserName>, most: usize) -> ListPage<UserRow> {
        let people: Vec<Arc<Client>> = {
            let state = self.state();
            state.members.values().map(|member| Arc::clone(&member.client)).collect()
        };
        let looked_at = people.len();
        let row = |client: Arc<Client>| Some(UserRow { name: client.name()?, client });
        let is_after = |row: &UserRow| after.is_none_or(|after| row.name > *after);
        let mut rows: Vec<_> = people.into_iter().filter_map(row).filter(is_after).collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        // Several devices of one user.
        rows.dedup_by(|one, other| one.name == other.name);
        let has_more = rows.len() > most;
        let count = if after.is_none() { rows.len() } else { rows.len().min(most) };
        rows.truncate(most);
        ListPage { count, rows, has_more, looked_at }
    }

    /// The number of members.
    pub(crate) fn count(&self) -> usize {
        self.state().count()
    }

    pub(crate) fn topic(&self) -> Option<Text> {
        self.state().topic.clone()
    }

    /// Messages up to this id are deleted.
    pub(crate) fn floor(&self) -> MessageId {
        self.state().floor
    }

    /// The last message published.
    pub(crate) fn last_line(&self) -> MessageId {
        self.state().last_line
    }

    /// A client's role in it.
    pub(crate) fn role(&self, client: &Client) -> Role {
        self.state().role(client)
    }

    /// Whether a client may know of it.
    pub(super) fn is_known_to(&self, client: &Client, now: Timestamp) -> bool {
        !self.is_hidden()
            || self.state().access(&self.name, client, &client.who(), now, None).knows()
    }

    /// Whether the user is a member, online or not.
    fn has_member(&self, whom: &Contact) -> bool {
        match whom {
            Contact::Online(client) => self.state().holds(client),
            Contact::Offline(account) => account.is_in(&self.name),
        }
    }

    /// The list entries in force, oldest first.
    pub(crate) fn list_entries(&self, list: ListKind, now: Timestamp) -> Vec<Restriction> {
        self.state()
            .moderation
            .holding(list, now)
            .map(|list_entry| list_entry.shown.clone())
            .collect()
    }

    /// Every setting and its value; words are shown to operators only.
    pub(crate) fn settings(&self, to_operator: bool) -> Vec<(&'static str, String)> {
        self.state().moderation.settings.all(to_operator).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::client::account::StoredAccount;
    use crate::hub::limits::Limits;

    /// However many names there are, few are compared, and the neighbours of the typed one are
    /// among them.
    #[test]
    fn a_mistyped_name_finds_its_neighbours_among_many() {
        let hub = Hub::in_memory(Limits::small());
        let name = |name: &str| UserName::new(name).unwrap();
        for user_id in 1..=20_000_u64 {
            let called = if user_id == 1 { "alice".to_owned() } else { format!("user{user_id}") };
            lock(&hub.accounts).add(StoredAccount {
                user_id: UserId(user_id),
                name: name(&called),
                password: "".into(),
                away: None,
                seen: Timestamp(0),
                admin: false,
                ignored: Vec::new(),
                channels: Vec::new(),
            });
        }
        let refusal = hub.client(&name("alise")).unwrap_err();
        assert!(refusal.text().contains("alice"), "{}", refusal.text());
        let (typed, accounts) = (name("nothere"), lock(&hub.accounts));
        assert!(around(accounts.by_name(), &typed).count() <= COMPARED);
    }
}
