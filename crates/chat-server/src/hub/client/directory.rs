//! Names to people: no two people here have one name, nor names that look alike. One who is signed in may
//! have a name on several devices.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use chat_proto::name::UserName;

use crate::hub::client::{Client, ClientId, UserId};
use crate::hub::skeleton_index::SkeletonIndex;

/// Everybody connected, and who has which name.
#[derive(Default)]
pub(crate) struct Directory {
    /// Everybody connected, with or without a name.
    pub(in crate::hub) everyone: BTreeMap<ClientId, Arc<Client>>,
    named: BTreeMap<UserName, NameOwners>,
    /// What a name looks like, to the one who has it; a name may have two such keys.
    by_look: SkeletonIndex<ClientId>,
    /// Those who go on for somebody who was cut off: their party's number isn't their own.
    going_on: HashMap<UserId, ClientId>,
}

/// Those who have a name: one, or the devices of one account.
pub(in crate::hub) struct NameOwners {
    first: Arc<Client>,
    /// Few have more than one.
    others: Vec<Arc<Client>>,
}

impl NameOwners {
    fn all(&self) -> impl Iterator<Item = &Arc<Client>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Directory {
    /// Gives the name to the person, who gives up the one they had.
    ///
    /// # Errors
    ///
    /// The one who has it, or a name that looks like it.
    pub(in crate::hub) fn claim(
        &mut self,
        name: &UserName,
        person: &Arc<Client>,
    ) -> Result<(), UserName> {
        if let Some(held) = self.lookalikes(name, person).next() {
            return Err(held);
        }
        self.release(person);
        self.bear(name, person);
        Ok(())
    }

    /// The names of others that look like this one at the first glance.
    fn lookalikes(&self, name: &UserName, person: &Client) -> impl Iterator<Item = UserName> {
        let own = person.id;
        let looks: Vec<_> = name.loose_skeletons().map(std::borrow::Cow::into_owned).collect();
        looks.into_iter().flat_map(move |look| {
            let holders: Vec<_> = self.by_look.of(&look).copied().collect();
            let others = holders.into_iter().filter(move |holder| *holder != own);
            others.filter_map(|holder| self.everyone.get(&holder)?.name())
        })
    }

    /// Gives the name of an account to one more of its devices. `party` is the account's.
    ///
    /// # Errors
    ///
    /// The one who has it, or a name that looks like it, and isn't the account.
    pub(in crate::hub) fn join(
        &mut self,
        name: &UserName,
        party: UserId,
        person: &Arc<Client>,
    ) -> Result<(), UserName> {
        let is_there = self.find(name).is_some_and(|first| first.account() == Some(party));
        if !is_there {
            // Earlier versions made accounts whose names look alike at the first glance.
            if let Some(held) =
                self.lookalikes(name, person).find(|held| held.is_confusable_with(name))
            {
                return Err(held);
            }
            self.release(person);
            self.bear(name, person);
            return Ok(());
        }
        self.release(person);
        if let Some(bearers) = self.named.get_mut(name) {
            bearers.others.push(Arc::clone(person));
        }
        person.set_name(name.clone());
        Ok(())
    }

    fn bear(&mut self, name: &UserName, person: &Arc<Client>) {
        for look in name.loose_skeletons() {
            self.by_look.add(&look, person.id);
        }
        let bearers = NameOwners { first: Arc::clone(person), others: Vec::new() };
        self.named.insert(name.clone(), bearers);
        person.set_name(name.clone());
    }

    /// Gives up the name that the person has; another device of theirs goes on with it.
    pub(in crate::hub) fn release(&mut self, person: &Client) {
        let Some(name) = person.name() else { return };
        let Some(bearers) = self.named.get_mut(&name) else { return };
        bearers.others.retain(|other| other.id != person.id);
        if bearers.first.id != person.id {
            return;
        }
        let next = if bearers.others.is_empty() { None } else { Some(bearers.others.remove(0)) };
        for look in name.loose_skeletons() {
            self.by_look.remove(&look, &person.id);
        }
        if let Some(next) = next {
            for look in name.loose_skeletons() {
                self.by_look.add(&look, next.id);
            }
            bearers.first = next;
        } else {
            self.named.remove(&name);
        }
    }

    pub(in crate::hub) fn remove(&mut self, person: &Client) {
        self.release(person);
        self.everyone.remove(&person.id);
        self.going_on.remove(&person.party());
    }

    /// The person goes on for somebody who was cut off.
    pub(in crate::hub) fn add_resumed(&mut self, person: &Client, party: UserId) {
        self.going_on.insert(party, person.id);
    }

    /// The person is somebody else from now on.
    pub(in crate::hub) fn remove_resumed(&mut self, party: UserId) {
        self.going_on.remove(&party);
    }

    /// By the name as typed in any case; of several devices the first.
    pub(in crate::hub) fn find(&self, name: &UserName) -> Option<&Arc<Client>> {
        self.named.get(name).map(|bearers| &bearers.first)
    }

    /// Everybody who has this name.
    pub(in crate::hub) fn owners(&self, name: &UserName) -> impl Iterator<Item = &Arc<Client>> {
        self.named.get(name).into_iter().flat_map(NameOwners::all)
    }

    /// Somebody without an account, by who they are.
    pub(in crate::hub) fn guest(&self, party: UserId) -> Option<&Arc<Client>> {
        let id = self.going_on.get(&party).copied().unwrap_or(ClientId(party.0));
        self.everyone.get(&id).filter(|person| person.party() == party)
    }

    pub(in crate::hub) fn by_name(&self) -> &BTreeMap<UserName, NameOwners> {
        &self.named
    }

    /// Those whose names come after this one, by name.
    pub(in crate::hub) fn named_after(
        &self,
        after: Option<&UserName>,
    ) -> impl Iterator<Item = (&UserName, &Arc<Client>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.named.range::<UserName, _>((from, Bound::Unbounded));
        names.map(|(name, bearers)| (name, &bearers.first))
    }

    pub(in crate::hub) fn named(&self) -> impl ExactSizeIterator<Item = (&UserName, &Arc<Client>)> {
        self.named.iter().map(|(name, bearers)| (name, &bearers.first))
    }
}
