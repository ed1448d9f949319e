//! One server, ids counted in memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

use chat_proto::id::LineId;

use crate::hub::ports::{ConversationKey, Draft, Order, Placed};
use crate::hub::{Hub, lock};

/// How many counters' locks there are. Two busy conversations seldom meet in one.
const SHARDS: usize = 64;

/// Counts each conversation's lines. A counter is kept when its channel goes, because an id is never
/// given twice for one name.
pub struct Local {
    hasher: RandomState,
    /// Held while a line is applied: lines of one conversation are applied in the order of their ids.
    counters: Box<[Mutex<HashMap<ConversationKey, u64>>]>,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            counters: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Local {
    fn shard(&self, key: &ConversationKey) -> &Mutex<HashMap<ConversationKey, u64>> {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        &self.counters[shard]
    }
}

impl Order for Local {
    fn submit(&self, draft: Draft, hub: &Arc<Hub>) {
        let mut counters = lock(self.shard(&draft.key));
        let last = match counters.get_mut(&draft.key) {
            Some(last) => last,
            None => counters.entry(draft.key.clone()).or_default(),
        };
        let next = *last + 1;
        if hub.apply(Placed::new(draft, LineId(next))) {
            *last = next;
        }
    }

    fn last(&self, key: &ConversationKey) -> LineId {
        LineId(lock(self.shard(key)).get(key).copied().unwrap_or_default())
    }

    fn forget(&self, key: &ConversationKey) {
        lock(self.shard(key)).remove(key);
    }
}
