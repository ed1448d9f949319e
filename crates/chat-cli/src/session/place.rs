//! Which channels one is in, how far one has read them, and where one's lines go.

use std::collections::{HashMap, VecDeque};

use super::goal::Goal;
use crate::show::same_name;

/// Where one is.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// In the order of entry.
    channels: Vec<String>,
    current: Option<String>,
    /// By the channel in lower case: the highest id of a line that came.
    last: HashMap<String, u64>,
}

impl Places {
    pub(super) fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    pub(super) fn channels(&self) -> &[String] {
        &self.channels
    }

    pub(super) fn entered(&mut self, channel: &str) {
        if !self.channels.iter().any(|own| same_name(own, channel)) {
            self.channels.push(channel.to_owned());
        }
        self.current = Some(channel.to_owned());
    }

    pub(super) fn left(&mut self, channel: &str) {
        self.channels.retain(|own| !same_name(own, channel));
        self.last.remove(&channel.to_lowercase());
    }

    pub(super) fn set_current(&mut self, current: Option<String>) {
        self.current = current;
    }

    /// Nowhere from now on; gives what was current.
    pub(super) fn take_current(&mut self) -> Option<String> {
        self.current.take()
    }

    /// A line of the channel came, or got its place.
    pub(super) fn heard(&mut self, channel: &str, id: Option<u64>) {
        let own = self.channels.iter().any(|own| same_name(own, channel));
        if let Some(id) = id.filter(|_| own) {
            let last = self.last.entry(channel.to_lowercase()).or_insert(id);
            *last = id.max(*last);
        }
    }

    /// Somebody's private chat is called otherwise now.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        if self.current().is_some_and(|current| same_name(current, &format!("@{from}"))) {
            self.current = Some(format!("@{to}"));
        }
    }

    /// What leads back to all of it after a reconnection, the current conversation last.
    pub(super) fn goals(&self) -> VecDeque<Goal> {
        let current = self.current.as_deref().unwrap_or_default();
        let is_current = |channel: &&String| same_name(channel, current);
        let others = self.channels.iter().filter(|channel| !is_current(channel));
        let last = self.channels.iter().filter(is_current);
        let after = |channel: &String| self.last.get(&channel.to_lowercase()).copied();
        let mut goals: VecDeque<Goal> =
            others.chain(last).map(|channel| Goal::enter(channel, after(channel))).collect();
        if let Some(user) = current.strip_prefix('@') {
            goals.push_back(Goal::Reopen { user: user.to_owned() });
        }
        goals
    }
}
