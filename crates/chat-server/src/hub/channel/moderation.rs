//! How a channel is run: its settings, and who is banned, muted or invited. Pure data.
//!
//! * [`list_entry`]: one person or net, and how long what is said of them holds.
//! * [`settings`]: what is set.
//! * [`word_filter`]: the words and links that are refused.
//! * [`slow_mode`]: who said something lately, for slow channels.

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

/// Bans that a channel keeps, and mutes; past it no more are taken.
pub(crate) const MAX_LIST_ENTRIES: usize = 1000;

/// Operators that a channel has by being made ones; past it no more are made.
pub(crate) const MAX_OPERATORS: usize = 500;

/// Invitations that are not taken up; past it the oldest is void.
const MAX_INVITATIONS: usize = 100;

/// One of a channel's lists of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Bans,
    Mutes,
    Invitations,
}

impl ListKind {
    pub(crate) const ALL: [Self; 3] = [Self::Bans, Self::Mutes, Self::Invitations];

    /// As the store has it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Bans => 0,
            Self::Mutes => 1,
            Self::Invitations => 2,
        }
    }
}

/// How one channel is run.
#[derive(Default)]
pub(crate) struct Moderation {
    pub(crate) settings: Settings,
    bans: Vec<ListEntry>,
    mutes: Vec<ListEntry>,
    /// The oldest first.
    invitations: Vec<ListEntry>,
    slow_mode: SlowMode,
    /// By what bans and mutes are found, in addition (`true`) or no more, for the index of all
    /// channels.
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

    /// The marks of a list that hold at this moment.
    pub(crate) fn holding(
        &self,
        list: ListKind,
        now: Timestamp,
    ) -> impl Iterator<Item = &ListEntry> {
        self.list(list).iter().filter(move |list_entry| list_entry.holds(now))
    }

    /// What hits somebody who is banned or muted, or lets somebody in who is invited.
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

    /// Adds a mark in place of an earlier one of the same target. Tells the keys of marks that gave
    /// way to it.
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

    /// Somebody takes another name: bans and mutes that hit them by the one before still do.
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

    /// Bans, mutes, invitations and refused words.
    pub(crate) fn count(&self) -> usize {
        let list_entries = self.bans.len() + self.mutes.len() + self.invitations.len();
        list_entries + self.settings.words.patterns().len()
    }

    /// What changed of the signs of bans and mutes since this was last asked.
    pub(crate) fn take_changed(&mut self) -> Vec<(RestrictionKey, bool)> {
        std::mem::take(&mut self.changed)
    }

    fn note(&mut self, list: ListKind, list_entry: &ListEntry, is_added: bool) {
        if list != ListKind::Invitations {
            self.changed.extend(list_entry.restriction_keys().map(|sign| (sign, is_added)));
        }
    }

    /// The channel is gone.
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

    /// Takes out the marks with these keys.
    pub(crate) fn remove(&mut self, list: ListKind, keys: &[String]) {
        self.take_out(list, |list_entry| keys.iter().any(|key| key == list_entry.key()));
    }

    /// Forgets what holds no more. Tells what it was, for the store.
    pub(crate) fn forget_ended(&mut self, now: Timestamp) -> Vec<(ListKind, ListEntry)> {
        let mut ended = Vec::new();
        for list in ListKind::ALL {
            let over = self.take_out(list, |list_entry| !list_entry.holds(now));
            ended.extend(over.into_iter().map(|list_entry| (list, list_entry)));
        }
        self.slow_mode.forget_before(now, self.settings.slow);
        ended
    }

    /// Somebody's account is erased: why they have banned or muted anybody is told no more.
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

    /// Somebody says something now.
    pub(crate) fn record_message(&mut self, who: &UserDetails, now: Timestamp) {
        if let Some(every) = self.settings.slow {
            self.slow_mode.note(who, now, every);
        }
    }

    /// What they said just now counts for nothing: it was not said.
    pub(crate) fn forget_message(&mut self, who: &UserDetails, at: Timestamp) {
        self.slow_mode.forget(who, at);
    }

    /// How long somebody has to wait, and how often one may say something; `None` if it may be now.
    pub(crate) fn wait(&self, who: &UserDetails, now: Timestamp) -> Option<(Period, u64)> {
        let every = self.settings.slow?;
        Some((every, self.slow_mode.wait_secs(who, now, every)?))
    }
}
