//! Names that stand for a client that was cut off: a client that comes back under such a name goes on with the
//! private chats that were had under it.
//!
//! A client that leaves by its own will leaves nothing: the next one with its name is another one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::time::Timestamp;

use crate::hub::client::throttle::QuotaOwner;
use crate::hub::id::UserId;

/// How long a name stands for a client that was cut off, in milliseconds: a day.
const HELD_MILLIS: i64 = 24 * 3_600_000;

/// Names of the clients of one address; past it the oldest is given up.
const MAX_OF_OWNER: usize = 1000;

/// Names in all; past it the oldest of the address with the most is given up.
const MAX_HELD: usize = 50_000;

/// The names, by [`UserName::key`].
#[derive(Default)]
pub(in crate::hub) struct NameHolds {
    by_name: HashMap<Arc<str>, NameHold>,
    /// The oldest first.
    by_time: BTreeSet<Entry>,
    of_owner: HashMap<QuotaOwner, BTreeSet<Entry>>,
    /// How many each owner has.
    counts: BTreeSet<(usize, QuotaOwner)>,
}

type Entry = (Timestamp, Arc<str>);

struct NameHold {
    user_id: UserId,
    since: Timestamp,
    owner: Option<QuotaOwner>,
}

/// A name that stands for nobody any more, and for whom it stood.
pub(in crate::hub) type GivenUp = (Box<str>, UserId);

impl NameHolds {
    /// A client that had this name was cut off. Without an owner, who the clients of a server were that stopped, only the
    /// bound in all holds. Returns the names that give way.
    pub(in crate::hub) fn add(
        &mut self,
        name: &str,
        user_id: UserId,
        owner: Option<QuotaOwner>,
        now: Timestamp,
    ) -> Vec<GivenUp> {
        let name: Arc<str> = name.into();
        self.remove(&name);
        let entry = (now, Arc::clone(&name));
        self.by_time.insert(entry.clone());
        if let Some(owner) = owner {
            self.change_owner(owner, |own| own.insert(entry));
        }
        self.by_name.insert(name, NameHold { user_id, since: now, owner });
        let mut given_up = Vec::new();
        if let Some(own) = owner.and_then(|owner| self.of_owner.get(&owner))
            && own.len() > MAX_OF_OWNER
        {
            let oldest = own.first().cloned();
            given_up.extend(oldest.and_then(|(_, name)| self.give_up(&name)));
        }
        if self.by_name.len() > MAX_HELD {
            let most = self.counts.last().and_then(|(_, owner)| self.of_owner.get(owner));
            let oldest = most.and_then(BTreeSet::first).or(self.by_time.first()).cloned();
            given_up.extend(oldest.and_then(|(_, name)| self.give_up(&name)));
        }
        given_up
    }

    /// A client has taken this name.
    pub(in crate::hub) fn take(&mut self, name: &UserName) -> Option<UserId> {
        self.remove(name.key()).map(|held| held.user_id)
    }

    /// Takes out those who did not come back in time.
    pub(in crate::hub) fn expired(&mut self, now: Timestamp) -> Vec<GivenUp> {
        let mut all = Vec::new();
        while let Some((since, name)) = self.by_time.first()
            && now.0 - since.0 >= HELD_MILLIS
        {
            let name = Arc::clone(name);
            all.extend(self.give_up(&name));
        }
        all
    }

    fn give_up(&mut self, name: &str) -> Option<GivenUp> {
        self.remove(name).map(|held| (name.into(), held.user_id))
    }

    fn remove(&mut self, name: &str) -> Option<NameHold> {
        let (name, held) = self.by_name.remove_entry(name)?;
        let entry = (held.since, name);
        self.by_time.remove(&entry);
        if let Some(owner) = held.owner {
            self.change_owner(owner, |own| own.remove(&entry));
        }
        Some(held)
    }

    fn change_owner(
        &mut self,
        owner: QuotaOwner,
        change: impl FnOnce(&mut BTreeSet<Entry>) -> bool,
    ) {
        let own = self.of_owner.entry(owner).or_default();
        self.counts.remove(&(own.len(), owner));
        change(own);
        if own.is_empty() {
            self.of_owner.remove(&owner);
        } else {
            self.counts.insert((own.len(), owner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(held: &NameHolds) -> usize {
        assert_eq!(held.by_name.len(), held.by_time.len());
        held.by_name.len()
    }

    #[test]
    fn the_names_of_one_address_give_way_to_its_own_alone() {
        let mut held = NameHolds::default();
        let (one, other) = (QuotaOwner::Connection(1), QuotaOwner::Connection(2));
        assert_eq!(held.add("bob", UserId(1), Some(other), Timestamp(0)), []);
        for n in 0..1500 {
            let now = Timestamp(i64::try_from(n).unwrap());
            let given_up = held.add(&format!("user{n}"), UserId(n), Some(one), now);
            let expected = n.checked_sub(1000).map(|n| (format!("user{n}").into(), UserId(n)));
            assert_eq!(given_up, expected.into_iter().collect::<Vec<_>>());
        }
        assert_eq!(count(&held), 1001);
        assert_eq!(held.take(&UserName::new("Bob").unwrap()), Some(UserId(1)));
        assert_eq!(held.take(&UserName::new("bob").unwrap()), None);
        assert_eq!(held.expired(Timestamp(HELD_MILLIS + 1499)).len(), 1000);
        assert!(held.by_time.is_empty() && held.of_owner.is_empty() && held.counts.is_empty());
    }

    #[test]
    fn in_all_the_address_with_the_most_names_gives_way() {
        let mut held = NameHolds::default();
        held.add("bob", UserId(1), Some(QuotaOwner::Connection(0)), Timestamp(0));
        held.add("carol", UserId(1), None, Timestamp(0));
        for n in 0..MAX_HELD as u64 + 100 {
            let owner = Some(QuotaOwner::Connection(1 + n / 500));
            held.add(&format!("user{n}"), UserId(n), owner, Timestamp(1));
        }
        assert_eq!(count(&held), MAX_HELD);
        for name in ["bob", "carol"] {
            assert!(held.take(&UserName::new(name).unwrap()).is_some(), "{name}");
        }
    }
}
