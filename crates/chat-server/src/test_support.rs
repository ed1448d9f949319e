//! Drivers for tests: everything in memory, on the calling thread.

mod commit_log;
mod hasher;
mod history;

use std::sync::{Arc, Mutex};

use crate::auth::AuthService;
use crate::commit::retention::Retention;
use crate::hub::Backends;
use crate::store::{Durability, Store, StoreLocation};

use self::commit_log::InlineLog;
use self::hasher::InlineHasher;
use self::history::InlineHistory;

/// Backends without threads: a call returns once its work is done. For tests whose clock stands
/// still.
///
/// # Panics
///
/// If SQLite can't open a database in memory.
#[expect(clippy::expect_used, reason = "for tests: a failure is a panic")]
pub fn inline_backends(retention: Retention) -> Backends {
    let store = Store::open(&StoreLocation::Memory, Durability::Machine).expect("memory opens");
    backends(store, retention).expect("it is empty")
}

/// The same over a store.
fn backends(store: Store, retention: Retention) -> Result<Backends, Box<dyn std::error::Error>> {
    let (writer, lookups) = store.into_parts();
    let history = InlineHistory(Mutex::new(lookups.reader()?));
    let (commit_log, recovered) = InlineLog::new(writer, retention)?;
    Ok(Backends {
        commit_log: Arc::new(commit_log),
        history: Arc::new(history),
        auth: Arc::new(AuthService::with(Box::new(InlineHasher))),
        recovered,
    })
}

#[cfg(test)]
impl crate::hub::Hub {
    /// A hub that stores everything in memory, and is empty.
    pub(crate) fn in_memory(bounds: crate::hub::limits::Limits) -> Arc<Self> {
        Self::at(&StoreLocation::Memory, bounds)
    }

    /// A hub over the store at a place.
    pub(crate) fn at(place: &StoreLocation, bounds: crate::hub::limits::Limits) -> Arc<Self> {
        let store = Store::open(place, Durability::Process).unwrap();
        let backends = backends(store, Retention::default()).unwrap();
        let now = crate::util::clock::steady_clock();
        Self::new(bounds, "test".to_owned(), Vec::new(), backends, now)
    }
}
