//! Rate limits of one account or address for costly or lasting operations.
//!
//! A token bucket for each operation and owner (the generic cell rate algorithm, ITU-T I.371),
//! which outlives the connection. The throttle of one connection is in `conn/throttle`. Time comes
//! in as an argument.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;

use crate::hub::client::Client;
use crate::hub::limits::Quotas;
use crate::hub::limits::RateLimit;
use crate::util::net::client_prefix;

/// Buckets in memory; beyond it the one that is full soonest is dropped.
const MAX_BUCKETS: usize = 50_000;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// Factor for connections from this machine, where a proxy may stand in front of the public.
const FROM_THIS_MACHINE: u64 = 100;

/// The overhead of a stored message: names, ids, and index entries, roughly.
pub(in crate::hub) const STORED_BESIDE: u64 = 256;

/// Operations that are costly or lasting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ThrottledOp {
    Create,
    Register,
    Invite,
    OpenPrivate,
    /// The first message of a private chat.
    WritePrivate,
    Rename,
    Topic,
    Moderate,
    Connect,
    Line,
    Store,
}

/// How a bucket fills.
#[derive(Clone, Copy)]
struct Bucket {
    /// This amount in this many milliseconds.
    amount: u64,
    millis: i64,
    /// The burst.
    at_once: u64,
}

impl Bucket {
    /// The burst is a quarter of an hour's amount.
    fn hourly(amount: u32) -> Self {
        let amount = u64::from(amount);
        Self { amount, millis: HOUR_MILLIS, at_once: (amount / 4).max(1) }
    }

    /// Half the bucket.
    fn half(self) -> Self {
        let amount = self.amount / 2;
        Self { amount, at_once: (amount / 4).max(1), ..self }
    }

    /// The time in which the bucket gains this amount.
    fn time_of(self, amount: u64) -> i64 {
        let millis = i128::from(amount) * i128::from(self.millis) / i128::from(self.amount.max(1));
        i64::try_from(millis).unwrap_or(i64::MAX)
    }
}

impl ThrottledOp {
    fn bucket(self, holder: QuotaOwner, shares: &Quotas) -> Bucket {
        let is_account = matches!(holder, QuotaOwner::Account(_));
        let hourly = match self {
            Self::Create => shares.channels_per_hour,
            Self::Register => shares.accounts_per_hour,
            Self::Invite => shares.invitations_per_hour,
            Self::OpenPrivate | Self::WritePrivate => shares.private_chats_per_hour,
            Self::Rename => shares.renames_per_hour,
            Self::Topic => shares.topics_per_hour,
            Self::Moderate => shares.moderation_per_hour,
            Self::Connect => {
                let is_here = matches!(holder, QuotaOwner::Address(ip) if ip.is_loopback());
                let times = if is_here { FROM_THIS_MACHINE } else { 1 };
                let amount = u64::from(shares.connects_per_minute) * times;
                return Bucket { amount, millis: 60_000, at_once: amount };
            }
            Self::Line => {
                let flow = if is_account { shares.account_lines } else { shares.address_lines };
                let RateLimit { at_once, per_second } = flow;
                return Bucket { amount: per_second, millis: 1000, at_once };
            }
            Self::Store => {
                let amount =
                    if is_account { shares.stored_per_account } else { shares.stored_per_address };
                return Bucket { amount, millis: DAY_MILLIS, at_once: amount / 4 };
            }
        };
        Bucket::hourly(hourly)
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Create => "new channels",
            Self::Register => "new accounts",
            Self::Invite => "invitations",
            Self::OpenPrivate | Self::WritePrivate => "new private chats",
            Self::Rename => "changes of a name",
            Self::Topic => "changes of a topic",
            Self::Moderate => "commands that run a channel",
            Self::Connect => "connections",
            Self::Line => "lines",
            Self::Store => "stored bytes",
        }
    }
}

/// The owner of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum QuotaOwner {
    /// By its user id.
    Account(u64),
    /// A whole /64 of IPv6. All TCP clients on this machine are one.
    Address(IpAddr),
    /// A connection to the Unix socket, which has no address.
    Connection(u64),
    /// All connections to the Unix socket together.
    UnixSocket,
}

impl QuotaOwner {
    pub(crate) fn of(client: &Client) -> Self {
        match (client.account(), client.address()) {
            (Some(account), _) => Self::Account(account.0),
            (None, Some(address)) => Self::Address(client_prefix(address)),
            (None, None) => Self::Connection(client.id.0),
        }
    }
}

type Key = (ThrottledOp, QuotaOwner);

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryAfter {
    millis: i64,
}

impl RetryAfter {
    /// In seconds, at least one.
    pub(crate) fn secs(self) -> u64 {
        self.millis.saturating_add(999).unsigned_abs() / 1000
    }

    pub(crate) fn millis(self) -> u64 {
        self.millis.unsigned_abs()
    }
}

/// The buckets that are not full.
#[derive(Default)]
pub(in crate::hub) struct Throttles {
    /// When each is full again, in milliseconds.
    full_at: HashMap<Key, i64>,
    by_time: BTreeSet<(i64, Key)>,
}

impl Throttles {
    /// Takes one token. Of an address's bucket one connection may use half, so that it leaves some
    /// to the others.
    ///
    /// # Errors
    ///
    /// `too-fast`, with the time to wait.
    pub(in crate::hub) fn take(
        &mut self,
        costly: ThrottledOp,
        holder: QuotaOwner,
        connection: u64,
        shares: &Quotas,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let bucket = costly.bucket(holder, shares);
        let own = matches!(holder, QuotaOwner::Address(_))
            .then(|| ((costly, QuotaOwner::Connection(connection)), bucket.half()));
        let takes = std::iter::once(((costly, holder), bucket)).chain(own);
        self.spend(takes, 1, now).map_err(|wait| Refusal::too_often(costly.in_words(), wait.secs()))
    }

    /// Takes an amount from the bucket of the account, if there is one, and of the address.
    ///
    /// # Errors
    ///
    /// The time to wait, if either has less.
    pub(in crate::hub) fn take_of_both(
        &mut self,
        costly: ThrottledOp,
        (account, address): (Option<u64>, Option<IpAddr>),
        amount: u64,
        shares: &Quotas,
        now: Timestamp,
    ) -> Result<(), RetryAfter> {
        let address =
            address.map_or(QuotaOwner::UnixSocket, |ip| QuotaOwner::Address(client_prefix(ip)));
        let holders = std::iter::once(address).chain(account.map(QuotaOwner::Account));
        let takes = holders.map(|holder| ((costly, holder), costly.bucket(holder, shares)));
        self.spend(takes, amount, now)
    }

    /// Takes an amount from each of these, or nothing from any.
    fn spend(
        &mut self,
        takes: impl Iterator<Item = (Key, Bucket)>,
        amount: u64,
        now: Timestamp,
    ) -> Result<(), RetryAfter> {
        let next = |(key, bucket)| Ok((key, self.next(key, bucket, amount, now)?));
        let nexts = takes.map(next).collect::<Result<Vec<_>, RetryAfter>>()?;
        for (key, full_at) in nexts {
            self.set(key, full_at);
        }
        Ok(())
    }

    /// When a bucket is full again after taking this amount.
    fn next(
        &self,
        key: Key,
        bucket: Bucket,
        amount: u64,
        now: Timestamp,
    ) -> Result<i64, RetryAfter> {
        let time = bucket.time_of(amount).max(1);
        // An amount beyond the burst is taken from a full bucket.
        let most = bucket.time_of(bucket.at_once).max(time);
        // After a step back of the clock, the wait is at most that for an empty bucket.
        let latest = now.0.saturating_add(most);
        let full_at = self.full_at.get(&key).map_or(now.0, |known| (*known).clamp(now.0, latest));
        let next = full_at.saturating_add(time);
        if next > latest { Err(RetryAfter { millis: next - latest }) } else { Ok(next) }
    }

    fn set(&mut self, key: Key, full_at: i64) {
        match self.full_at.insert(key, full_at) {
            Some(known) => {
                self.by_time.remove(&(known, key));
            }
            None if self.full_at.len() > MAX_BUCKETS => {
                if let Some((_, oldest)) = self.by_time.pop_first() {
                    self.full_at.remove(&oldest);
                }
            }
            None => {}
        }
        self.by_time.insert((full_at, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::refusal::Code;

    fn address(text: &str) -> QuotaOwner {
        QuotaOwner::Address(client_prefix(text.parse().unwrap()))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn reconnecting_refills_no_bucket_and_an_account_has_less_than_its_address() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        let mut take = |who: (Option<u64>, Option<IpAddr>), at| {
            throttles.take_of_both(ThrottledOp::Line, who, 4 * 1024, &shares, Timestamp(at))
        };
        let here = Some(ip("2001:db8::1"));
        assert_eq!((0..1000).take_while(|_| take((Some(1), here), 0).is_ok()).count(), 100);
        assert_eq!(take((Some(1), here), 0).unwrap_err().millis(), 100);
        assert_eq!((0..1000).take_while(|_| take((None, here), 0).is_ok()).count(), 400);
        // The same /64 shares a bucket, another one doesn't.
        assert_eq!(take((None, Some(ip("2001:db8::ffff"))), 0).unwrap_err().millis(), 20);
        assert!(take((None, Some(ip("2001:db8:0:1::1"))), 0).is_ok());
        assert!(take((None, here), 20).is_ok());
    }

    #[test]
    fn stored_bytes_have_a_daily_share() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        let mut take = |who: (Option<u64>, Option<IpAddr>), at| {
            throttles.take_of_both(ThrottledOp::Store, who, 1 << 20, &shares, Timestamp(at))
        };
        let here = Some(ip("192.0.2.1"));
        for (who, at_once) in [((Some(1), here), 16), ((Some(2), here), 16), ((None, here), 32)] {
            assert_eq!((0..1000).take_while(|_| take(who, 0).is_ok()).count(), at_once);
        }
        let hour = HOUR_MILLIS;
        assert_eq!((0..1000).take_while(|_| take((None, here), 6 * hour).is_ok()).count(), 64);
        // The Unix socket has one bucket.
        assert_eq!((0..1000).take_while(|_| take((None, None), 0).is_ok()).count(), 64);
    }

    #[test]
    fn connections_are_throttled_and_less_so_from_this_machine() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        for (address, at_once) in [("192.0.2.1", 120), ("127.0.0.1", 12_000)] {
            let who = (None, Some(ip(address)));
            let mut take =
                |at| throttles.take_of_both(ThrottledOp::Connect, who, 1, &shares, Timestamp(at));
            assert_eq!((0..20_000).take_while(|_| take(0).is_ok()).count(), at_once);
            assert!(take(500).is_ok());
        }
    }

    #[test]
    fn the_burst_is_a_quarter_of_an_hours_amount() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        let holder = address("192.0.2.1");
        let mut connection = 0;
        let mut take = |at| {
            connection += 1;
            throttles.take(ThrottledOp::Create, holder, connection, &shares, Timestamp(at))
        };
        for _ in 0..60 {
            assert!(take(0).is_ok());
        }
        let refusal = take(0).unwrap_err();
        assert_eq!(refusal.code(), Code::TooFast);
        assert!(refusal.text().contains("Wait 15 s"), "{}", refusal.text());
        assert!(take(14_999).is_err());
        assert!(take(15_000).is_ok());
        assert!(take(15_000).is_err());
    }

    #[test]
    fn one_connection_leaves_half_to_the_others_at_its_address() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        let holder = address("192.0.2.1");
        let mut take =
            |who, at| throttles.take(ThrottledOp::Create, holder, who, &shares, Timestamp(at));
        for _ in 0..30 {
            assert!(take(1, 0).is_ok());
        }
        let refusal = take(1, 0).unwrap_err();
        assert!(refusal.text().contains("Wait 30 s"), "{}", refusal.text());
        assert!(take(2, 0).is_ok());
        assert!(take(1, 29_999).is_err());
        assert!(take(1, 30_000).is_ok());
    }

    #[test]
    fn buckets_are_by_operation_and_owner_and_an_ipv6_64_is_one_owner() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        let now = Timestamp(1_000_000);
        let mut connection = 0;
        let mut take = |costly, holder| {
            connection += 1;
            throttles.take(costly, holder, connection, &shares, now)
        };
        let one = address("2001:db8:1:2::1");
        while take(ThrottledOp::Register, one).is_ok() {}
        assert!(take(ThrottledOp::Register, address("2001:db8:1:2:ffff::9")).is_err());
        assert!(take(ThrottledOp::Register, address("2001:db8:1:3::1")).is_ok());
        assert!(take(ThrottledOp::Create, one).is_ok());
        assert!(take(ThrottledOp::Register, QuotaOwner::Account(7)).is_ok());
        assert!(take(ThrottledOp::Register, QuotaOwner::Connection(7)).is_ok());
    }

    #[test]
    fn after_a_clock_step_the_wait_is_at_most_that_of_an_empty_bucket() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        let holder = QuotaOwner::Account(1);
        let year = Timestamp(365 * 24 * HOUR_MILLIS);
        assert!(throttles.take(ThrottledOp::Create, holder, 0, &shares, year).is_ok());
        let refusal =
            throttles.take(ThrottledOp::Create, holder, 0, &shares, Timestamp(0)).unwrap_err();
        assert!(refusal.text().contains("Wait 15 s"), "{}", refusal.text());
    }

    #[test]
    fn the_table_is_bounded_and_drops_the_bucket_that_is_full_soonest() {
        let (mut throttles, shares) = (Throttles::default(), Quotas::for_tests());
        let busy = QuotaOwner::Account(0);
        while throttles.take(ThrottledOp::Create, busy, 0, &shares, Timestamp(0)).is_ok() {}
        for other in 1..=MAX_BUCKETS as u64 {
            let taken = throttles.take(
                ThrottledOp::Create,
                QuotaOwner::Account(other),
                0,
                &shares,
                Timestamp(0),
            );
            assert!(taken.is_ok());
        }
        assert_eq!((throttles.full_at.len(), throttles.by_time.len()), (MAX_BUCKETS, MAX_BUCKETS));
        assert!(throttles.take(ThrottledOp::Create, busy, 0, &shares, Timestamp(0)).is_err());
    }
}
