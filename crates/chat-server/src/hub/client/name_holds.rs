//! Names held for clients that lost their connection: a client that takes such a name resumes the
//! identity and its private chats.
//!
//! A client that quits leaves no hold: the next client with the name has another identity.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::time::Timestamp;

use crate::hub::client::throttle::QuotaOwner;
use crate::hub::id::UserId;

/// How long a name is held, in milliseconds: a day.
const HELD_MILLIS: i64 = 24 * 3_600_000;

/// Names held for one address; beyond it the oldest is dropped.
const MAX_OF_OWNER: usize = 1000;

/// Names held in total; beyond it the oldest of the address with the most is dropped.
const MAX_HELD: usize = 50_000;

/// The holds, by [`UserName::key`].
#[derive(Default)]
pub(in crate::hub) struct NameHolds {
    by_name: HashMap<Arc<str>, NameHold>,
    /// Oldest first.
    by_time: BTreeSet<Entry>,
    of_owner: HashMap<QuotaOwner, BTreeSet<Entry>>,
    /// The number of holds of each owner.
    counts: BTreeSet<(usize, QuotaOwner)>,
}

type Entry = (Timestamp, Arc<str>);

struct NameHold {
    user_id: UserId,
    since: Timestamp,
    owner: Option<QuotaOwner>,
}

/// A hold that ended: the name, and its user.
pub(in crate::hub) type GivenUp = (Box<str>, UserId);

impl NameHolds {
    /// Holds a name. Without an owner, as for clients of the previous process, only the total bound
    /// applies. Returns the holds that are dropped for it.
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

    /// Takes the hold of a name that a client takes.
    pub(in crate::hub) fn take(&mut self, name: &UserName) -> Option<UserId> {
        self.remove(name.key()).map(|held| held.user_id)
    }

    /// Removes expired holds.
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
    fn names_of_one_address_displace_only_its_own() {
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
    fn past_the_total_bound_the_address_with_the_most_names_loses_one() {
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
