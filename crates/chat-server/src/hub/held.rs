//! Names that stand for somebody who was cut off: whoever comes back under such a name goes on with the
//! private chats that were had under it.
//!
//! Who leaves by their own will leaves nothing: who takes their name afterwards is somebody else.

use std::collections::HashMap;

use chat_proto::id::Timestamp;
use chat_proto::name::UserName;

use super::person::Party;

/// How long a name stands for somebody who was cut off, in milliseconds: a day.
const HELD_MILLIS: i64 = 24 * 3_600_000;

/// By [`UserName::key`]: who it stands for, and since when they are cut off.
#[derive(Default)]
pub(super) struct CutOff(HashMap<Box<str>, (Party, Timestamp)>);

impl CutOff {
    /// Somebody who had this name was cut off.
    pub(super) fn add(&mut self, name: Box<str>, party: Party, now: Timestamp) {
        self.0.insert(name, (party, now));
    }

    /// Somebody has taken this name.
    pub(super) fn take(&mut self, name: &UserName) -> Option<Party> {
        self.0.remove(name.key()).map(|(party, _)| party)
    }

    /// Takes out those who did not come back in time.
    pub(super) fn expired(&mut self, now: Timestamp) -> Vec<(Box<str>, Party)> {
        let due = self.0.extract_if(|_, (_, since)| now.0 - since.0 >= HELD_MILLIS);
        due.map(|(name, (party, _))| (name, party)).collect()
    }
}
