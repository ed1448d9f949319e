//! Who said something lately, for channels in which people speak slowly.

use std::collections::HashMap;

use chat_proto::id::Timestamp;
use chat_proto::name::UserName;
use chat_proto::setting::Period;

use super::Who;
use crate::hub::person::Party;

/// When the last line of each was. By party, so that a new name changes nothing, and by name, so that a new
/// connection under the same name doesn't. It isn't kept over a restart.
#[derive(Default)]
pub(super) struct Spoken {
    by_party: HashMap<Party, Timestamp>,
    by_name: HashMap<UserName, Timestamp>,
}

/// From so many on, those whose time is over are looked for before one is added.
const MANY: usize = 256;

impl Spoken {
    pub(super) fn note(&mut self, who: &Who, now: Timestamp, every: Period) {
        if self.by_party.len() >= MANY && self.by_party.len().is_power_of_two() {
            self.forget_before(now, Some(every));
        }
        self.by_party.insert(who.party, now);
        if let Some(name) = &who.name {
            self.by_name.insert(name.clone(), now);
        }
    }

    pub(super) fn forget(&mut self, who: &Who, at: Timestamp) {
        self.by_party.retain(|party, time| *party != who.party || *time != at);
        if let Some(name) = &who.name {
            self.by_name.retain(|other, time| other != name || *time != at);
        }
    }

    /// Seconds that somebody has to wait still; `None` if none.
    pub(super) fn wait_secs(&self, who: &Who, now: Timestamp, every: Period) -> Option<u64> {
        let by_name = who.name.as_ref().and_then(|name| self.by_name.get(name));
        // Signing in or out makes nobody quicker.
        let parties = who.before.iter().chain([&who.party]);
        let last = parties.filter_map(|party| self.by_party.get(party)).chain(by_name).max()?;
        let wait = end(*last, every) - now.0;
        u64::try_from(wait).ok().filter(|wait| *wait > 0).map(|wait| wait.div_ceil(1000))
    }

    /// Forgets those whose time is over.
    pub(super) fn forget_before(&mut self, now: Timestamp, every: Option<Period>) {
        let Some(every) = every else { return *self = Self::default() };
        self.by_party.retain(|_, last| end(*last, every) > now.0);
        self.by_name.retain(|_, last| end(*last, every) > now.0);
    }
}

/// The moment from which somebody may speak again, in milliseconds as in [`Timestamp`].
fn end(last: Timestamp, every: Period) -> i64 {
    let millis = i64::try_from(every.secs()).unwrap_or(i64::MAX).saturating_mul(1000);
    last.0.saturating_add(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str, party: u64) -> Who {
        let name = UserName::new(name).ok();
        Who { name, party: Party(party), account: None, address: None, before: Vec::new() }
    }

    #[test]
    fn neither_a_new_name_nor_a_new_connection_shortens_the_wait() {
        let every = Period::new(10).unwrap();
        let mut spoken = Spoken::default();
        spoken.note(&who("bob", 1), Timestamp(5000), every);
        for (person, at, wait) in [
            (who("bob", 1), 5000, Some(10)),
            (who("rob", 1), 6001, Some(9)),
            (who("bob", 2), 14_999, Some(1)),
            (who("bob", 1), 15_000, None),
            (who("rob", 2), 6000, None),
        ] {
            assert_eq!(spoken.wait_secs(&person, Timestamp(at), every), wait, "{person:?} {at}");
        }
        spoken.forget(&who("bob", 1), Timestamp(4000));
        assert!(spoken.wait_secs(&who("bob", 1), Timestamp(6000), every).is_some());
        spoken.forget(&who("bob", 1), Timestamp(5000));
        assert!(spoken.wait_secs(&who("bob", 1), Timestamp(6000), every).is_none());
    }

    #[test]
    fn those_whose_time_is_over_take_no_room() {
        let every = Period::new(1).unwrap();
        let mut spoken = Spoken::default();
        for n in 0..10_000_u32 {
            let now = Timestamp(i64::from(n) * 100);
            spoken.note(&who(&format!("user{n}"), n.into()), now, every);
        }
        assert!(spoken.by_party.len() <= MANY && spoken.by_name.len() <= MANY);
    }
}
