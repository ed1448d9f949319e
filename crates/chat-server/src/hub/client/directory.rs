//! Names to people: no two people here have one name, nor names that look alike. One who is signed in may
//! have a name on several devices.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use chat_proto::name::UserName;

use crate::hub::client::Client;
use crate::hub::id::{ClientId, UserId};
use crate::hub::skeleton_index::SkeletonIndex;

/// Everybody connected, and who has which name.
#[derive(Default)]
pub(crate) struct Directory {
    /// Everybody connected, with or without a name.
    pub(in crate::hub) everyone: BTreeMap<ClientId, Arc<Client>>,
    named: BTreeMap<UserName, NameOwners>,
    /// What a name looks like, to the one who has it; a name may have two such keys.
    by_skeleton: SkeletonIndex<ClientId>,
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
        client: &Arc<Client>,
    ) -> Result<(), UserName> {
        if let Some(held) = self.lookalikes(name, client).next() {
            return Err(held);
        }
        self.release(client);
        self.bear(name, client);
        Ok(())
    }

    /// The names of others that look like this one at the first glance.
    fn lookalikes(&self, name: &UserName, client: &Client) -> impl Iterator<Item = UserName> {
        let own = client.id;
        let skeletons: Vec<_> = name.loose_skeletons().map(std::borrow::Cow::into_owned).collect();
        skeletons.into_iter().flat_map(move |skeleton| {
            let holders: Vec<_> = self.by_skeleton.of(&skeleton).copied().collect();
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
        user_id: UserId,
        client: &Arc<Client>,
    ) -> Result<(), UserName> {
        let is_there = self.find(name).is_some_and(|first| first.account() == Some(user_id));
        if !is_there {
            // Earlier versions made accounts whose names look alike at the first glance.
            if let Some(held) =
                self.lookalikes(name, client).find(|held| held.is_confusable_with(name))
            {
                return Err(held);
            }
            self.release(client);
            self.bear(name, client);
            return Ok(());
        }
        self.release(client);
        if let Some(bearers) = self.named.get_mut(name) {
            bearers.others.push(Arc::clone(client));
        }
        client.set_name(name.clone());
        Ok(())
    }

    fn bear(&mut self, name: &UserName, client: &Arc<Client>) {
        for skeleton in name.loose_skeletons() {
            self.by_skeleton.add(&skeleton, client.id);
        }
        let bearers = NameOwners { first: Arc::clone(client), others: Vec::new() };
        self.named.insert(name.clone(), bearers);
        client.set_name(name.clone());
    }

    /// Gives up the name that the person has; another device of theirs goes on with it.
    pub(in crate::hub) fn release(&mut self, client: &Client) {
        let Some(name) = client.name() else { return };
        let Some(bearers) = self.named.get_mut(&name) else { return };
        bearers.others.retain(|other| other.id != client.id);
        if bearers.first.id != client.id {
            return;
        }
        let next = if bearers.others.is_empty() { None } else { Some(bearers.others.remove(0)) };
        for skeleton in name.loose_skeletons() {
            self.by_skeleton.remove(&skeleton, &client.id);
        }
        if let Some(next) = next {
            for skeleton in name.loose_skeletons() {
                self.by_skeleton.add(&skeleton, next.id);
            }
            bearers.first = next;
        } else {
            self.named.remove(&name);
        }
    }

    pub(in crate::hub) fn remove(&mut self, client: &Client) {
        self.release(client);
        self.everyone.remove(&client.id);
        self.going_on.remove(&client.user_id());
    }

    /// The person goes on for somebody who was cut off.
    pub(in crate::hub) fn add_resumed(&mut self, client: &Client, user_id: UserId) {
        self.going_on.insert(user_id, client.id);
    }

    /// The person is somebody else from now on.
    pub(in crate::hub) fn remove_resumed(&mut self, user_id: UserId) {
        self.going_on.remove(&user_id);
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
    pub(in crate::hub) fn guest(&self, user_id: UserId) -> Option<&Arc<Client>> {
        let id = self.going_on.get(&user_id).copied().unwrap_or(ClientId(user_id.0));
        self.everyone.get(&id).filter(|client| client.user_id() == user_id)
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
