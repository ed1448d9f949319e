//! Who said something lately, for channels in which people speak slowly.

use std::collections::{HashMap, VecDeque};

use chat_proto::name::UserName;
use chat_proto::period::Period;
use chat_proto::time::Timestamp;

use super::UserDetails;
use crate::hub::client::UserId;

/// When the last line of each was. By party, so that a new name changes nothing, and by name, so that a new
/// connection under the same name doesn't. It isn't kept over a restart.
#[derive(Default)]
pub(super) struct SlowMode {
    by_party: HashMap<UserId, Timestamp>,
    by_name: HashMap<UserName, Timestamp>,
    /// The lines that were said, the oldest first.
    lines: VecDeque<(Timestamp, UserId, Option<UserName>)>,
}

/// Lines of one channel that are remembered; past it the oldest is forgotten, and its author may speak again.
const MAX_SPOKEN: usize = 4096;

impl SlowMode {
    pub(super) fn note(&mut self, who: &UserDetails, now: Timestamp, every: Period) {
        self.forget_before(now, Some(every));
        if self.lines.len() >= MAX_SPOKEN {
            self.forget_oldest();
        }
        self.by_party.insert(who.party, now);
        if let Some(name) = &who.name {
            self.by_name.insert(name.clone(), now);
        }
        self.lines.push_back((now, who.party, who.name.clone()));
    }

    pub(super) fn forget(&mut self, who: &UserDetails, at: Timestamp) {
        self.forget_line(at, who.party, who.name.as_ref());
    }

    fn forget_oldest(&mut self) {
        if let Some((time, party, name)) = self.lines.pop_front() {
            self.forget_line(time, party, name.as_ref());
        }
    }

    /// Unless a later one came after it.
    fn forget_line(&mut self, time: Timestamp, party: UserId, name: Option<&UserName>) {
        if self.by_party.get(&party) == Some(&time) {
            self.by_party.remove(&party);
        }
        if let Some(name) = name.filter(|name| self.by_name.get(*name) == Some(&time)) {
            self.by_name.remove(name);
        }
    }

    /// Seconds that somebody has to wait still; `None` if none.
    pub(super) fn wait_secs(
        &self,
        who: &UserDetails,
        now: Timestamp,
        every: Period,
    ) -> Option<u64> {
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
        while self.lines.front().is_some_and(|(time, ..)| end(*time, every) <= now.0) {
            self.forget_oldest();
        }
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

    fn who(name: &str, party: u64) -> UserDetails {
        let name = UserName::new(name).ok();
        UserDetails { name, party: UserId(party), account: None, address: None, before: Vec::new() }
    }

    #[test]
    fn neither_a_new_name_nor_a_new_connection_shortens_the_wait() {
        let every = Period::new(10).unwrap();
        let mut spoken = SlowMode::default();
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
        let mut spoken = SlowMode::default();
        for n in 0..10_000_u32 {
            let now = Timestamp(i64::from(n) * 100);
            spoken.note(&who(&format!("user{n}"), n.into()), now, every);
        }
        assert!(spoken.by_party.len() <= 10 && spoken.by_name.len() <= 10);
    }

    #[test]
    fn what_is_remembered_of_those_who_come_and_go_is_bounded() {
        let every = Period::new(21_600).unwrap();
        let mut spoken = SlowMode::default();
        for n in 0..10_000_u32 {
            spoken.note(&who(&format!("user{n}"), n.into()), Timestamp(n.into()), every);
        }
        assert_eq!((spoken.by_party.len(), spoken.lines.len()), (MAX_SPOKEN, MAX_SPOKEN));
        assert!(spoken.wait_secs(&who("user9999", 1), Timestamp(10_000), every).is_some());
    }
}
