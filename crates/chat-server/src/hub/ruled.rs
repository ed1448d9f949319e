//! What operators of the server decided, read for answers: who may come in, and lists of all that holds.

use std::net::IpAddr;
use std::sync::Arc;

use chat_proto::command::Invite;
use chat_proto::event::ServerBan;
use chat_proto::id::Timestamp;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::secret::Secret;

use super::account::Account;
use super::channel::Channel;
use super::decree::Recorded;
use super::governing::Invitation;
use super::person::Person;
use super::ports::TokenHash;
use super::{Hub, lock};

/// A part of a list, and whether there is more after it.
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) has_more: bool,
}

/// Which rows of a list are asked for: those with `part` in their name, at most so many.
pub(crate) struct Asked<'a> {
    pub(crate) part: Option<&'a str>,
    pub(crate) most: usize,
}

/// An account, for operators of the server.
pub(crate) struct AccountRow {
    pub(crate) account: Arc<Account>,
    /// Connections that are signed in to it.
    pub(crate) connections: usize,
}

/// A channel, for operators of the server.
pub(crate) struct RunRow {
    pub(crate) name: ChannelName,
    pub(crate) members: usize,
    pub(crate) operators: Vec<UserName>,
    pub(crate) hidden: bool,
    pub(crate) invite_only: bool,
    /// At most: those that were hidden or not stored count as well.
    pub(crate) lines: u64,
}

impl Asked<'_> {
    fn has(&self, name: &str) -> bool {
        self.part.is_none_or(|part| name.contains(&part.to_lowercase()))
    }

    fn page<T>(&self, rows: impl Iterator<Item = T>) -> Page<T> {
        let mut rows: Vec<T> = rows.take(self.most.saturating_add(1)).collect();
        let has_more = rows.len() > self.most;
        rows.truncate(self.most);
        Page { rows, has_more }
    }
}

impl Hub {
    /// Connections by their numbers, those after `after`.
    pub(crate) fn connections(&self, asked: &Asked<'_>, after: u64) -> Page<Arc<Person>> {
        let mut all: Vec<_> = {
            let directory = lock(&self.directory);
            directory.everyone.values().filter(|one| one.id.0 > after).cloned().collect()
        };
        all.sort_unstable_by_key(|one| one.id);
        let is_asked_for = |one: &Arc<Person>| {
            asked.part.is_none() || one.name().is_some_and(|name| asked.has(name.key()))
        };
        asked.page(all.into_iter().filter(is_asked_for))
    }

    /// Accounts by name, those after `after`.
    pub(crate) fn account_page(
        &self,
        asked: &Asked<'_>,
        after: Option<&UserName>,
    ) -> Page<AccountRow> {
        let mut all: Vec<_> = {
            let accounts = lock(&self.accounts);
            let is_after =
                |account: &&Arc<Account>| after.is_none_or(|after| account.name > *after);
            accounts.all().filter(is_after).cloned().collect()
        };
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let page = asked.page(all.into_iter().filter(|account| asked.has(account.name.key())));
        let directory = lock(&self.directory);
        let row = |account: Arc<Account>| {
            let bearers = directory.bearers(&account.name);
            let connections = bearers.filter(|one| one.account() == Some(account.party)).count();
            AccountRow { account, connections }
        };
        Page { rows: page.rows.into_iter().map(row).collect(), has_more: page.has_more }
    }

    /// Channels by name, those after `after`.
    pub(crate) fn channel_page(
        &self,
        asked: &Asked<'_>,
        after: Option<&ChannelName>,
    ) -> Page<RunRow> {
        let mut all: Vec<_> = {
            let channels = self.channels.read();
            let is_after =
                |channel: &&Arc<Channel>| after.is_none_or(|after| channel.name > *after);
            channels.by_name.values().filter(is_after).cloned().collect()
        };
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let page = asked.page(all.into_iter().filter(|channel| asked.has(channel.name.key())));
        let row = |channel: Arc<Channel>| {
            let ((accounts, people), members, lines, hidden, invite_only) = {
                let state = channel.state();
                let settings = &state.rules.settings;
                let (hidden, invite_only) = (settings.hidden, settings.invite_only);
                let (members, lines) = (state.count(), state.line_count());
                (state.operators.all(), members, lines, hidden, invite_only)
            };
            let all = lock(&self.accounts);
            let names = accounts.into_iter().filter_map(|account| all.of(account));
            let mut operators: Vec<_> = names.map(|account| account.name.clone()).collect();
            drop(all);
            operators.extend(people.into_iter().filter_map(|person| person.name()));
            operators.sort();
            RunRow { name: channel.name.clone(), members, operators, hidden, invite_only, lines }
        };
        Page { rows: page.rows.into_iter().map(row).collect(), has_more: page.has_more }
    }

    /// Whether somebody may connect from there.
    pub(crate) fn may_come_in(
        &self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let ban = address.and_then(|address| lock(&self.governing).bans.on_address(address, now));
        ban.map_or(Ok(()), |ban| Err(Refusal::barred_at_the_door(ban.term, ban.reason.as_ref())))
    }

    /// Whether somebody may take a name; with `account` by signing in to that.
    pub(crate) fn may_be_called(
        &self,
        name: &UserName,
        account: Option<&Account>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let operator = account.is_some_and(Account::is_admin);
        let ban = lock(&self.governing).bans.on_name(name, operator, now);
        let Some(ban) = ban else { return Ok(()) };
        let (term, reason) = (ban.term, ban.reason.as_ref());
        Err(match account {
            Some(_) => Refusal::barred_account(name, term, reason),
            None => Refusal::barred_name(name, term, reason),
        })
    }

    /// Who is kept out, the oldest ban first.
    pub(crate) fn server_bans(&self, now: Timestamp) -> Vec<ServerBan> {
        lock(&self.governing).bans.all(now)
    }

    /// The hash of an invitation, if somebody can register with it now.
    pub(crate) fn invitation(&self, invite: &Invite, now: Timestamp) -> Result<TokenHash, Refusal> {
        let hash = self.vault.hash_of(&Secret::new(invite.expose()));
        let hash = hash.ok_or_else(Refusal::invitation_spent)?;
        lock(&self.governing).admits(&hash, now).map(|()| hash)
    }

    /// Invitations that can be used, the oldest first.
    pub(crate) fn invitations(&self, now: Timestamp) -> Vec<Invitation> {
        lock(&self.governing).invitations(now)
    }

    /// The last acts of the server's operators, oldest first.
    pub(crate) fn last_acts(&self, most: usize) -> Vec<Recorded> {
        lock(&self.governing).last_acts(most).cloned().collect()
    }

    /// The accounts that are operators of the server, by name, and whether they are here.
    pub(crate) fn operators(&self) -> Vec<(UserName, bool)> {
        let directory = lock(&self.directory);
        let accounts = lock(&self.accounts);
        let admins = accounts.all().filter(|account| account.is_admin());
        let mut all: Vec<_> = admins
            .map(|account| (account.name.clone(), directory.find(&account.name).is_some()))
            .collect();
        all.sort();
        all
    }
}
