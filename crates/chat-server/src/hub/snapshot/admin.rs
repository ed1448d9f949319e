//! Reads server moderation and lists for server operators.

use std::net::IpAddr;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use chat_proto::command::InvitationCode;
use chat_proto::event::ServerBan;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::secret::Secret;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::admin::command::AuditEntry;
use crate::hub::admin::server_moderation::Invitation;
use crate::hub::channel::Channel;
use crate::hub::client::Client;
use crate::hub::client::account::Account;
use crate::hub::id::ClientId;
use crate::hub::id::TokenHash;
use crate::util::sync::lock;

/// Rows read with the lock held once.
const SLICE: usize = 256;

/// A page of a list, and whether more rows follow.
pub(crate) struct AdminPage<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) has_more: bool,
}

/// Which rows to list: those with `part` in their name, at most `most`.
pub(crate) struct ListFilter<'a> {
    pub(crate) part: Option<&'a str>,
    pub(crate) most: usize,
}

/// An account, for server operators.
pub(crate) struct AccountSummary {
    pub(crate) account: Arc<Account>,
    /// Connections signed in to it.
    pub(crate) connections: usize,
}

/// A channel, for server operators.
pub(crate) struct ChannelSummary {
    pub(crate) name: ChannelName,
    pub(crate) members: usize,
    pub(crate) operators: Vec<UserName>,
    pub(crate) hidden: bool,
    pub(crate) invite_only: bool,
    /// An upper bound: hidden messages count too.
    pub(crate) lines: u64,
}

impl ListFilter<'_> {
    fn has(&self, name: &str) -> bool {
        self.part.is_none_or(|part| name.contains(&part.to_lowercase()))
    }

    /// The requested rows of a list that is read in slices: `next` returns those after one, none at
    /// the end. No lock is held in between.
    fn page<T>(
        &self,
        mut next: impl FnMut(Option<&T>) -> Vec<T>,
        is_asked_for: impl Fn(&T) -> bool,
    ) -> AdminPage<T> {
        let mut rows = Vec::new();
        let mut slice = next(None);
        while let Some(last) = slice.pop() {
            let following = next(Some(&last));
            rows.extend(slice.into_iter().chain([last]).filter(&is_asked_for));
            if rows.len() > self.most {
                break;
            }
            slice = following;
        }
        let has_more = rows.len() > self.most;
        rows.truncate(self.most);
        AdminPage { rows, has_more }
    }
}

impl Hub {
    /// Visits all connections without holding the lock of their list.
    pub(in crate::hub) fn each_client(&self, mut look_at: impl FnMut(&Arc<Client>)) {
        let mut after = Unbounded;
        loop {
            let some: Vec<_> = {
                let directory = lock(&self.directory);
                let range = directory.everyone.range((after, Unbounded));
                range.take(SLICE).map(|(_, one)| Arc::clone(one)).collect()
            };
            some.iter().for_each(&mut look_at);
            match some.last() {
                Some(last) => after = Excluded(last.id),
                None => return,
            }
        }
    }

    /// Connections by their numbers, those after `after`.
    pub(crate) fn connections(&self, asked: &ListFilter<'_>, after: u64) -> AdminPage<Arc<Client>> {
        let is_asked_for = |one: &Arc<Client>| {
            asked.part.is_none() || one.name().is_some_and(|name| asked.has(name.key()))
        };
        let next = |last: Option<&Arc<Client>>| {
            let after = last.map_or(ClientId(after), |last| last.id);
            let directory = lock(&self.directory);
            let range = directory.everyone.range((Excluded(after), Unbounded));
            range.take(SLICE).map(|(_, one)| Arc::clone(one)).collect()
        };
        asked.page(next, is_asked_for)
    }

    /// Accounts by name, those after `after`.
    pub(crate) fn account_page(
        &self,
        asked: &ListFilter<'_>,
        after: Option<&UserName>,
    ) -> AdminPage<AccountSummary> {
        let next = |last: Option<&Arc<Account>>| {
            let after = last.map(|last| &last.name).or(after).map_or(Unbounded, Excluded);
            let accounts = lock(&self.accounts);
            let range = accounts.by_name().range::<UserName, _>((after, Unbounded));
            range.take(SLICE).map(|(_, account)| Arc::clone(account)).collect()
        };
        let page = asked.page(next, |account| asked.has(account.name.key()));
        let directory = lock(&self.directory);
        let row = |account: Arc<Account>| {
            let bearers = directory.owners(&account.name);
            let connections = bearers.filter(|one| one.account() == Some(account.user_id)).count();
            AccountSummary { account, connections }
        };
        AdminPage { rows: page.rows.into_iter().map(row).collect(), has_more: page.has_more }
    }

    /// Channels by name, those after `after`.
    pub(crate) fn channel_page(
        &self,
        asked: &ListFilter<'_>,
        after: Option<&ChannelName>,
    ) -> AdminPage<ChannelSummary> {
        let next = |last: Option<&Arc<Channel>>| {
            let after = last.map(|last| &last.name).or(after).map_or(Unbounded, Excluded);
            let channels = self.channels.read();
            let range = channels.by_name.range::<ChannelName, _>((after, Unbounded));
            range.take(SLICE).map(|(_, channel)| Arc::clone(channel)).collect()
        };
        let page = asked.page(next, |channel| asked.has(channel.name.key()));
        let row = |channel: Arc<Channel>| {
            let ((accounts, people), members, lines, hidden, invite_only) = {
                let state = channel.state();
                let settings = &state.moderation.settings;
                let (hidden, invite_only) = (settings.hidden, settings.invite_only);
                let (members, lines) = (state.count(), state.line_count());
                (state.operators.all(), members, lines, hidden, invite_only)
            };
            let all = lock(&self.accounts);
            let names = accounts.into_iter().filter_map(|account| all.of(account));
            let mut operators: Vec<_> = names.map(|account| account.name.clone()).collect();
            drop(all);
            operators.extend(people.into_iter().filter_map(|client| client.name()));
            operators.sort();
            ChannelSummary {
                name: channel.name.clone(),
                members,
                operators,
                hidden,
                invite_only,
                lines,
            }
        };
        AdminPage { rows: page.rows.into_iter().map(row).collect(), has_more: page.has_more }
    }

    /// Refuses a banned address.
    pub(crate) fn may_come_in(
        &self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let ban =
            address.and_then(|address| lock(&self.server_moderation).bans.on_address(address, now));
        ban.map_or(Ok(()), |ban| Err(Refusal::barred_at_the_door(ban.term, ban.reason.as_ref())))
    }

    /// Refuses a banned name; `account` is the one being signed in to.
    pub(crate) fn may_be_called(
        &self,
        name: &UserName,
        account: Option<&Account>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let operator = account.is_some_and(Account::is_admin);
        let ban = lock(&self.server_moderation).bans.on_name(name, operator, now);
        let Some(ban) = ban else { return Ok(()) };
        let (term, reason) = (ban.term, ban.reason.as_ref());
        Err(match account {
            Some(_) => Refusal::barred_account(name, term, reason),
            None => Refusal::barred_name(name, term, reason),
        })
    }

    /// The server bans in force, oldest first.
    pub(crate) fn server_bans(&self, now: Timestamp) -> Vec<ServerBan> {
        lock(&self.server_moderation).bans.all(now)
    }

    /// The hash of an invitation, if it is valid.
    pub(crate) fn invitation(
        &self,
        invite: &InvitationCode,
        now: Timestamp,
    ) -> Result<TokenHash, Refusal> {
        let hash = self.auth.hash_of(&Secret::new(invite.expose()));
        let hash = hash.ok_or_else(Refusal::invitation_spent)?;
        lock(&self.server_moderation).admits(&hash, now).map(|()| hash)
    }

    /// The valid invitations, oldest first.
    pub(crate) fn invitations(&self, now: Timestamp) -> Vec<Invitation> {
        lock(&self.server_moderation).invitations(now)
    }

    /// The last audit entries, oldest first.
    pub(crate) fn last_acts(&self, most: usize) -> Vec<AuditEntry> {
        lock(&self.server_moderation).last_acts(most).cloned().collect()
    }

    /// The accounts of server operators, by name, and whether they are online.
    pub(crate) fn operators(&self) -> Vec<(UserName, bool)> {
        let directory = lock(&self.directory);
        let accounts = lock(&self.accounts);
        let admins = accounts.admins().flatten();
        let mut all: Vec<_> = admins
            .map(|account| (account.name.clone(), directory.find(&account.name).is_some()))
            .collect();
        all.sort();
        all
    }
}
