//! A user or net on a channel's list of bans, mutes or invitations.

use chat_proto::event::{Restriction, Term};
use chat_proto::fold::folded;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::UserName;
use chat_proto::time::Timestamp;
use ipnet::IpNet;

use crate::hub::id::{UserDetails, UserId, skeletons};
use crate::util::clock::end_of;

/// A key of a ban or mute in the index of channels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RestrictionKey {
    /// A skeleton of the name.
    Skeleton(Box<str>),
    /// A user id or account.
    User(UserId),
    /// A net.
    Net(IpNet),
    /// It has a reason given by this name.
    Reason(UserName),
}

/// Users that one entry follows through renames; beyond it the oldest is dropped.
const MAX_FOLLOWED: usize = 64;

/// A list entry. It matches everything known of the user at that time, so neither a new name nor a
/// new connection evades it.
#[derive(Clone, Debug)]
pub(crate) struct ListEntry {
    pub(crate) shown: Restriction,
    user_id: Option<UserId>,
    account: Option<UserId>,
    /// Users matched by name who renamed. Lost on restart, as their user ids are.
    followed: Vec<UserId>,
    skeletons: Vec<Box<str>>,
    /// The end, by the steady clock.
    ends: Option<Timestamp>,
    key: Box<str>,
    /// The target as typed.
    target: Box<str>,
}

impl ListEntry {
    /// With the user id and account of the target, if known.
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

    /// The user id and account of the target.
    pub(crate) fn user_ids(&self) -> (Option<UserId>, Option<UserId>) {
        (self.user_id, self.account)
    }

    /// The keys for the index.
    pub(super) fn restriction_keys(&self) -> impl Iterator<Item = RestrictionKey> {
        let skeletons = self.skeletons.iter().cloned().map(RestrictionKey::Skeleton);
        let user_ids = self.user_id.iter().chain(&self.account).chain(&self.followed).copied();
        let net = self.shown.target.addresses().map(RestrictionKey::Net);
        let reason =
            self.shown.reason.as_ref().map(|_| RestrictionKey::Reason(self.shown.by.clone()));
        skeletons.chain(user_ids.map(RestrictionKey::User)).chain(net).chain(reason)
    }

    /// Equal for entries of the same target.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The target as [`ModTarget::read`] parses it.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Whether it is in force.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.ends.is_none_or(|end| now < end)
    }

    /// Whether it matches a user whose name has these skeletons.
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

    /// The same for a single check.
    pub(crate) fn hits_person(&self, who: &UserDetails) -> bool {
        let by_name = !self.skeletons.is_empty();
        self.hits(who, &if by_name { who.skeletons() } else { Vec::new() })
    }

    /// Follows a user matched by name through a rename. Returns the user dropped for it.
    pub(super) fn follow(&mut self, user_id: UserId) -> Option<UserId> {
        let is_full = self.followed.len() == MAX_FOLLOWED;
        let oldest = is_full.then(|| self.followed.remove(0));
        self.followed.push(user_id);
        oldest
    }

    /// Whether it invites this user. A similar name, or the name of another's account, doesn't
    /// match.
    pub(super) fn invites(&self, who: &UserDetails) -> bool {
        if self.account.is_some() {
            return self.account == who.account;
        }
        let named =
            matches!(&self.shown.target, ModTarget::User(name) if who.name.as_ref() == Some(name));
        named || self.user_id == Some(who.user_id)
    }

    /// Whether a command with this target means the entry; `who` is the target's present user.
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

    /// Whether its name folds to the same as the target's.
    pub(crate) fn is_alike(&self, target: &ModTarget) -> bool {
        match (&self.shown.target, target) {
            (ModTarget::User(own), ModTarget::User(name)) => {
                folded(own.as_str()) == folded(name.as_str())
            }
            _ => false,
        }
    }
}

/// The key of a target.
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
    fn an_entry_matches_names_user_ids_accounts_and_addresses() {
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
    fn an_invitation_matches_one_user() {
        let guest = list_entry("bob", Some(7), None);
        assert!(guest.invites(&who("bob", 8, None, "")));
        assert!(guest.invites(&who("rob", 7, None, "")));
        assert!(!guest.invites(&who("b0b", 8, None, "")));
        let signed_in = list_entry("bob", Some(9), Some(9));
        assert!(signed_in.invites(&who("rob", 9, Some(9), "")));
        assert!(!signed_in.invites(&who("bob", 8, None, "")));
    }

    #[test]
    fn a_timed_entry_expires() {
        let list_entry = list_entry("bob", None, None);
        assert!(list_entry.holds(Timestamp(999)));
        assert!(!list_entry.holds(Timestamp(1000)));
    }

    #[test]
    fn a_command_matches_the_user_under_every_name() {
        let list_entry = list_entry("bob", Some(7), None);
        let bob = ModTarget::User(name("Bob"));
        let rob = ModTarget::User(name("rob"));
        assert!(list_entry.is_meant(&bob, None));
        assert!(!list_entry.is_meant(&rob, None));
        assert!(list_entry.is_meant(&rob, Some(&who("rob", 7, None, ""))));
        assert!(!list_entry.is_meant(&rob, Some(&who("rob", 8, None, ""))));
    }
}
