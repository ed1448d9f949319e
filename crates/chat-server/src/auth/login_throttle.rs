//! Delays logins after wrong passwords.
//!
//! Wrong passwords count against the account and against the connection. Repeated failures wait
//! longer and longer; no account is locked out. So that strangers can't lock out the owner of an
//! account, attempts from an address that recently logged in to the account count separately, the
//! first few attempts from any other address don't wait for failures of others, and a delay once
//! announced is never extended by attempts of others.
//!
//! Many people may share an address. So an address with many wrong passwords has no delay of its
//! own: its connections get fewer free attempts, and its queued verifications take turns with those
//! of other addresses.
//!
//! Time comes in as an argument.

use std::borrow::Borrow;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use chat_proto::limits::MAX_DEVICES;
use indexmap::IndexMap;
use tokio::time::Instant;

use crate::util::net::client_prefix;

/// A rule for attempts.
#[derive(Clone, Copy)]
struct ThrottleRule {
    /// Free wrong attempts.
    free: u32,
    /// Concurrent attempts without a wrong one.
    at_once: u32,
    /// The longest delay.
    longest: Duration,
}

/// An account has one owner, who mistypes, and whose devices all reconnect at once after a restart
/// of the server.
#[expect(clippy::cast_possible_truncation, reason = "the number of devices is small")]
const ACCOUNT: ThrottleRule =
    ThrottleRule { free: 5, at_once: MAX_DEVICES as u32, longest: Duration::from_secs(30) };

/// A connection may belong to a bridge. A client that tries several accounts has few.
const CONNECTION: ThrottleRule =
    ThrottleRule { free: 10, at_once: u32::MAX, longest: Duration::from_secs(30) };

/// For a connection from an address that has used up the free attempts of [`ADDRESS`].
const CONNECTION_OF_MANY: ThrottleRule = ThrottleRule { free: 2, ..CONNECTION };

/// An address may stand for many people, such as the users of a proxy.
const ADDRESS: ThrottleRule =
    ThrottleRule { free: 20, at_once: u32::MAX, longest: Duration::from_secs(30) };

/// The first delay. Each further wrong password doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// One wrong password is forgotten after each such time without another.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

/// Attempts of an address on an account within [`LATELY`] that don't wait for failures of others,
/// so that an owner who mistypes once isn't locked out by attackers.
const OWN_FREE: u32 = 3;

/// The period after the first attempt of an address on an account in which [`OWN_FREE`] counts.
const LATELY: Duration = Duration::from_mins(5);

/// How long an address counts as the owner's after a login.
const KNOWN_FOR: Duration = Duration::from_hours(7 * 24);

/// Size of each table: addresses, connections, accounts, and addresses of accounts (those that
/// logged in and those that tried). The least recently used entry is evicted.
pub const MAX_REMEMBERED: usize = 10_000;

/// The recent attempts.
#[derive(Default)]
pub struct LoginThrottle {
    addresses: AttemptTable<IpAddr>,
    connections: AttemptTable<u64>,
    accounts: AttemptTable<Box<str>>,
    /// Accounts, with addresses that recently logged in.
    known: AttemptTable<Pair>,
    /// Accounts, with other addresses that recently tried.
    tried: AttemptTable<Pair>,
}

/// The source of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct LoginSource {
    /// `None` for a Unix socket.
    pub address: Option<IpAddr>,
    /// Unique over the lifetime of the process.
    pub connection: u64,
}

impl LoginSource {
    fn client_prefix(self) -> Option<IpAddr> {
        self.address.map(client_prefix)
    }
}

/// An account, and an address that tries it.
type Pair = (Box<str>, Option<IpAddr>);

/// Attempts of an address, on an account, or of an address on an account.
#[derive(Clone, Copy, Default)]
struct Attempts {
    /// Wrong attempts as of the last one, and its time.
    wrong: u32,
    last_wrong: Option<Instant>,
    /// Attempts in progress: counted as wrong, so that concurrent ones aren't free.
    under_way: u32,
    /// When the address logged in to the account.
    entered: Option<Instant>,
    /// When the address first tried the account in this period.
    first: Option<Instant>,
    /// When the address may try the account again, as announced.
    announced: Option<Instant>,
}

impl LoginThrottle {
    /// Checks whether a password may be tried now on an account (folded name), existing or not. If
    /// so, the attempt is in progress until [`failed`](Self::failed),
    /// [`succeeded`](Self::succeeded) or [`untried`](Self::untried) is called.
    ///
    /// # Errors
    ///
    /// The delay in seconds, if it may not.
    pub fn may_try(&mut self, source: LoginSource, name: &str, now: Instant) -> Result<(), u64> {
        let address = source.client_prefix();
        let key = (Box::from(name), address);
        let entered = self.known.get(&key).and_then(|tries| tries.entered);
        if entered.is_some_and(|entered| now.duration_since(entered) >= KNOWN_FOR) {
            self.known.remove(&key);
        }
        let of_address = address.and_then(|address| self.addresses.get(&address));
        let is_of_many = of_address.is_some_and(|tries| tries.wrong_at(now) >= ADDRESS.free);
        let rule = if is_of_many { CONNECTION_OF_MANY } else { CONNECTION };
        let of_connection = self.connections.get(&source.connection);
        let by_connection = of_connection.map_or(Duration::ZERO, |tries| tries.left(rule, now));
        let by_account = if let Some(known) = self.known.get(&key) {
            known.left(ACCOUNT, now)
        } else {
            let own = self.tried.get_mut(&key);
            let lately = own.map_or(Duration::ZERO, |own| own.held_up_at_most(now));
            let account = self.accounts.get(name).copied().unwrap_or_default();
            account.left(ACCOUNT, now).min(lately)
        };
        let left = by_account.max(by_connection);
        if !left.is_zero() {
            if let Some(own) = self.tried.get_mut(&key) {
                own.announced.get_or_insert(now + left);
            }
            return Err(left.as_secs() + u64::from(left.subsec_nanos() > 0));
        }
        self.each(source, name, |tries, _| {
            tries.under_way = tries.under_way.saturating_add(1);
            tries.first.get_or_insert(now);
            tries.announced = None;
        });
        Ok(())
    }

    /// Ends an attempt: the password was wrong.
    pub fn failed(&mut self, source: LoginSource, name: &str, now: Instant) {
        self.each(source, name, |tries, rule| {
            tries.under_way = tries.under_way.saturating_sub(1);
            tries.wrong = (tries.wrong_at(now) + 1).min(rule.most_wrong());
            tries.last_wrong = Some(now);
        });
    }

    /// Ends an attempt: the password was right. It clears neither the failures of the address on
    /// other accounts nor those of others on the account: they weren't the owner's.
    pub fn succeeded(&mut self, source: LoginSource, name: &str, now: Instant) {
        self.untried(source, name);
        let known = self.known.touch((Box::from(name), source.client_prefix()));
        *known = Attempts { under_way: known.under_way, entered: Some(now), ..Attempts::default() };
    }

    /// Ends an attempt without a verification.
    pub fn untried(&mut self, source: LoginSource, name: &str) {
        self.each(source, name, |tries, _| {
            tries.under_way = tries.under_way.saturating_sub(1);
        });
    }

    /// Forgets a deleted account: its name may have another owner next.
    pub fn forget(&mut self, name: &str) {
        self.accounts.remove(name);
        self.known.0.retain(|(known, _), _| &**known != name);
        self.tried.0.retain(|(tried, _), _| &**tried != name);
    }

    /// Applies a change to every entry that an attempt counts for, each with its rule.
    fn each(
        &mut self,
        source: LoginSource,
        name: &str,
        mut change: impl FnMut(&mut Attempts, ThrottleRule),
    ) {
        let address = source.client_prefix();
        change(self.connections.touch(source.connection), CONNECTION);
        self.connections.tidy(&source.connection);
        if let Some(address) = address {
            change(self.addresses.touch(address), ADDRESS);
            self.addresses.tidy(&address);
        }
        let key = (Box::from(name), address);
        if self.known.get(&key).is_some() {
            change(self.known.touch(key), ACCOUNT);
        } else {
            change(self.tried.touch(key.clone()), ACCOUNT);
            self.tried.tidy(&key);
            let (name, _) = key;
            change(self.accounts.touch(name.clone()), ACCOUNT);
            self.accounts.tidy(&name);
        }
    }
}

impl Attempts {
    /// Returns the wrong attempts that aren't forgotten.
    fn wrong_at(&self, now: Instant) -> u32 {
        let since = self.last_wrong.map_or(Duration::ZERO, |last| now.duration_since(last));
        let forgotten = since.as_secs() / FORGOTTEN_AFTER.as_secs();
        self.wrong.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }

    /// Returns the longest wait of an address for failures of others.
    fn held_up_at_most(&mut self, now: Instant) -> Duration {
        if self.first.is_none_or(|first| now.duration_since(first) >= LATELY) {
            *self = Self { under_way: self.under_way, ..Self::default() };
        }
        if self.wrong.saturating_add(self.under_way) < OWN_FREE {
            return Duration::ZERO;
        }
        let until = self.announced.or(self.first.map(|first| first + LATELY));
        until.map_or(LATELY, |until| until.duration_since(now))
    }

    /// Returns the delay from now on.
    fn left(&self, rule: ThrottleRule, now: Instant) -> Duration {
        let until = self.last_wrong.map(|last| last + rule.wait(self.wrong));
        let left = until.map_or(Duration::ZERO, |until| until.duration_since(now));
        let wrong = self.wrong_at(now);
        let most = if wrong == 0 { rule.at_once } else { rule.free };
        let has_free = wrong.saturating_add(self.under_way) < most;
        if self.under_way == 0 || has_free { left } else { left.max(FIRST) }
    }
}

impl ThrottleRule {
    /// Returns the delay after a number of wrong attempts.
    fn wait(self, wrong: u32) -> Duration {
        match wrong.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(doubled) => FIRST.saturating_mul(1 << doubled.min(16)).min(self.longest),
        }
    }

    /// The count stops where the delay is longest, so that it is forgotten in bounded time.
    fn most_wrong(self) -> u32 {
        let mut wrong = (self.free..u32::MAX).skip_while(|wrong| self.wait(*wrong) < self.longest);
        wrong.next().unwrap_or(u32::MAX)
    }
}

/// A bounded table in order of last use.
struct AttemptTable<K>(IndexMap<K, Attempts>);

impl<K> Default for AttemptTable<K> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<K: Hash + Eq> AttemptTable<K> {
    fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&Attempts>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut Attempts> {
        self.0.get_mut(key)
    }

    /// Returns an entry and makes it the most recent.
    fn touch(&mut self, key: K) -> &mut Attempts {
        let before = self.0.shift_remove(&key);
        if before.is_none() && self.0.len() >= MAX_REMEMBERED {
            self.0.shift_remove_index(0);
        }
        self.0.entry(key).or_insert(before.unwrap_or_default())
    }

    /// Removes an entry without information.
    fn tidy(&mut self, key: &K) {
        if self.0.get(key).is_some_and(|tries| tries.wrong == 0 && tries.under_way == 0) {
            self.0.shift_remove(key);
        }
    }

    fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.0.shift_remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only connection from an address.
    fn address(text: &str) -> LoginSource {
        let address: IpAddr = text.parse().unwrap();
        let connection = match address {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => u64::from(v6.segments()[7]),
        };
        LoginSource { address: Some(address), connection }
    }

    const UNIX: LoginSource = LoginSource { address: None, connection: 0 };

    /// Tries wrong passwords as soon as allowed and returns the delay after each, in seconds.
    fn waits(
        throttle: &mut LoginThrottle,
        now: &mut Instant,
        count: usize,
        mut who: impl FnMut(usize) -> (LoginSource, String),
    ) -> Vec<u64> {
        let mut waits = Vec::new();
        for at in 0..count {
            let (address, name) = who(at);
            let wait = throttle.may_try(address, &name, *now).err().unwrap_or_default();
            waits.push(wait);
            if wait > 0 {
                *now += Duration::from_secs(wait);
                throttle.may_try(address, &name, *now).unwrap();
            }
            throttle.failed(address, &name, *now);
        }
        waits
    }

    const TO_ALICE: [u64; 13] = [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30];
    const FROM_ONE: [u64; 11] = [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30];

    #[test]
    fn waits_double_up_to_a_bound_for_an_account_and_for_a_connection() {
        let mut now = Instant::now();
        // From two addresses in turn.
        let mut throttle = LoginThrottle::default();
        let on_alice = |at: usize| (address(&format!("192.0.2.{}", at % 2)), "alice".to_owned());
        let announced = waits(&mut throttle, &mut now, 13, on_alice);
        assert_eq!(
            (&announced[..6], &announced[6..]),
            (&[0; 6][..], &TO_ALICE[6..]),
            "three each are free"
        );
        // On a new account each time.
        for here in [address("192.0.2.1"), UNIX] {
            let mut throttle = LoginThrottle::default();
            let announced = waits(&mut throttle, &mut now, 21, |at| (here, format!("user{at}")));
            assert_eq!((&announced[..10], &announced[10..]), (&[0; 10][..], &FROM_ONE[..]));
        }
    }

    #[test]
    fn wrong_passwords_of_one_address_lock_out_no_account() {
        let (mut throttle, mut now) = (LoginThrottle::default(), Instant::now());
        let from = |address: &str, connection| LoginSource { connection, ..self::address(address) };
        let network = |at: usize| from(&format!("2001:db8::{at:x}"), at as u64);
        // Sixty connections, each trying an account; the whole /64 counts as one.
        for round in 0..3 {
            for at in 0..60 {
                let tried = throttle.may_try(network(at), &format!("victim{at}"), now);
                assert_eq!(tried, if round < 2 { Ok(()) } else { Err(1) }, "{at}");
                if tried.is_ok() {
                    throttle.failed(network(at), &format!("victim{at}"), now);
                }
            }
        }
        // Others there log in at once, and mistype twice.
        for at in 100..200 {
            assert_eq!(throttle.may_try(network(at), &format!("user{at}"), now), Ok(()));
            throttle.succeeded(network(at), &format!("user{at}"), now);
        }
        let mistypes = |_| (network(300), "carol".to_owned());
        assert_eq!(waits(&mut throttle, &mut now, 5, mistypes), [0, 0, 1, 2, 4]);
        let elsewhere = |_| (from("2001:db8:0:1::9", 301), "dave".to_owned());
        assert_eq!(waits(&mut throttle, &mut now, 5, elsewhere), [0; 5]);
        // A new connection each time has the delays of the account.
        let mut throttle = LoginThrottle::default();
        let again = |at| (network(at), "alice".to_owned());
        assert_eq!(waits(&mut throttle, &mut now, 13, again), TO_ALICE);
    }

    #[test]
    fn an_ipv4_address_within_ipv6_is_the_same() {
        let (mut throttle, mut now) = (LoginThrottle::default(), Instant::now());
        let here = |connection| LoginSource { connection, ..address("192.0.2.1") };
        waits(&mut throttle, &mut now, 20, |at| (here(at as u64), format!("user{at}")));
        let mapped = LoginSource { connection: 99, ..address("::ffff:192.0.2.1") };
        let announced = waits(&mut throttle, &mut now, 3, |at| (mapped, format!("other{at}")));
        assert_eq!(announced, [0, 0, 1]);
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
        // Ten count. Each five minutes forget one, and the address's own three are free again then.
        for (minutes, then) in [
            (0, [30, 30, 30, 30]),
            (1, [0, 30, 30, 30]),
            (10, [0, 0, 0, 30]),
            (25, [0, 0, 0, 8]),
            (60, [0, 0, 0, 0]),
        ] {
            let (mut throttle, mut now) = (LoginThrottle::default(), Instant::now());
            let on_alice = |_: usize| (UNIX, "alice".to_owned());
            waits(&mut throttle, &mut now, 13, on_alice);
            now += Duration::from_mins(minutes);
            let again = |_: usize| (LoginSource { connection: 1, ..UNIX }, "alice".to_owned());
            let again = waits(&mut throttle, &mut now, 4, again);
            assert_eq!(again, then, "{minutes} minutes");
        }
    }

    #[test]
    fn attempts_of_others_do_not_delay_the_owner() {
        let (mut throttle, mut now) = (LoginThrottle::default(), Instant::now());
        let home = address("198.51.100.1");
        assert_eq!(throttle.may_try(home, "alice", now), Ok(()));
        throttle.succeeded(home, "alice", now);
        let stranger = address("203.0.113.1");
        let by_stranger = |_: usize| (stranger, "alice".to_owned());
        assert_eq!(waits(&mut throttle, &mut now, 13, by_stranger), TO_ALICE);
        assert_eq!(throttle.may_try(stranger, "alice", now), Err(30));
        assert_eq!(throttle.may_try(home, "alice", now), Ok(()));
        throttle.succeeded(home, "alice", now);
        assert_eq!(
            throttle.may_try(stranger, "alice", now),
            Err(30),
            "the owner's coming doesn't help the others"
        );
        // Attempts from the owner's address are delayed as well.
        let from_home = |_: usize| (home, "alice".to_owned());
        assert_eq!(waits(&mut throttle, &mut now, 7, from_home), TO_ALICE[..7]);
        now += KNOWN_FOR;
        assert_eq!(waits(&mut throttle, &mut now, 7, by_stranger), TO_ALICE[..7]);
        let again = waits(&mut throttle, &mut now, 4, from_home);
        assert_eq!(again, [0, 0, 0, 30], "it is known no more");
    }

    /// Many addresses try again whenever they may, for a time.
    fn strangers_guess(throttle: &mut LoginThrottle, now: &mut Instant, long: Duration) {
        let until = *now + long;
        for at in (0..100_u8).cycle() {
            if *now >= until {
                return;
            }
            let here = address(&format!("192.0.2.{at}"));
            if throttle.may_try(here, "alice", *now).is_ok() {
                throttle.failed(here, "alice", *now);
            }
            *now += Duration::from_millis(100);
        }
    }

    #[test]
    fn the_first_three_attempts_of_an_address_are_not_delayed() {
        let (mut throttle, mut now) = (LoginThrottle::default(), Instant::now());
        strangers_guess(&mut throttle, &mut now, Duration::from_secs(40));
        let owner = address("198.51.100.1");
        for _ in 0..OWN_FREE {
            assert_eq!(throttle.may_try(owner, "alice", now), Ok(()));
            throttle.failed(owner, "alice", now);
        }
        assert_eq!(throttle.may_try(owner, "alice", now), Err(30));
        // Also concurrent attempts count.
        let other = address("198.51.100.2");
        let tried: Vec<_> = (0..4).map(|_| throttle.may_try(other, "alice", now)).collect();
        assert_eq!(tried, [Ok(()), Ok(()), Ok(()), Err(30)]);
        // However long others go on, five minutes after the first one.
        strangers_guess(&mut throttle, &mut now, LATELY);
        for _ in 0..OWN_FREE {
            assert_eq!(throttle.may_try(owner, "alice", now), Ok(()));
            throttle.failed(owner, "alice", now);
        }
        // So does a connection to a Unix socket.
        assert_eq!(throttle.may_try(UNIX, "alice", now), Ok(()));
    }

    #[test]
    fn an_announced_delay_is_never_extended_by_others() {
        let (mut throttle, mut now) = (LoginThrottle::default(), Instant::now());
        let owner = address("198.51.100.1");
        waits(&mut throttle, &mut now, 13, |_| (owner, "alice".to_owned()));
        assert_eq!(throttle.may_try(owner, "alice", now), Err(30));
        for left in [20, 10] {
            strangers_guess(&mut throttle, &mut now, Duration::from_secs(10));
            assert_eq!(throttle.may_try(owner, "alice", now), Err(left));
        }
        strangers_guess(&mut throttle, &mut now, Duration::from_secs(10));
        throttle.failed(UNIX, "alice", now);
        assert_eq!(throttle.may_try(owner, "alice", now), Ok(()));
        // It was valid for one attempt.
        assert_eq!(throttle.may_try(owner, "alice", now), Err(30));
        throttle.failed(owner, "alice", now);
        assert_eq!(throttle.may_try(owner, "alice", now), Err(30));
    }

    #[test]
    fn a_right_password_does_not_clear_a_connection() {
        let (mut throttle, mut now) = (LoginThrottle::default(), Instant::now());
        let here = address("192.0.2.1");
        for round in 0..20 {
            waits(&mut throttle, &mut now, 1, |_| (here, format!("victim{round}")));
            if throttle.may_try(here, "mallory", now).is_ok() {
                throttle.succeeded(here, "mallory", now);
            }
        }
        assert_eq!(throttle.may_try(here, "mallory", now), Err(30));
    }

    #[test]
    fn concurrent_attempts_count_like_sequential_ones() {
        let (mut throttle, now) = (LoginThrottle::default(), Instant::now());
        let here = address("192.0.2.1");
        // All devices of one account.
        let tried: Vec<_> = (0..17).map(|_| throttle.may_try(here, "alice", now)).collect();
        assert_eq!((&tried[..16], tried[16]), (&[Ok(()); 16][..], Err(1)));
        (0..16).for_each(|_| throttle.untried(here, "alice"));
        // After a wrong attempt.
        (0..2).for_each(|_| throttle.may_try(here, "alice", now).unwrap());
        throttle.failed(here, "alice", now);
        let tried: Vec<_> = (0..5).map(|_| throttle.may_try(here, "alice", now)).collect();
        assert_eq!(tried, [Ok(()), Ok(()), Ok(()), Err(1), Err(1)]);
        throttle.untried(here, "alice");
        assert_eq!(throttle.may_try(here, "alice", now), Ok(()));
        for _ in 0..4 {
            throttle.failed(here, "alice", now);
        }
        let later = now + Duration::from_secs(1);
        assert_eq!(throttle.may_try(here, "alice", later), Ok(()));
        assert_eq!(throttle.may_try(here, "alice", later), Err(1), "one at a time by now");
    }

    #[test]
    fn records_are_bounded_and_a_deleted_account_is_forgotten() {
        let (mut throttle, now) = (LoginThrottle::default(), Instant::now());
        for at in 0..MAX_REMEMBERED + 10 {
            let at = u32::try_from(at).unwrap();
            let here = Some(IpAddr::from(at.to_be_bytes()));
            let here = LoginSource { address: here, connection: at.into() };
            let name = format!("user{at}");
            throttle.may_try(here, &name, now).unwrap();
            throttle.failed(here, &name, now);
            throttle.may_try(UNIX, &name, now).unwrap();
            throttle.succeeded(UNIX, &name, now);
        }
        let LoginThrottle { addresses, connections, accounts, known, tried } = &throttle;
        let sizes = [addresses.0.len(), connections.0.len(), accounts.0.len(), known.0.len()];
        assert_eq!(sizes, [MAX_REMEMBERED; 4]);
        // The last entry has logged in and isn't among them.
        assert_eq!(tried.0.len(), MAX_REMEMBERED - 1);
        assert!(
            throttle.accounts.get("user9").is_none() && throttle.accounts.get("user10").is_some()
        );
        throttle.forget("user10");
        assert!(throttle.accounts.get("user10").is_none());
        assert!(throttle.tried.0.keys().all(|(name, _)| &**name != "user10"));
        assert!(throttle.known.get(&(Box::from("user10"), None)).is_none());
        // An attempt without effect leaves nothing.
        let mut throttle = LoginThrottle::default();
        throttle.may_try(address("192.0.2.1"), "alice", now).unwrap();
        throttle.untried(address("192.0.2.1"), "alice");
        assert!(throttle.addresses.0.is_empty() && throttle.accounts.0.is_empty());
        assert!(throttle.tried.0.is_empty() && throttle.connections.0.is_empty());
    }
}
