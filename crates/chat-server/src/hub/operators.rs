//! Who runs a channel.

use std::sync::Arc;

use super::person::{Party, Person};

/// The operators of one channel: accounts, which keep the right while they are away, and people without one,
/// who lose it by leaving the system.
#[derive(Default)]
pub(super) struct Operators {
    accounts: Vec<Party>,
    /// Also while they are elsewhere.
    people: Vec<Arc<Person>>,
}

impl Operators {
    /// Those with an account, as they are kept.
    pub(super) fn kept(accounts: Vec<Party>) -> Self {
        Self { accounts, people: Vec::new() }
    }

    pub(super) fn has(&self, person: &Person) -> bool {
        person.account().is_some_and(|account| self.accounts.contains(&account))
            || self.present().any(|operator| operator.id == person.id)
    }

    pub(super) fn has_account(&self, account: Party) -> bool {
        self.accounts.contains(&account)
    }

    /// Whether any of them has an account.
    pub(super) fn outlive_members(&self) -> bool {
        !self.accounts.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.present().next().is_none()
    }

    pub(super) fn count(&self) -> usize {
        self.accounts.len() + self.present().count()
    }

    fn present(&self) -> impl Iterator<Item = &Arc<Person>> {
        self.people.iter().filter(|operator| !operator.has_left())
    }

    /// Gives somebody the right. Tells the account that is to be remembered, if they have one.
    pub(super) fn add(&mut self, person: &Arc<Person>) -> Option<Party> {
        match person.account() {
            Some(account) if self.accounts.contains(&account) => None,
            Some(account) => {
                self.accounts.push(account);
                Some(account)
            }
            None => {
                if !self.has(person) {
                    self.people.push(Arc::clone(person));
                }
                None
            }
        }
    }

    /// Gives an account the right; tells whether that is news.
    pub(super) fn add_account(&mut self, account: Party) -> bool {
        let news = !self.accounts.contains(&account);
        if news {
            self.accounts.push(account);
        }
        news
    }

    /// Somebody who had the right without an account is signed in to one, which has it from now on. Tells it, if it is
    /// to be remembered.
    pub(super) fn adopt(&mut self, person: &Person, account: Party) -> Option<Party> {
        let before = self.people.len();
        self.people.retain(|operator| operator.id != person.id);
        let had = self.people.len() < before;
        (had && self.add_account(account)).then_some(account)
    }

    /// Takes the right from somebody who is here, and from an account.
    pub(super) fn remove(&mut self, person: Option<&Person>, account: Option<Party>) {
        self.people.retain(|operator| person.is_none_or(|person| operator.id != person.id));
        self.accounts.retain(|other| Some(*other) != account);
    }

    /// Forgets those who have left the system.
    pub(super) fn forget_gone(&mut self) {
        self.people.retain(|operator| !operator.has_left());
    }
}
