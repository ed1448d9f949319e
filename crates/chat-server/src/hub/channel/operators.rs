//! The operators of a channel.

use std::sync::Arc;

use crate::hub::client::Client;
use crate::hub::id::UserId;

/// How an operator got the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperatorRight {
    /// Inherited by the member of longest standing when no operator was left. It moderates and
    /// never destroys.
    Inherited,
    /// The maker, or appointed by an operator.
    Full,
}

/// The operators: accounts, which keep the right while offline, and guests, who lose it on leaving
/// the system.
#[derive(Default)]
pub(in crate::hub) struct Operators {
    accounts: Vec<(UserId, OperatorRight)>,
    /// Also while they are in other channels.
    people: Vec<(Arc<Client>, OperatorRight)>,
}

impl Operators {
    /// Restores the stored ones.
    pub(in crate::hub) fn kept(accounts: Vec<(UserId, OperatorRight)>) -> Self {
        Self { accounts, people: Vec::new() }
    }

    pub(in crate::hub) fn has(&self, client: &Client) -> bool {
        self.right(client).is_some()
    }

    pub(in crate::hub) fn has_account(&self, account: UserId) -> bool {
        self.account_right(account).is_some()
    }

    /// The right of an account.
    pub(in crate::hub) fn account_right(&self, account: UserId) -> Option<OperatorRight> {
        self.accounts.iter().find(|(other, _)| *other == account).map(|(_, right)| *right)
    }

    /// The right of a client, by its account or as a guest.
    pub(in crate::hub) fn right(&self, client: &Client) -> Option<OperatorRight> {
        let by_account = client.account().and_then(|account| self.account_right(account));
        by_account.or_else(|| {
            self.present().find(|(other, _)| other.id == client.id).map(|(_, right)| *right)
        })
    }

    /// The accounts, and the guests online.
    pub(in crate::hub) fn all(&self) -> (Vec<UserId>, Vec<Arc<Client>>) {
        let accounts = self.accounts.iter().map(|(account, _)| *account);
        let people = self.present().map(|(client, _)| Arc::clone(client));
        (accounts.collect(), people.collect())
    }

    /// Whether any has an account.
    pub(in crate::hub) fn outlive_members(&self) -> bool {
        !self.accounts.is_empty()
    }

    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.present().next().is_none()
    }

    pub(in crate::hub) fn count(&self) -> usize {
        self.accounts.len() + self.present().count()
    }

    fn present(&self) -> impl Iterator<Item = &(Arc<Client>, OperatorRight)> {
        self.people.iter().filter(|(operator, _)| !operator.has_left())
    }

    /// Grants a client the right. Returns the account to store, if it has one.
    pub(in crate::hub) fn add(
        &mut self,
        client: &Arc<Client>,
        right: OperatorRight,
    ) -> Option<(UserId, OperatorRight)> {
        if let Some(account) = client.account() {
            return self.add_account(account, right).then_some((account, right));
        }
        match self.people.iter_mut().find(|(other, _)| other.id == client.id) {
            Some((_, had)) if right == OperatorRight::Full => *had = right,
            Some(_) => {}
            None => self.people.push((Arc::clone(client), right)),
        }
        None
    }

    /// Grants an account the right; returns whether that is a change.
    pub(in crate::hub) fn add_account(&mut self, account: UserId, right: OperatorRight) -> bool {
        match self.accounts.iter_mut().find(|(other, _)| *other == account) {
            Some((_, had)) if *had == OperatorRight::Inherited && right == OperatorRight::Full => {
                *had = right;
            }
            Some(_) => return false,
            None => self.accounts.push((account, right)),
        }
        true
    }

    /// Moves a guest's right to the account it signed in to. Returns the account to store.
    pub(in crate::hub) fn adopt(
        &mut self,
        client: &Client,
        account: UserId,
    ) -> Option<(UserId, OperatorRight)> {
        let at = self.people.iter().position(|(operator, _)| operator.id == client.id)?;
        let (_, right) = self.people.remove(at);
        self.add_account(account, right).then_some((account, right))
    }

    /// Revokes the right of a client and of an account.
    pub(in crate::hub) fn remove(&mut self, client: Option<&Client>, account: Option<UserId>) {
        self.people.retain(|(operator, _)| client.is_none_or(|client| operator.id != client.id));
        self.accounts.retain(|(other, _)| Some(*other) != account);
    }

    /// Drops guests who left the system.
    pub(in crate::hub) fn forget_gone(&mut self) {
        self.people.retain(|(operator, _)| !operator.has_left());
    }
}
