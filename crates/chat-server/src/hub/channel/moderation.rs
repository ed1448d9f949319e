//! A channel's moderation: settings, bans, mutes and invitations. Pure data.
//!
//! * [`list_entry`]: a user or a net on a list.
//! * [`settings`]: the settings.
//! * [`word_filter`]: refused words and links.
//! * [`slow_mode`]: recent authors, for slow mode.

mod list_entry;
mod settings;
mod slow_mode;
mod word_filter;

use chat_proto::name::UserName;
use chat_proto::period::Period;
use chat_proto::time::Timestamp;

pub(crate) use self::list_entry::{ListEntry, RestrictionKey};
pub(crate) use self::settings::Settings;
use self::slow_mode::SlowMode;
pub(crate) use self::word_filter::{FilterMatch, FilterVerdict};
use crate::hub::id::UserDetails;

/// Entries of the list of bans, and of mutes; beyond it a new one is refused.
pub(crate) const MAX_LIST_ENTRIES: usize = 1000;

/// Appointed operators; beyond it a new one is refused.
pub(crate) const MAX_OPERATORS: usize = 500;

/// Pending invitations; beyond it the oldest is dropped.
const MAX_INVITATIONS: usize = 100;

/// The lists of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Bans,
    Mutes,
    Invitations,
}

impl ListKind {
    pub(crate) const ALL: [Self; 3] = [Self::Bans, Self::Mutes, Self::Invitations];

    /// As stored.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Bans => 0,
            Self::Mutes => 1,
            Self::Invitations => 2,
        }
    }
}

/// The moderation of one channel.
#[derive(Default)]
pub(crate) struct Moderation {
    pub(crate) settings: Settings,
    bans: Vec<ListEntry>,
    mutes: Vec<ListEntry>,
    /// Oldest first.
    invitations: Vec<ListEntry>,
    slow_mode: SlowMode,
    /// Keys of bans and mutes that were added (`true`) or removed, for the index of channels.
    changed: Vec<(RestrictionKey, bool)>,
}

impl Moderation {
    pub(crate) fn list(&self, list: ListKind) -> &[ListEntry] {
        match list {
            ListKind::Bans => &self.bans,
            ListKind::Mutes => &self.mutes,
            ListKind::Invitations => &self.invitations,
        }
    }

    fn list_mut(&mut self, list: ListKind) -> &mut Vec<ListEntry> {
        match list {
            ListKind::Bans => &mut self.bans,
            ListKind::Mutes => &mut self.mutes,
            ListKind::Invitations => &mut self.invitations,
        }
    }

    /// The entries in force.
    pub(crate) fn holding(
        &self,
        list: ListKind,
        now: Timestamp,
    ) -> impl Iterator<Item = &ListEntry> {
        self.list(list).iter().filter(move |list_entry| list_entry.holds(now))
    }

    /// The entry that matches a user.
    pub(crate) fn find(
        &self,
        list: ListKind,
        who: &UserDetails,
        now: Timestamp,
    ) -> Option<&ListEntry> {
        if self.list(list).is_empty() {
            return None;
        }
        let skeletons = who.skeletons();
        self.holding(list, now).find(|list_entry| match list {
            ListKind::Bans | ListKind::Mutes => list_entry.hits(who, &skeletons),
            ListKind::Invitations => list_entry.invites(who),
        })
    }

    /// Adds an entry, which replaces one of the same target. Returns the keys of entries dropped
    /// for it.
    pub(crate) fn add(&mut self, list: ListKind, list_entry: ListEntry) -> Vec<String> {
        self.remove(list, &[list_entry.key().to_owned()]);
        self.note(list, &list_entry, true);
        let list_entries = self.list_mut(list);
        list_entries.push(list_entry);
        let mut gone = Vec::new();
        while list == ListKind::Invitations && list_entries.len() > MAX_INVITATIONS {
            gone.push(list_entries.remove(0).key().to_owned());
        }
        gone
    }

    /// Before a rename: bans and mutes that match by name follow the user.
    pub(crate) fn follow(&mut self, who: &UserDetails, now: Timestamp) {
        let skeletons = who.skeletons();
        let nameless = UserDetails { name: None, ..who.clone() };
        for list_entry in self.bans.iter_mut().chain(&mut self.mutes) {
            if list_entry.holds(now)
                && list_entry.hits(who, &skeletons)
                && !list_entry.hits(&nameless, &[])
            {
                let oldest = list_entry
                    .follow(who.user_id)
                    .map(|oldest| (RestrictionKey::User(oldest), false));
                self.changed
                    .extend(oldest.into_iter().chain([(RestrictionKey::User(who.user_id), true)]));
            }
        }
    }

    /// The number of list entries and refused words.
    pub(crate) fn count(&self) -> usize {
        let list_entries = self.bans.len() + self.mutes.len() + self.invitations.len();
        list_entries + self.settings.words.patterns().len()
    }

    /// Takes the changes of keys since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<(RestrictionKey, bool)> {
        std::mem::take(&mut self.changed)
    }

    fn note(&mut self, list: ListKind, list_entry: &ListEntry, is_added: bool) {
        if list != ListKind::Invitations {
            self.changed.extend(list_entry.restriction_keys().map(|sign| (sign, is_added)));
        }
    }

    /// Clears everything when the channel is gone.
    pub(crate) fn clear(&mut self) {
        self.take_out(ListKind::Bans, |_| true);
        self.take_out(ListKind::Mutes, |_| true);
        *self = Self { changed: std::mem::take(&mut self.changed), ..Self::default() };
    }

    fn take_out(&mut self, list: ListKind, is_out: impl Fn(&ListEntry) -> bool) -> Vec<ListEntry> {
        let out: Vec<_> =
            self.list_mut(list).extract_if(.., |list_entry| is_out(list_entry)).collect();
        for list_entry in &out {
            self.note(list, list_entry, false);
        }
        out
    }

    /// Removes the entries with these keys.
    pub(crate) fn remove(&mut self, list: ListKind, keys: &[String]) {
        self.take_out(list, |list_entry| keys.iter().any(|key| key == list_entry.key()));
    }

    /// Removes expired entries and returns them.
    pub(crate) fn forget_ended(&mut self, now: Timestamp) -> Vec<(ListKind, ListEntry)> {
        let mut ended = Vec::new();
        for list in ListKind::ALL {
            let over = self.take_out(list, |list_entry| !list_entry.holds(now));
            ended.extend(over.into_iter().map(|list_entry| (list, list_entry)));
        }
        self.slow_mode.forget_before(now, self.settings.slow);
        ended
    }

    /// Removes the reasons given by a deleted account.
    pub(crate) fn forget_reasons(&mut self, by: &UserName) {
        for list in ListKind::ALL {
            let own =
                self.list_mut(list).iter_mut().filter(|list_entry| list_entry.shown.by == *by);
            let reasons = own.filter_map(|list_entry| list_entry.shown.reason.take()).count();
            if list != ListKind::Invitations {
                let gone =
                    std::iter::repeat_n((RestrictionKey::Reason(by.clone()), false), reasons);
                self.changed.extend(gone);
            }
        }
    }

    /// Notes a message for slow mode.
    pub(crate) fn record_message(&mut self, who: &UserDetails, now: Timestamp) {
        if let Some(every) = self.settings.slow {
            self.slow_mode.note(who, now, every);
        }
    }

    /// Takes back a message that was not stored.
    pub(crate) fn forget_message(&mut self, who: &UserDetails, at: Timestamp) {
        self.slow_mode.forget(who, at);
    }

    /// The interval and the seconds left; `None` if the user may send now.
    pub(crate) fn wait(&self, who: &UserDetails, now: Timestamp) -> Option<(Period, u64)> {
        let every = self.settings.slow?;
        Some((every, self.slow_mode.wait_secs(who, now, every)?))
    }
}
