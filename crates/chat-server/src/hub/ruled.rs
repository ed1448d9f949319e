//! What operators of the server decided, read for answers: who may come in, and lists of all that holds.

use std::net::IpAddr;

use chat_proto::command::Invite;
use chat_proto::event::ServerBan;
use chat_proto::id::Timestamp;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::secret::Secret;

use super::account::Account;
use super::decree::Recorded;
use super::governing::Invitation;
use super::ports::TokenHash;
use super::{Hub, lock};

impl Hub {
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
