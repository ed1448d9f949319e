//! Ranked locks, and one function to take any lock.
//!
//! Every lock of the hub has a [`Rank`]. A thread takes them in rising order, and never two of the
//! same rank; so no two threads can wait for each other. Builds with debug assertions check this
//! each time a lock is taken, whether another thread holds it or not. In release builds a ranked
//! lock costs what the standard one costs.
//!
//! The locks of the store and of work queues have no rank. A thread that holds one of them takes no
//! lock of the hub.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{self, Arc, PoisonError, TryLockError};

/// The order of locks: while one is held, only those further down may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Rank {
    /// The commit in progress.
    Commit,
    /// The list of channels.
    Channels,
    /// One channel.
    Channel,
    /// The queues of the private chats.
    Private,
    /// Connected clients by name.
    Directory,
    /// The list of accounts.
    Accounts,
    /// Name, account and profile of a connection.
    Profile,
    /// One account.
    Account,
    /// The accounts in each channel.
    Members,
    /// The channels by the targets of their bans and mutes.
    ChannelIndex,
    /// Joins and leaves of large channels.
    Presence,
    /// Names held for clients that were disconnected.
    NameHolds,
    /// The notifications of a connection.
    Notifications,
    /// Server moderation.
    ServerModeration,
    /// Counters of the server.
    Rates,
    /// The tasks that a batch wakes.
    Wakes,
    /// Proposals for the next commit.
    Pending,
    /// Use of the hourly quotas.
    Throttles,
}

impl Rank {
    #[cfg(any(debug_assertions, test))]
    const ALL: [Self; 18] = [
        Self::Commit,
        Self::Channels,
        Self::Channel,
        Self::Private,
        Self::Directory,
        Self::Accounts,
        Self::Profile,
        Self::Account,
        Self::Members,
        Self::ChannelIndex,
        Self::Presence,
        Self::NameHolds,
        Self::Notifications,
        Self::ServerModeration,
        Self::Rates,
        Self::Wakes,
        Self::Pending,
        Self::Throttles,
    ];

    /// Returns the rank of a number.
    #[cfg(debug_assertions)]
    pub(crate) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Returns its name in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Channels => "channels",
            Self::Channel => "channel",
            Self::Private => "private",
            Self::Directory => "directory",
            Self::Accounts => "accounts",
            Self::Profile => "profile",
            Self::Account => "account",
            Self::Members => "members",
            Self::ChannelIndex => "channel_index",
            Self::Presence => "presence",
            Self::NameHolds => "name_holds",
            Self::Notifications => "notifications",
            Self::ServerModeration => "server_moderation",
            Self::Rates => "rates",
            Self::Wakes => "wakes",
            Self::Pending => "pending",
            Self::Throttles => "throttles",
        }
    }
}

/// A mutex of one rank, which is `Rank::… as u8`.
#[derive(Default)]
pub(crate) struct RankedMutex<const RANK: u8, T>(sync::Mutex<T>);

impl<const RANK: u8, T> RankedMutex<RANK, T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Takes the lock if no thread holds it.
    #[track_caller]
    pub(crate) fn try_lock(&self) -> Option<Guard<sync::MutexGuard<'_, T>>> {
        let guard = match self.0.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Guard { guard, _held: held::Held::of(RANK) })
    }

    /// Returns the value without locking.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lock of one rank for many readers or one writer.
#[derive(Default)]
pub(crate) struct RankedRwLock<const RANK: u8, T>(sync::RwLock<T>);

impl<const RANK: u8, T> RankedRwLock<RANK, T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    #[track_caller]
    pub(crate) fn read(&self) -> Guard<sync::RwLockReadGuard<'_, T>> {
        let held = held::Held::of(RANK);
        let guard = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Guard { guard, _held: held }
    }

    #[track_caller]
    pub(crate) fn write(&self) -> Guard<sync::RwLockWriteGuard<'_, T>> {
        let held = held::Held::of(RANK);
        let guard = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Guard { guard, _held: held }
    }
}

/// The guard of a ranked lock.
#[clippy::has_significant_drop]
pub(crate) struct Guard<G> {
    guard: G,
    // Dropped after the lock itself.
    _held: held::Held,
}

/// The guard of a ranked mutex.
pub(crate) type MutexGuard<'a, T> = Guard<sync::MutexGuard<'a, T>>;

impl<G: Deref> Deref for Guard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Guard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

impl<G> fmt::Debug for Guard<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// A lock that [`lock`] can take.
pub(crate) trait Lock {
    /// Its guard.
    type Guard<'a>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_>;
}

impl<T> Lock for sync::Mutex<T> {
    type Guard<'a>
        = sync::MutexGuard<'a, T>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const RANK: u8, T> Lock for RankedMutex<RANK, T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        Self: 'a;

    #[track_caller]
    fn hold(&self) -> Self::Guard<'_> {
        // Checked before it can deadlock.
        let held = held::Held::of(RANK);
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Guard { guard, _held: held }
    }
}

impl<L: Lock> Lock for Arc<L> {
    type Guard<'a>
        = L::Guard<'a>
    where
        Self: 'a;

    #[track_caller]
    fn hold(&self) -> Self::Guard<'_> {
        L::hold(self)
    }
}

/// Takes a lock, even a poisoned one: the panic was caught and logged, and each critical section
/// keeps its data valid before it can panic.
#[track_caller]
pub(crate) fn lock<L: Lock>(mutex: &L) -> L::Guard<'_> {
    mutex.hold()
}

/// Returns the ranked locks that each thread holds or waits for, for the log. Known only in builds
/// with debug assertions.
pub(crate) fn held_by_threads() -> Vec<String> {
    held::by_threads()
}

#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;
    use std::panic::Location;
    use std::sync::{Arc, Mutex, PoisonError, Weak};

    use super::Rank;

    type HeldRanks = Vec<(u8, &'static Location<'static>)>;

    /// The locks that a thread holds, in rising order of rank.
    struct Thread {
        name: String,
        taken: Mutex<HeldRanks>,
    }

    static THREADS: Mutex<Vec<Weak<Thread>>> = Mutex::new(Vec::new());

    thread_local! {
        static OWN: RefCell<Arc<Thread>> = RefCell::new(Thread::register());
    }

    impl Thread {
        fn register() -> Arc<Self> {
            let name = std::thread::current().name().unwrap_or("unnamed").to_owned();
            let thread = Arc::new(Self { name, taken: Mutex::default() });
            let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
            threads.retain(|other| other.strong_count() > 0);
            threads.push(Arc::downgrade(&thread));
            thread
        }
    }

    fn with_own<R>(do_with: impl FnOnce(&mut HeldRanks) -> R) -> Option<R> {
        // A thread that is ending has nothing to compare with.
        let done = OWN.try_with(|own| {
            let own = own.borrow();
            do_with(&mut own.taken.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.ok()
    }

    pub(super) struct Held(u8);

    impl Held {
        #[track_caller]
        pub(super) fn of(rank: u8) -> Self {
            let place = Location::caller();
            let wrong = with_own(|taken| {
                let highest = taken.iter().max_by_key(|(other, _)| *other).copied();
                let wrong = highest.filter(|(other, _)| *other >= rank);
                if wrong.is_none() {
                    taken.push((rank, place));
                }
                wrong
            });
            if let Some(Some((other, taken_at))) = wrong {
                let [rank, other] = [rank, other].map(|rank| Rank::of(rank).map(Rank::name));
                // A second panic during unwinding would abort the process without a message.
                assert!(
                    std::thread::panicking(),
                    "the lock {rank:?} is taken while {other:?} is held, which was taken at {taken_at}"
                );
            }
            Self(rank)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            with_own(|taken| {
                if let Some(at) = taken.iter().rposition(|(rank, _)| *rank == self.0) {
                    taken.remove(at);
                }
            });
        }
    }

    pub(super) fn by_threads() -> Vec<String> {
        let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        let ranks = threads.iter().filter_map(Weak::upgrade).filter_map(|thread| {
            let taken = thread.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let each = taken.iter().map(|(rank, place)| {
                format!("{} at {place}", Rank::of(*rank).map_or("?", Rank::name))
            });
            let all = each.collect::<Vec<_>>().join(", ");
            (!all.is_empty()).then(|| format!("{}: {all}", thread.name))
        });
        ranks.collect()
    }
}

#[cfg(not(debug_assertions))]
mod held {
    pub(super) struct Held;

    impl Held {
        pub(super) fn of(_rank: u8) -> Self {
            Self
        }
    }

    pub(super) fn by_threads() -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    type Low = RankedMutex<{ Rank::Channel as u8 }, u32>;
    type High = RankedMutex<{ Rank::Notifications as u8 }, u32>;

    fn refuses(take: impl FnOnce()) -> bool {
        catch_unwind(AssertUnwindSafe(take)).is_err()
    }

    #[test]
    fn each_rank_has_its_own_number_and_name() {
        for (number, rank) in (0_u8..).zip(Rank::ALL) {
            assert_eq!(rank as u8, number);
            assert_eq!(Rank::ALL.iter().filter(|other| other.name() == rank.name()).count(), 1);
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    fn locks_are_taken_in_rising_order_alone() {
        let (low, high) = (Low::new(1), High::new(2));
        {
            let low = lock(&low);
            assert_eq!(*low + *lock(&high), 3);
        }
        let held = lock(&high);
        assert!(refuses(|| drop(lock(&low))));
        assert!(refuses(|| drop(low.try_lock())));
        // Two locks of one rank could deadlock.
        assert!(refuses(|| drop(lock(&High::new(3)))));
        assert!(held_by_threads().iter().any(|thread| thread.contains("notifications at")));
        drop(held);
        assert_eq!(*lock(&low), 1);
        assert_eq!(*lock(&high), 2);
    }

    #[test]
    #[cfg(debug_assertions)]
    fn locks_for_many_readers_have_ranks_too() {
        let channels = RankedRwLock::<{ Rank::Channels as u8 }, u32>::new(1);
        let low = Low::new(1);
        let held = lock(&low);
        assert!(refuses(|| drop(channels.read())));
        assert!(refuses(|| drop(channels.write())));
        drop(held);
        *channels.write() += 1;
        let read = channels.read();
        assert_eq!(*read + *lock(&low), 3);
        // A writer waiting between two reads of one thread would deadlock it.
        assert!(refuses(|| drop(channels.read())));
    }

    #[test]
    fn a_lock_goes_on_after_a_panic() {
        let low = Low::new(1);
        assert!(refuses(|| {
            let _held = lock(&low);
            std::panic::resume_unwind(Box::new(()));
        }));
        assert_eq!(*lock(&low), 1);
        assert_eq!(low.try_lock().map(|low| *low), Some(1));
    }

    #[test]
    fn a_ranked_lock_is_as_large_as_one_without_a_rank() {
        assert_eq!(size_of::<Low>(), size_of::<sync::Mutex<u32>>());
    }
}
