//! Recent authors, for slow mode.

use std::collections::{HashMap, VecDeque};

use chat_proto::name::UserName;
use chat_proto::period::Period;
use chat_proto::time::Timestamp;

use crate::hub::id::UserDetails;
use crate::hub::id::UserId;

/// The last message of each author: by user id, so that a rename doesn't help, and by name, so that
/// a new connection doesn't. Lost on restart.
#[derive(Default)]
pub(super) struct SlowMode {
    by_user: HashMap<UserId, Timestamp>,
    by_name: HashMap<UserName, Timestamp>,
    /// The messages, oldest first.
    lines: VecDeque<(Timestamp, UserId, Option<UserName>)>,
}

/// Messages remembered in one channel; beyond it the oldest is dropped, and its author may send
/// again.
const MAX_SPOKEN: usize = 4096;

impl SlowMode {
    pub(super) fn note(&mut self, who: &UserDetails, now: Timestamp, every: Period) {
        self.forget_before(now, Some(every));
        if self.lines.len() >= MAX_SPOKEN {
            self.forget_oldest();
        }
        self.by_user.insert(who.user_id, now);
        if let Some(name) = &who.name {
            self.by_name.insert(name.clone(), now);
        }
        self.lines.push_back((now, who.user_id, who.name.clone()));
    }

    pub(super) fn forget(&mut self, who: &UserDetails, at: Timestamp) {
        self.forget_line(at, who.user_id, who.name.as_ref());
    }

    fn forget_oldest(&mut self) {
        if let Some((time, user_id, name)) = self.lines.pop_front() {
            self.forget_line(time, user_id, name.as_ref());
        }
    }

    /// Unless a later one followed.
    fn forget_line(&mut self, time: Timestamp, user_id: UserId, name: Option<&UserName>) {
        if self.by_user.get(&user_id) == Some(&time) {
            self.by_user.remove(&user_id);
        }
        if let Some(name) = name.filter(|name| self.by_name.get(*name) == Some(&time)) {
            self.by_name.remove(name);
        }
    }

    /// The seconds left; `None` if the user may send now.
    pub(super) fn wait_secs(
        &self,
        who: &UserDetails,
        now: Timestamp,
        every: Period,
    ) -> Option<u64> {
        let by_name = who.name.as_ref().and_then(|name| self.by_name.get(name));
        // Signing in or out doesn't shorten it.
        let user_ids = who.before.iter().chain([&who.user_id]);
        let last = user_ids.filter_map(|user_id| self.by_user.get(user_id)).chain(by_name).max()?;
        let wait = end(*last, every) - now.0;
        u64::try_from(wait).ok().filter(|wait| *wait > 0).map(|wait| wait.div_ceil(1000))
    }

    /// Drops messages whose interval is over.
    pub(super) fn forget_before(&mut self, now: Timestamp, every: Option<Period>) {
        let Some(every) = every else { return *self = Self::default() };
        while self.lines.front().is_some_and(|(time, ..)| end(*time, every) <= now.0) {
            self.forget_oldest();
        }
    }
}

/// When the author may send again, in milliseconds as in [`Timestamp`].
fn end(last: Timestamp, every: Period) -> i64 {
    let millis = i64::try_from(every.secs()).unwrap_or(i64::MAX).saturating_mul(1000);
    last.0.saturating_add(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str, user_id: u64) -> UserDetails {
        let name = UserName::new(name).ok();
        UserDetails {
            name,
            user_id: UserId(user_id),
            account: None,
            address: None,
            before: Vec::new(),
        }
    }

    #[test]
    fn neither_a_new_name_nor_a_new_connection_shortens_the_wait() {
        let every = Period::new(10).unwrap();
        let mut slow_mode = SlowMode::default();
        slow_mode.note(&who("bob", 1), Timestamp(5000), every);
        for (client, at, wait) in [
            (who("bob", 1), 5000, Some(10)),
            (who("rob", 1), 6001, Some(9)),
            (who("bob", 2), 14_999, Some(1)),
            (who("bob", 1), 15_000, None),
            (who("rob", 2), 6000, None),
        ] {
            assert_eq!(slow_mode.wait_secs(&client, Timestamp(at), every), wait, "{client:?} {at}");
        }
        slow_mode.forget(&who("bob", 1), Timestamp(4000));
        assert!(slow_mode.wait_secs(&who("bob", 1), Timestamp(6000), every).is_some());
        slow_mode.forget(&who("bob", 1), Timestamp(5000));
        assert!(slow_mode.wait_secs(&who("bob", 1), Timestamp(6000), every).is_none());
    }

    #[test]
    fn expired_messages_are_dropped() {
        let every = Period::new(1).unwrap();
        let mut slow_mode = SlowMode::default();
        for n in 0..10_000_u32 {
            let now = Timestamp(i64::from(n) * 100);
            slow_mode.note(&who(&format!("user{n}"), n.into()), now, every);
        }
        assert!(slow_mode.by_user.len() <= 10 && slow_mode.by_name.len() <= 10);
    }

    #[test]
    fn remembered_authors_are_bounded() {
        let every = Period::new(21_600).unwrap();
        let mut slow_mode = SlowMode::default();
        for n in 0..10_000_u32 {
            slow_mode.note(&who(&format!("user{n}"), n.into()), Timestamp(n.into()), every);
        }
        assert_eq!((slow_mode.by_user.len(), slow_mode.lines.len()), (MAX_SPOKEN, MAX_SPOKEN));
        assert!(slow_mode.wait_secs(&who("user9999", 1), Timestamp(10_000), every).is_some());
    }
}
