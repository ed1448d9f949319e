//! How often one account or address may do what is costly or lasting.
//!
//! A token bucket for each kind of act and each holder (the generic cell rate algorithm, ITU-T I.371), which outlives
//! the connection. Talk has its own pace, in `conn/pace`. Time comes in as an argument.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use chat_proto::id::Timestamp;
use chat_proto::refusal::Refusal;

use super::person::Person;
use crate::household::household;

/// Buckets that are remembered; past it the one that is full, or full soonest, is forgotten.
const MAX_BUCKETS: usize = 50_000;

const HOUR_MILLIS: i64 = 3_600_000;

/// How much one account or address may do and have. The usual numbers are for a public server: a hundred people behind one
/// address can each make a channel and an account in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Channels that one account has made and that are still there.
    pub channels_per_account: usize,
    /// The same for everybody at one address who has no account.
    pub channels_per_address: usize,
    /// Channels made in an hour.
    pub channels_per_hour: u32,
    /// Accounts made in an hour.
    pub accounts_per_hour: u32,
    /// Invitations to a channel in an hour.
    pub invitations_per_hour: u32,
    /// Accounts in all; past it nobody registers.
    pub accounts: usize,
    /// Bans, mutes, invitations and refused words of all channels that one account has made, or people without one at one
    /// address.
    pub rules_per_owner: usize,
    /// The same of all channels.
    pub rules: usize,
    /// Private chats opened in an hour, and those in which the first line is said.
    pub private_chats_per_hour: u32,
    /// Changes of a name in an hour.
    pub renames_per_hour: u32,
    /// Topics set in an hour.
    pub topics_per_hour: u32,
    /// Other commands that run a channel, in an hour.
    pub moderation_per_hour: u32,
}

/// What is costly or lasting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Costly {
    Create,
    Register,
    Invite,
    OpenPrivate,
    /// The first line of a private chat.
    WritePrivate,
    Rename,
    Topic,
    Moderate,
}

impl Costly {
    fn per_hour(self, shares: &Shares) -> u32 {
        match self {
            Self::Create => shares.channels_per_hour,
            Self::Register => shares.accounts_per_hour,
            Self::Invite => shares.invitations_per_hour,
            Self::OpenPrivate | Self::WritePrivate => shares.private_chats_per_hour,
            Self::Rename => shares.renames_per_hour,
            Self::Topic => shares.topics_per_hour,
            Self::Moderate => shares.moderation_per_hour,
        }
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
        }
    }
}

/// The one whose share something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Holder {
    /// By its party.
    Account(u64),
    /// A whole /64 of IPv6. Everybody on this machine who comes by TCP is one.
    Address(IpAddr),
    /// A connection to the Unix socket, which has no address.
    Connection(u64),
}

impl Holder {
    pub(crate) fn of(person: &Person) -> Self {
        match (person.account(), person.address()) {
            (Some(account), _) => Self::Account(account.0),
            (None, Some(address)) => Self::Address(household(address)),
            (None, None) => Self::Connection(person.id.0),
        }
    }
}

type Key = (Costly, Holder);

/// The buckets that are not full.
#[derive(Default)]
pub(super) struct Throttles {
    /// When each is full again, in milliseconds.
    full_at: HashMap<Key, i64>,
    by_time: BTreeSet<(i64, Key)>,
}

impl Throttles {
    /// Takes one token: a quarter of an hour's number may be taken at once. Of what an address has, one connection may use
    /// half, so that it leaves something to the others there.
    ///
    /// # Errors
    ///
    /// `too-fast`, with the time to wait, if there is none.
    pub(super) fn take(
        &mut self,
        costly: Costly,
        holder: Holder,
        connection: u64,
        shares: &Shares,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let per_hour = costly.per_hour(shares);
        let next = self.next((costly, holder), per_hour, now)?;
        if matches!(holder, Holder::Address(_)) {
            let own = (costly, Holder::Connection(connection));
            let own_next = self.next(own, per_hour / 2, now)?;
            self.set(own, own_next);
        }
        self.set((costly, holder), next);
        Ok(())
    }

    /// When a bucket is full again after one more token is taken from it.
    fn next(&self, key: Key, per_hour: u32, now: Timestamp) -> Result<i64, Refusal> {
        let per_hour = i64::from(per_hour.max(1));
        let interval = HOUR_MILLIS / per_hour;
        let burst = (per_hour / 4).max(1);
        // After a step back of the clock nobody waits longer than for an empty bucket.
        let latest = now.0.saturating_add(interval * burst);
        let full_at = self.full_at.get(&key).map_or(now.0, |known| (*known).clamp(now.0, latest));
        let next = full_at.saturating_add(interval);
        if next > latest {
            let wait = (next - latest).saturating_add(999) / 1000;
            return Err(Refusal::too_often(key.0.in_words(), wait.unsigned_abs()));
        }
        Ok(next)
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
impl Shares {
    /// The usual numbers.
    pub(crate) fn for_tests() -> Self {
        Self {
            channels_per_account: 500,
            channels_per_address: 1000,
            channels_per_hour: 240,
            accounts_per_hour: 120,
            invitations_per_hour: 480,
            accounts: 200_000,
            rules_per_owner: 10_000,
            rules: 100_000,
            private_chats_per_hour: 960,
            renames_per_hour: 480,
            topics_per_hour: 480,
            moderation_per_hour: 1920,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::refusal::Code;

    fn address(text: &str) -> Holder {
        Holder::Address(household(text.parse().unwrap()))
    }

    #[test]
    fn a_quarter_of_an_hours_number_at_once_then_one_at_a_time() {
        let (mut throttles, shares) = (Throttles::default(), Shares::for_tests());
        let holder = address("192.0.2.1");
        let mut connection = 0;
        let mut take = |at| {
            connection += 1;
            throttles.take(Costly::Create, holder, connection, &shares, Timestamp(at))
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
        let (mut throttles, shares) = (Throttles::default(), Shares::for_tests());
        let holder = address("192.0.2.1");
        let mut take =
            |who, at| throttles.take(Costly::Create, holder, who, &shares, Timestamp(at));
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
    fn each_kind_and_each_holder_has_its_own_and_one_ipv6_network_is_one() {
        let (mut throttles, shares) = (Throttles::default(), Shares::for_tests());
        let now = Timestamp(1_000_000);
        let mut connection = 0;
        let mut take = |costly, holder| {
            connection += 1;
            throttles.take(costly, holder, connection, &shares, now)
        };
        let one = address("2001:db8:1:2::1");
        while take(Costly::Register, one).is_ok() {}
        assert!(take(Costly::Register, address("2001:db8:1:2:ffff::9")).is_err());
        assert!(take(Costly::Register, address("2001:db8:1:3::1")).is_ok());
        assert!(take(Costly::Create, one).is_ok());
        assert!(take(Costly::Register, Holder::Account(7)).is_ok());
        assert!(take(Costly::Register, Holder::Connection(7)).is_ok());
    }

    #[test]
    fn a_step_of_the_clock_makes_nobody_wait_longer_than_for_an_empty_bucket() {
        let (mut throttles, shares) = (Throttles::default(), Shares::for_tests());
        let holder = Holder::Account(1);
        let year = Timestamp(365 * 24 * HOUR_MILLIS);
        assert!(throttles.take(Costly::Create, holder, 0, &shares, year).is_ok());
        let refusal = throttles.take(Costly::Create, holder, 0, &shares, Timestamp(0)).unwrap_err();
        assert!(refusal.text().contains("Wait 15 s"), "{}", refusal.text());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_what_is_full_soonest() {
        let (mut throttles, shares) = (Throttles::default(), Shares::for_tests());
        let busy = Holder::Account(0);
        while throttles.take(Costly::Create, busy, 0, &shares, Timestamp(0)).is_ok() {}
        for other in 1..=MAX_BUCKETS as u64 {
            let taken =
                throttles.take(Costly::Create, Holder::Account(other), 0, &shares, Timestamp(0));
            assert!(taken.is_ok());
        }
        assert_eq!((throttles.full_at.len(), throttles.by_time.len()), (MAX_BUCKETS, MAX_BUCKETS));
        assert!(throttles.take(Costly::Create, busy, 0, &shares, Timestamp(0)).is_err());
    }
}
