//! Somebody of whom something is said in a channel: that they are banned, muted or invited.

use chat_proto::event::{Restriction, Term};
use chat_proto::fold::folded;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::UserName;
use chat_proto::time::Timestamp;
use ipnet::IpNet;

use crate::hub::id::{UserDetails, UserId, skeletons};
use crate::util::clock::end_of;

/// By what a ban or a mute is found in the index of all channels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RestrictionKey {
    /// A name that it hits has this look.
    Skeleton(Box<str>),
    /// It hits this party or account.
    User(UserId),
    /// It hits those who connect from here.
    Net(IpNet),
    /// It has a reason, given by this name.
    Reason(UserName),
}

/// People that one mark follows through new names; past it the oldest is given up.
const MAX_FOLLOWED: usize = 64;

/// One person or net. It goes by everything that was known of a person then, so that neither a new
/// name nor another connection gets around it.
#[derive(Clone, Debug)]
pub(crate) struct ListEntry {
    pub(crate) shown: Restriction,
    user_id: Option<UserId>,
    account: Option<UserId>,
    /// Those whom it hit by their name, and who then took another. It isn't kept over a restart,
    /// and neither are they the same then.
    followed: Vec<UserId>,
    skeletons: Vec<Box<str>>,
    /// When it ends, by the steady clock.
    ends: Option<Timestamp>,
    key: Box<str>,
    /// The target as it is written.
    target: Box<str>,
}

impl ListEntry {
    /// With the party and the account that the target had, if they were known.
    pub(crate) fn new(
        shown: Restriction,
        user_id: Option<UserId>,
        account: Option<UserId>,
    ) -> Self {
        let skeletons = match &shown.target {
            ModTarget::User(name) => skeletons(name),
            ModTarget::Net(_) => Vec::new(),
        };
        let (key, target) = (key(&shown.target).into(), shown.target.to_string().into());
        let ends = match shown.term {
            Term::Permanent => None,
            Term::Until(end) => Some(end_of(shown.time, end)),
        };
        Self { shown, user_id, account, followed: Vec::new(), skeletons, ends, key, target }
    }

    /// The parties of which it speaks.
    pub(crate) fn user_ids(&self) -> (Option<UserId>, Option<UserId>) {
        (self.user_id, self.account)
    }

    /// By what it is found.
    pub(super) fn restriction_keys(&self) -> impl Iterator<Item = RestrictionKey> {
        let skeletons = self.skeletons.iter().cloned().map(RestrictionKey::Skeleton);
        let user_ids = self.user_id.iter().chain(&self.account).chain(&self.followed).copied();
        let net = self.shown.target.addresses().map(RestrictionKey::Net);
        let reason =
            self.shown.reason.as_ref().map(|_| RestrictionKey::Reason(self.shown.by.clone()));
        skeletons.chain(user_ids.map(RestrictionKey::User)).chain(net).chain(reason)
    }

    /// The same for marks of the same target.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The target as [`ModTarget::read`] reads it.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Whether it holds at this moment.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.ends.is_none_or(|end| now < end)
    }

    /// Whether it speaks of this person, whose name has these looks.
    pub(super) fn hits(&self, who: &UserDetails, skeletons: &[Box<str>]) -> bool {
        if let target @ ModTarget::Net(_) = &self.shown.target {
            return who.address.is_some_and(|address| target.has_address(address));
        }
        let known = |user_id| {
            self.user_id == Some(user_id)
                || self.account == Some(user_id)
                || self.followed.contains(&user_id)
        };
        known(who.user_id)
            || who.account.is_some_and(known)
            || who.before.iter().copied().any(known)
            || self.skeletons.iter().any(|skeleton| skeletons.contains(skeleton))
    }

    /// The same for one person alone.
    pub(crate) fn hits_person(&self, who: &UserDetails) -> bool {
        let by_name = !self.skeletons.is_empty();
        self.hits(who, &if by_name { who.skeletons() } else { Vec::new() })
    }

    /// Whoever it hits by their name only takes another one now: from then on it goes by who they
    /// are. Returns the one that is followed no more.
    pub(super) fn follow(&mut self, user_id: UserId) -> Option<UserId> {
        let is_full = self.followed.len() == MAX_FOLLOWED;
        let oldest = is_full.then(|| self.followed.remove(0));
        self.followed.push(user_id);
        oldest
    }

    /// Whether it lets this person in. Nobody gets in by a name that only looks like the right one,
    /// or that belongs to an account which isn't theirs.
    pub(super) fn invites(&self, who: &UserDetails) -> bool {
        if self.account.is_some() {
            return self.account == who.account;
        }
        let named =
            matches!(&self.shown.target, ModTarget::User(name) if who.name.as_ref() == Some(name));
        named || self.user_id == Some(who.user_id)
    }

    /// Whether somebody means this mark who names a target; `who` that is at present.
    pub(crate) fn is_meant(&self, target: &ModTarget, who: Option<&UserDetails>) -> bool {
        let is_theirs = |who: &UserDetails| {
            self.user_id == Some(who.user_id)
                || (self.account.is_some() && self.account == who.account)
        };
        let addresses = target.addresses();
        self.key() == key(target).as_str()
            || addresses.is_some() && addresses == self.shown.target.addresses()
            || who.is_some_and(is_theirs)
    }

    /// Whether it is of a name that is folded like the target.
    pub(crate) fn is_alike(&self, target: &ModTarget) -> bool {
        match (&self.shown.target, target) {
            (ModTarget::User(own), ModTarget::User(name)) => {
                folded(own.as_str()) == folded(name.as_str())
            }
            _ => false,
        }
    }
}

/// What a target is found by.
fn key(target: &ModTarget) -> String {
    match target {
        ModTarget::User(name) => format!("@{}", name.key()),
        ModTarget::Net(net) => net.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    fn who(called: &str, user_id: u64, account: Option<u64>, address: &str) -> UserDetails {
        UserDetails {
            name: Some(name(called)),
            user_id: UserId(user_id),
            account: account.map(UserId),
            address: address.parse().ok(),
            before: Vec::new(),
        }
    }

    fn list_entry(target: &str, user_id: Option<u64>, account: Option<u64>) -> ListEntry {
        let shown = Restriction {
            target: ModTarget::read(target).unwrap(),
            by: name("alice"),
            time: Timestamp(0),
            term: Term::Until(Timestamp(1000)),
            reason: None,
        };
        ListEntry::new(shown, user_id.map(UserId), account.map(UserId))
    }

    fn hits(list_entry: &ListEntry, who: &UserDetails) -> bool {
        list_entry.hits(who, &who.skeletons())
    }

    #[test]
    fn a_mark_holds_for_names_parties_accounts_and_addresses() {
        let guest = list_entry("bob", Some(7), None);
        let signed_in = list_entry("bob", Some(9), Some(9));
        let net = list_entry("10.0.0.0/8", None, None);
        for (client, by_guest, by_account, by_net) in [
            (who("bob", 8, None, "192.0.2.1"), true, true, false),
            (who("BOB", 8, None, "192.0.2.1"), true, true, false),
            (who("b0b", 8, None, "192.0.2.1"), true, true, false),
            (who("rob", 7, None, "192.0.2.1"), true, false, false),
            (who("rob", 9, Some(9), "192.0.2.1"), false, true, false),
            (who("rob", 8, None, "10.255.0.1"), false, false, true),
            (who("rob", 8, None, "::1"), false, false, false),
            (who("rob", 8, None, "a Unix socket"), false, false, false),
        ] {
            assert_eq!(hits(&guest, &client), by_guest, "{client:?}");
            assert_eq!(hits(&signed_in, &client), by_account, "{client:?}");
            assert_eq!(hits(&net, &client), by_net, "{client:?}");
        }
    }

    #[test]
    fn an_invitation_is_for_one_person() {
        let guest = list_entry("bob", Some(7), None);
        assert!(guest.invites(&who("bob", 8, None, "")));
        assert!(guest.invites(&who("rob", 7, None, "")));
        assert!(!guest.invites(&who("b0b", 8, None, "")));
        let signed_in = list_entry("bob", Some(9), Some(9));
        assert!(signed_in.invites(&who("rob", 9, Some(9), "")));
        assert!(!signed_in.invites(&who("bob", 8, None, "")));
    }

    #[test]
    fn a_time_ends_by_itself() {
        let list_entry = list_entry("bob", None, None);
        assert!(list_entry.holds(Timestamp(999)));
        assert!(!list_entry.holds(Timestamp(1000)));
    }

    #[test]
    fn who_is_named_is_meant_under_every_name() {
        let list_entry = list_entry("bob", Some(7), None);
        let bob = ModTarget::User(name("Bob"));
        let rob = ModTarget::User(name("rob"));
        assert!(list_entry.is_meant(&bob, None));
        assert!(!list_entry.is_meant(&rob, None));
        assert!(list_entry.is_meant(&rob, Some(&who("rob", 7, None, ""))));
        assert!(!list_entry.is_meant(&rob, Some(&who("rob", 8, None, ""))));
    }
}
