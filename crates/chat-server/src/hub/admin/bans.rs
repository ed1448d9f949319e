//! Bans from the server.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use chat_proto::ban_mask::{MaskMatch, ServerBanMask};
use chat_proto::event::{ServerBan, Term};
use chat_proto::limits::MAX_SERVER_BANS;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;
use ipnet::IpNet;

use crate::util::clock::end_of;

/// Every ban, [`MAX_SERVER_BANS`] at most. An expired ban has no effect and is removed later.
#[derive(Default)]
pub(crate) struct Bans {
    by_key: HashMap<String, Arc<ActiveBan>>,
    /// Bans of names, by their skeletons.
    by_skeleton: HashMap<Box<str>, Vec<Arc<ActiveBan>>>,
    /// Bans of patterns. Each is matched when a name is taken: 0.4 ms for a full list.
    patterns: HashMap<String, Arc<ActiveBan>>,
    nets: HashMap<IpNet, Arc<ActiveBan>>,
    /// The number of nets of each prefix length, of IPv4 if `true`. An address is looked up once
    /// for each length in use, since every new connection is checked.
    lengths: HashMap<(bool, u8), usize>,
}

/// Whether a match counts: a pattern or a similar name doesn't ban a server operator.
pub(crate) fn counts(hit: MaskMatch, operator: bool) -> bool {
    hit == MaskMatch::Named || !operator
}

/// A ban with its end by the steady clock.
pub(crate) struct ActiveBan {
    ban: ServerBan,
    ends: Option<Timestamp>,
}

impl Deref for ActiveBan {
    type Target = ServerBan;

    fn deref(&self) -> &ServerBan {
        &self.ban
    }
}

impl ActiveBan {
    fn new(ban: ServerBan) -> Self {
        let ends = match ban.term {
            Term::Permanent => None,
            Term::Until(end) => Some(end_of(ban.time, end)),
        };
        Self { ban, ends }
    }

    fn holds(&self, now: Timestamp) -> bool {
        self.ends.is_none_or(|end| now < end)
    }
}

impl Bans {
    /// Adds a ban; it replaces one of the same target.
    pub(in crate::hub) fn add(&mut self, ban: ServerBan) {
        let key = ban.target.key();
        self.remove(&key);
        let ban = Arc::new(ActiveBan::new(ban));
        match &ban.target {
            ServerBanMask::One(ModTarget::User(name)) => {
                for skeleton in name.ban_skeletons() {
                    self.by_skeleton.entry(skeleton.into()).or_default().push(Arc::clone(&ban));
                }
            }
            ServerBanMask::One(net @ ModTarget::Net(_)) => {
                if let Some(net) = net.addresses() {
                    self.nets.insert(net, Arc::clone(&ban));
                    *self.lengths.entry(length(&net)).or_default() += 1;
                }
            }
            ServerBanMask::Like(_) => {
                self.patterns.insert(key.clone(), Arc::clone(&ban));
            }
        }
        self.by_key.insert(key, ban);
    }

    /// Returns whether there was one.
    pub(in crate::hub) fn remove(&mut self, key: &str) -> bool {
        let Some(ban) = self.by_key.remove(key) else { return false };
        match &ban.target {
            ServerBanMask::One(ModTarget::User(name)) => {
                for skeleton in name.ban_skeletons() {
                    if let Some(alike) = self.by_skeleton.get_mut(skeleton.as_ref()) {
                        alike.retain(|other| !Arc::ptr_eq(other, &ban));
                        if alike.is_empty() {
                            self.by_skeleton.remove(skeleton.as_ref());
                        }
                    }
                }
            }
            ServerBanMask::One(net @ ModTarget::Net(_)) => {
                if let Some(net) = net.addresses() {
                    self.nets.remove(&net);
                    if let Some(count) = self.lengths.get_mut(&length(&net)) {
                        *count -= 1;
                        if *count == 0 {
                            self.lengths.remove(&length(&net));
                        }
                    }
                }
            }
            ServerBanMask::Like(_) => {
                self.patterns.remove(key);
            }
        }
        true
    }

    /// The ban that matches this name. `operator` is set for the account of a server operator.
    pub(in crate::hub) fn on_name(
        &self,
        name: &UserName,
        operator: bool,
        now: Timestamp,
    ) -> Option<Arc<ActiveBan>> {
        let skeletons: Vec<_> = name.ban_skeletons().collect();
        let alike = skeletons
            .iter()
            .filter_map(|skeleton| self.by_skeleton.get(skeleton.as_ref()))
            .flatten();
        let all = alike.chain(self.patterns.values());
        let hits = |ban: &&Arc<ActiveBan>| {
            ban.holds(now) && ban.target.matches_name(name).is_some_and(|hit| counts(hit, operator))
        };
        all.filter(hits).max_by_key(|ban| lasting(ban)).cloned()
    }

    /// The ban that matches this address.
    pub(in crate::hub) fn on_address(
        &self,
        address: IpAddr,
        now: Timestamp,
    ) -> Option<Arc<ActiveBan>> {
        let address = address.to_canonical();
        let lengths = self.lengths.keys().filter(|(is_v4, _)| *is_v4 == address.is_ipv4());
        let nets = lengths.filter_map(|(_, length)| IpNet::new(address, *length).ok());
        let bans = nets.filter_map(|net| self.nets.get(&net.trunc()));
        bans.filter(|ban| ban.holds(now)).max_by_key(|ban| lasting(ban)).cloned()
    }

    /// The target of an existing ban of the same addresses, such as another address of its /64;
    /// otherwise the given one.
    pub(in crate::hub) fn known_as(&self, target: ServerBanMask) -> ServerBanMask {
        let addresses = match &target {
            ServerBanMask::One(one) => one.addresses(),
            ServerBanMask::Like(_) => None,
        };
        let known = addresses.and_then(|addresses| self.nets.get(&addresses));
        known.map_or(target, |ban| ban.target.clone())
    }

    /// Refuses a new ban beyond the limit.
    pub(in crate::hub) fn has_room(
        &mut self,
        target: &ServerBanMask,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.by_key.len() >= MAX_SERVER_BANS && !self.by_key.contains_key(&target.key()) {
            self.run_out(now);
            if self.by_key.len() >= MAX_SERVER_BANS {
                return Err(Refusal::too_many_barred());
            }
        }
        Ok(())
    }

    /// The ban that `/unban` with this target removes: the one of this target, otherwise the oldest
    /// whose name folds to the same.
    pub(in crate::hub) fn meant(&self, target: ServerBanMask) -> ServerBanMask {
        let target = self.known_as(target);
        if self.by_key.contains_key(&target.key()) {
            return target;
        }
        let alike = self.by_key.values().filter(|ban| ban.target.is_alike(&target));
        alike.min_by_key(|ban| ban.time).map(|ban| ban.target.clone()).unwrap_or(target)
    }

    /// The bans in force, oldest first.
    pub(in crate::hub) fn all(&self, now: Timestamp) -> Vec<ServerBan> {
        let held = self.by_key.values().filter(|ban| ban.holds(now));
        let mut all: Vec<_> = held.map(|ban| ban.ban.clone()).collect();
        all.sort_by_key(|ban| (ban.time, ban.target.key()));
        all
    }

    /// Removes expired bans; returns whether there was any.
    pub(in crate::hub) fn run_out(&mut self, now: Timestamp) -> bool {
        let over = self.by_key.iter().filter(|(_, ban)| !ban.holds(now));
        let over: Vec<String> = over.map(|(key, _)| key.clone()).collect();
        for key in &over {
            self.remove(key);
        }
        !over.is_empty()
    }
}

fn length(net: &IpNet) -> (bool, u8) {
    (net.addr().is_ipv4(), net.prefix_len())
}

/// When a ban ends; of several that match, the one that ends last is reported.
fn lasting(ban: &ServerBan) -> i64 {
    match ban.term {
        Term::Permanent => i64::MAX,
        Term::Until(end) => end.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(5);

    fn ban(target: &str, term: Term) -> ServerBan {
        let target = ServerBanMask::read(target).unwrap();
        ServerBan { target, by: None, time: NOW, term, reason: None }
    }

    fn bans(targets: &[&str]) -> Bans {
        let mut bans = Bans::default();
        for target in targets {
            bans.add(ban(target, Term::Permanent));
        }
        bans
    }

    #[test]
    fn operators_are_banned_by_their_exact_name_only() {
        for (target, name, anybody, operator) in [
            ("bob", "Bob", true, true),
            ("bob", "b0b", true, false),
            ("b*", "bob", true, false),
            ("carol", "bob", false, false),
        ] {
            let bans = bans(&[target]);
            let name = UserName::new(name).unwrap();
            assert_eq!(bans.on_name(&name, false, NOW).is_some(), anybody, "{target} {name}");
            assert_eq!(bans.on_name(&name, true, NOW).is_some(), operator, "{target} {name}");
        }
    }

    #[test]
    fn one_ipv6_address_bans_its_64() {
        let mut bans = bans(&["2001:db8::1"]);
        let from = |address: &str| address.parse().unwrap();
        assert!(bans.on_address(from("2001:db8::2:3"), NOW).is_some());
        assert!(bans.on_address(from("2001:db8:0:1::1"), NOW).is_none());
        for typed in ["2001:db8::2", "2001:db8::/64"] {
            let known = bans.known_as(ServerBanMask::read(typed).unwrap());
            assert_eq!(known.to_string(), "2001:db8::1", "{typed}");
        }
        assert!(bans.remove("2001:db8::1"));
        assert!(bans.on_address(from("2001:db8::1"), NOW).is_none());
        let unknown = bans.known_as(ServerBanMask::read("2001:db8::2").unwrap());
        assert_eq!(unknown.to_string(), "2001:db8::2");
    }

    #[test]
    fn a_removed_ban_has_no_effect() {
        let mut bans = bans(&["bob", "b0b", "b*", "10.0.0.0/8"]);
        let bob = UserName::new("bob").unwrap();
        let from = "10.1.1.1".parse().unwrap();
        assert!(bans.on_address(from, NOW).is_some());
        for key in ["@bob", "@b0b", "b*"] {
            assert!(bans.on_name(&bob, false, NOW).is_some(), "before {key}");
            assert!(bans.remove(key));
            assert!(!bans.remove(key));
        }
        assert!(bans.on_name(&bob, false, NOW).is_none());
        assert!(bans.remove("10.0.0.0/8"));
        assert!(bans.on_address(from, NOW).is_none());
        assert!(bans.by_skeleton.is_empty() && bans.nets.is_empty() && bans.patterns.is_empty());
        assert!(bans.lengths.is_empty());
    }

    #[test]
    fn a_ban_is_removed_by_a_name_that_folds_to_the_same() {
        let mut bans = bans(&["straße", "*Αθήνα*", "jose", "10.0.0.0/8"]);
        for (typed, meant) in [
            ("STRASSE", "straße"),
            ("*ΑΘΗΝΑ*", "*αθήνα*"),
            ("José", "jose"),
            ("jose", "jose"),
            ("carol", "carol"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(
                bans.meant(ServerBanMask::read(typed).unwrap()).to_string(),
                meant,
                "{typed}"
            );
        }
        bans.add(ban("José", Term::Permanent));
        assert_eq!(
            bans.meant(ServerBanMask::read("josé").unwrap()).key(),
            "@josé",
            "its own comes first"
        );
    }

    #[test]
    fn an_address_is_found_in_nets_of_any_length() {
        let bans = bans(&["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "0.0.0.0/32"]);
        for (address, net) in [
            ("10.2.0.1", Some("10.0.0.0/8")),
            ("::ffff:10.2.0.1", Some("10.0.0.0/8")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("192.0.2.8", None),
            ("2001:db8:1::1", Some("2001:db8::/32")),
            ("2001:db9::1", None),
        ] {
            let found = bans.on_address(address.parse().unwrap(), NOW);
            let found = found.map(|ban| ban.target.to_string());
            assert_eq!(found.as_deref(), net, "{address}");
        }
        assert!(bans.on_address("10.1.0.1".parse().unwrap(), NOW).is_some(), "in two of them");
    }

    #[test]
    fn a_ban_expires_and_frees_its_slot() {
        let mut bans = Bans::default();
        let bob = UserName::new("bob").unwrap();
        bans.add(ban("bob", Term::Permanent));
        bans.add(ban("Bob", Term::Until(Timestamp(10))));
        assert!(bans.on_name(&bob, false, Timestamp(9)).is_some());
        assert!(
            bans.on_name(&bob, false, Timestamp(10)).is_none(),
            "the second replaces the first"
        );
        assert_eq!(bans.all(Timestamp(9)).len(), 1);
        assert_eq!(bans.all(Timestamp(10)), []);
        for n in 1..MAX_SERVER_BANS {
            bans.add(ban(&format!("user{n}"), Term::Permanent));
        }
        let carol = ServerBanMask::read("carol").unwrap();
        assert_eq!(bans.has_room(&carol, Timestamp(9)), Err(Refusal::too_many_barred()));
        assert_eq!(bans.has_room(&ServerBanMask::read("user1").unwrap(), Timestamp(9)), Ok(()));
        assert_eq!(bans.has_room(&carol, Timestamp(10)), Ok(()));
        assert!(!bans.run_out(Timestamp(10)));
    }
}
