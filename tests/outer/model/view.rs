//! A client's view of its channels, from events alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::truth::{Said, Truth};

/// A channel that the client is in.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelView {
    /// Unknown until queried.
    pub(super) members: Option<BTreeSet<String>>,
    /// A list may be ahead of the events, which have caught up after this many answers.
    behind: u8,
    /// The newest message.
    last: Option<u64>,
    /// Users reported as muted permanently.
    muted: BTreeSet<String>,
}

impl ChannelView {
    fn after(last: Option<u64>) -> Self {
        Self { last, ..Self::default() }
    }

    /// Entering or leaving may pass the operator's right to a muted user.
    fn leaves(&mut self, user: &str) {
        self.muted.clear();
        if let Some(members) = &mut self.members {
            members.remove(user);
        }
    }

    fn enters(&mut self, user: &str) {
        self.muted.clear();
        if let Some(members) = &mut self.members {
            members.insert(user.to_owned());
        }
    }

    fn renames(&mut self, from: &str, to: &str) {
        if let Some(members) = &mut self.members
            && members.remove(from)
        {
            members.insert(to.to_owned());
        }
        if self.muted.remove(from) {
            self.muted.insert(to.to_owned());
        }
    }

    fn says(&mut self, id: u64) -> Result<(), String> {
        if let Some(last) = self.last
            && id != last + 1
        {
            return Err(format!("line {id} comes after {last}"));
        }
        self.last = Some(id);
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) channels: BTreeMap<String, ChannelView>,
    /// The newest message of each private chat of two accounts.
    private: BTreeMap<String, u64>,
    truth: Arc<Mutex<Truth>>,
}

impl View {
    pub(super) fn new(truth: Arc<Mutex<Truth>>) -> Self {
        Self { name: String::new(), channels: BTreeMap::new(), private: BTreeMap::new(), truth }
    }

    /// All requests are answered, and more follow.
    pub(super) fn catches_up(&mut self) {
        for state in self.channels.values_mut() {
            state.behind = state.behind.saturating_sub(1);
        }
    }

    /// An event that isn't an answer.
    pub(super) fn happens(&mut self, event: &Value) -> Result<(), String> {
        let word = |key: &str| event[key].as_str().unwrap_or_default();
        let (channel, user) = (word("channel"), word("user"));
        let is_ours = event.get("current").is_some();
        match word("type") {
            "message" if event["past"] == true => self.truth.lock().unwrap().record(
                channel,
                event["id"].as_u64().unwrap_or_default(),
                &Said::output(event),
            )?,
            "message" => self.hears(channel, event)?,
            "private" => self.reads_privately(event)?,
            "entered" => self.in_channel(channel, |state| state.enters(user))?,
            "left" | "kicked" if is_ours => drop(self.channels.remove(channel)),
            "left" | "kicked" => self.in_channel(channel, |state| state.leaves(user))?,
            "dropped" => drop(self.channels.remove(channel)),
            "gone" => self.channels.values_mut().for_each(|state| state.leaves(user)),
            "renamed" => {
                let (from, to) = (word("from"), word("to"));
                self.channels.values_mut().for_each(|state| state.renames(from, to));
            }
            "muted" if event.get("until").is_none() => self.in_channel(channel, |state| {
                state.muted.insert(user.to_owned());
            })?,
            "deop" => self.in_channel(channel, |state| state.muted.clear())?,
            "muted" | "unmuted" | "op" => self.in_channel(channel, |state| {
                state.muted.remove(user);
            })?,
            "reentered" => {
                drop(
                    self.channels
                        .insert(channel.to_owned(), ChannelView::after(event["last"].as_u64())),
                );
            }
            "missed" => drop(self.channels.insert(channel.to_owned(), ChannelView::default())),
            "presence" => self.in_channel(channel, |state| state.members = None)?,
            "signedout" => {
                self.channels.clear();
                self.name.clear();
            }
            _ => {}
        }
        Ok(())
    }

    fn in_channel(
        &mut self,
        channel: &str,
        does: impl FnOnce(&mut ChannelView),
    ) -> Result<(), String> {
        let state = self.channels.get_mut(channel);
        does(state.ok_or_else(|| format!("it isn't in {channel}"))?);
        Ok(())
    }

    fn hears(&mut self, channel: &str, event: &Value) -> Result<(), String> {
        let id = event["id"].as_u64().unwrap_or_default();
        let said = Said::output(event);
        let from = said.from.clone().unwrap_or_default();
        self.truth.lock().unwrap().record(channel, id, &said)?;
        let state = self.channels.get_mut(channel).ok_or("a line of a channel that it isn't in")?;
        state.says(id)?;
        let is_absent = state.members.as_ref().is_some_and(|members| !members.contains(&from));
        if is_absent && state.behind == 0 {
            return Err(format!("{from} isn't there: {:?}", state.members));
        }
        if state.muted.contains(&from) {
            return Err(format!("{from} is muted"));
        }
        Ok(())
    }

    fn reads_privately(&mut self, event: &Value) -> Result<(), String> {
        let mut pair = [&event["from"], &event["to"]].map(|name| name.as_str().unwrap_or_default());
        if pair.iter().any(|name| !super::player::is_account(name)) {
            return Ok(());
        }
        pair.sort_unstable();
        let (chat, id) =
            (format!("@{}@{}", pair[0], pair[1]), event["id"].as_u64().unwrap_or_default());
        self.truth.lock().unwrap().record(&chat, id, &Said::output(event))?;
        if event["past"] == true {
            return Ok(());
        }
        match self.private.insert(chat, id) {
            Some(last) if id <= last => Err(format!("private line {id} comes after {last}")),
            _ => Ok(()),
        }
    }

    /// The answer to a line, and the members listed with it.
    pub(super) fn is_answered(
        &mut self,
        line: &str,
        answer: &Value,
        listed: BTreeSet<String>,
    ) -> Result<(), String> {
        let word = |key: &str| answer[key].as_str().unwrap_or_default();
        let (channel, user) = (word("channel"), word("user"));
        if answer["type"] == "error" {
            return match word("code") {
                // A search may take too long for a debug build on a busy machine.
                "unavailable" if word("re") == "search" => Ok(()),
                "internal" | "unavailable" => Err(format!("{line} is refused: {answer}")),
                _ => Ok(()),
            };
        }
        match word("re") {
            "name" | "register" => {
                let (from, to) = (std::mem::take(&mut self.name), word("name").to_owned());
                self.channels.values_mut().for_each(|state| state.renames(&from, &to));
                self.name = to;
            }
            "login" => {
                word("name").clone_into(&mut self.name);
                self.channels.values_mut().for_each(|state| state.members = None);
            }
            "logout" => {
                self.channels.clear();
                self.name.clear();
            }
            "create" | "enter" => {
                let last = answer["last"].as_u64();
                if word("re") == "create" {
                    self.truth.lock().unwrap().make(channel, last.unwrap_or_default());
                }
                let state = self
                    .channels
                    .entry(channel.to_owned())
                    .or_insert_with(|| ChannelView::after(last));
                if state.last != last {
                    return Err(format!("{channel} is at {last:?}, not at {:?}", state.last));
                }
            }
            "leave" | "drop" => drop(self.channels.remove(channel)),
            "users" => {
                let asked = line.split(' ').nth(1).unwrap_or_default();
                if let Some(state) = self.channels.get_mut(asked) {
                    state.members = Some(listed);
                    state.behind = 2;
                }
            }
            // A server operator need not be in the channel.
            "kick" | "ban" if !channel.is_empty() => {
                if let Some(state) = self.channels.get_mut(channel) {
                    state.leaves(user);
                    if user.is_empty() {
                        state.members = None;
                    }
                }
            }
            "mute" if answer.get("until").is_none() => {
                if let Some(state) = self.channels.get_mut(channel)
                    && state.members.as_ref().is_some_and(|members| members.contains(user))
                {
                    state.muted.insert(user.to_owned());
                }
            }
            "mute" | "unmute" | "op" | "deop" => {
                if let Some(state) = self.channels.get_mut(channel) {
                    state.muted.remove(user);
                }
            }
            "purge" => self.truth.lock().unwrap().lose(channel),
            "set" if word("name") == "history" => self.truth.lock().unwrap().lose(channel),
            "say" | "me" | "once" if !channel.is_empty() => self.has_said(line, answer)?,
            _ => {}
        }
        Ok(())
    }

    fn has_said(&mut self, line: &str, answer: &Value) -> Result<(), String> {
        let channel = answer["channel"].as_str().unwrap_or_default();
        let id = answer["id"].as_u64().unwrap_or_default();
        let time = answer["time"].as_str().unwrap_or_default().to_owned();
        let mut words = line.splitn(4, ' ');
        let text = match words.next() {
            Some("/say") => line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned(),
            Some("/once") => words.nth(2).unwrap_or_default().to_owned(),
            _ => line.to_owned(),
        };
        if answer["re"] == "once" {
            // It may have been sent before, with another text, to a channel that the client has
            // left.
            let last = self.channels.get(channel).and_then(|state| state.last);
            if last.is_none_or(|last| id <= last) {
                return Ok(());
            }
        }
        let output = Said { from: None, text, time };
        self.truth.lock().unwrap().record(channel, id, &output)?;
        self.in_channel(channel, |_| ())?;
        self.channels.get_mut(channel).map_or(Ok(()), |state| state.says(id))
    }
}
