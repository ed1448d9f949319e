//! Drivers for tests: everything in memory, on the calling thread.

use std::sync::Arc;

use crate::auth::AuthService;
use crate::commit::inline::InlineLog;
use crate::commit::retention::Retention;
use crate::history::HistoryService;
use crate::hub::Backends;
use crate::store::{Durability, Store, StoreLocation};

/// Backends without threads: a call returns once its work is done. For tests whose clock stands
/// still.
///
/// # Panics
///
/// If SQLite can't open a database in memory.
#[expect(clippy::expect_used, reason = "for tests: a failure is a panic")]
pub fn inline_backends(retention: Retention) -> Backends {
    let store = Store::open(&StoreLocation::Memory, Durability::Machine).expect("memory opens");
    let (book, lookups) = store.into_parts();
    let history = HistoryService::inline(&lookups).expect("memory opens");
    let (commit_log, recovered) = InlineLog::new(book, retention).expect("it is empty");
    Backends {
        commit_log: Arc::new(commit_log),
        history: Arc::new(history),
        auth: Arc::new(AuthService::inline()),
        recovered,
    }
}

#[cfg(test)]
impl crate::hub::Hub {
    /// A hub that stores everything in memory, and is empty.
    pub(crate) fn in_memory(bounds: crate::hub::limits::Limits) -> Arc<Self> {
        let backends = inline_backends(Retention::default());
        let now = crate::util::clock::steady_clock();
        Self::new(bounds, "test".to_owned(), Vec::new(), backends, now)
    }
}
