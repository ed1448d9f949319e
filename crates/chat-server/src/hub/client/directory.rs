//! Names of connected clients. Two users never have one name, nor names with the same skeleton.
//! Devices of one account share a name.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use chat_proto::name::UserName;

use crate::hub::client::Client;
use crate::hub::id::{ClientId, UserId};
use crate::hub::skeleton_index::SkeletonIndex;

/// All connections, and who has which name.
#[derive(Default)]
pub(crate) struct Directory {
    /// All connections, with or without a name.
    pub(in crate::hub) everyone: BTreeMap<ClientId, Arc<Client>>,
    named: BTreeMap<UserName, NameOwners>,
    /// Skeletons of names, to their owners. A name may have two.
    by_skeleton: SkeletonIndex<ClientId>,
    /// Clients that resumed an earlier identity: their user id isn't their own number.
    going_on: HashMap<UserId, ClientId>,
}

/// The owners of a name: one client, or the devices of one account.
pub(in crate::hub) struct NameOwners {
    first: Arc<Client>,
    /// Most have only one.
    others: Vec<Arc<Client>>,
}

impl NameOwners {
    fn all(&self) -> impl Iterator<Item = &Arc<Client>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Directory {
    /// Gives the name to a client, which releases its own.
    ///
    /// # Errors
    ///
    /// The name that is taken: this one or a similar one.
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

    /// Names of others with the same loose skeleton.
    fn lookalikes(&self, name: &UserName, client: &Client) -> impl Iterator<Item = UserName> {
        let own = client.id;
        let skeletons: Vec<_> = name.loose_skeletons().map(std::borrow::Cow::into_owned).collect();
        skeletons.into_iter().flat_map(move |skeleton| {
            let holders: Vec<_> = self.by_skeleton.of(&skeleton).copied().collect();
            let others = holders.into_iter().filter(move |holder| *holder != own);
            others.filter_map(|holder| self.everyone.get(&holder)?.name())
        })
    }

    /// Gives an account's name to one more of its devices. `user_id` is the account's.
    ///
    /// # Errors
    ///
    /// The name that is taken: this one or a similar one, by another user.
    pub(in crate::hub) fn join(
        &mut self,
        name: &UserName,
        user_id: UserId,
        client: &Arc<Client>,
    ) -> Result<(), UserName> {
        let is_there = self.find(name).is_some_and(|first| first.account() == Some(user_id));
        if !is_there {
            // Earlier versions allowed accounts with the same loose skeleton.
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

    /// Releases the client's name; another device of the account keeps it.
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

    /// Notes that a client resumed an earlier identity.
    pub(in crate::hub) fn add_resumed(&mut self, client: &Client, user_id: UserId) {
        self.going_on.insert(user_id, client.id);
    }

    /// Removes a resumed identity.
    pub(in crate::hub) fn remove_resumed(&mut self, user_id: UserId) {
        self.going_on.remove(&user_id);
    }

    /// Finds a client by name in any case; of several devices the first.
    pub(in crate::hub) fn find(&self, name: &UserName) -> Option<&Arc<Client>> {
        self.named.get(name).map(|bearers| &bearers.first)
    }

    /// All owners of this name.
    pub(in crate::hub) fn owners(&self, name: &UserName) -> impl Iterator<Item = &Arc<Client>> {
        self.named.get(name).into_iter().flat_map(NameOwners::all)
    }

    /// A client without an account, by its user id.
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
