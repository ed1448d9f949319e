//! The messages, equal for all clients.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

/// A message as a client received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Unknown to the author of several messages at once, whose name may have changed.
    pub(super) from: Option<String>,
    pub(super) text: String,
    pub(super) time: String,
}

impl Said {
    /// A `message` or a `private`.
    pub(super) fn output(value: &Value) -> Self {
        let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let sign = if value["action"] == true { "/me " } else { "" };
        Self {
            from: Some(word("from")),
            text: format!("{sign}{}", word("text")),
            time: word("time"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Truth {
    /// By conversation and id.
    lines: BTreeMap<(String, u64), Said>,
    /// Messages up to this id were deleted with their channel.
    floors: HashMap<String, u64>,
    /// Messages up to this id were read back.
    checked: HashMap<String, u64>,
    /// Channels with purged or unstored messages.
    lossy: HashSet<String>,
}

impl Truth {
    /// A client receives a message.
    pub(super) fn record(
        &mut self,
        conversation: &str,
        id: u64,
        output: &Said,
    ) -> Result<(), String> {
        let known =
            self.lines.entry((conversation.to_owned(), id)).or_insert_with(|| output.clone());
        if known.from.is_none() {
            known.from.clone_from(&output.from);
        }
        let same_author = output.from.is_none() || known.from == output.from;
        if same_author && known.text == output.text && known.time == output.time {
            return Ok(());
        }
        Err(format!("line {id} of {conversation} was told as {known:?} and is told as {output:?}"))
    }

    /// A channel is made, perhaps again.
    pub(super) fn make(&mut self, channel: &str, last: u64) {
        let floor = self.floors.entry(channel.to_owned()).or_default();
        *floor = last.max(*floor);
        let checked = self.checked.entry(channel.to_owned()).or_default();
        *checked = last.max(*checked);
    }

    pub(super) fn lose(&mut self, channel: &str) {
        self.lossy.insert(channel.to_owned());
    }

    pub(super) fn checked(&self, channel: &str) -> u64 {
        self.checked.get(channel).copied().unwrap_or_default()
    }

    pub(super) fn check_from_the_start(&mut self) {
        self.checked.clone_from(&self.floors);
    }

    /// Checks messages read after the last checked id. Returns whether there may be more.
    pub(super) fn check(&mut self, channel: &str, read: &[(u64, Said)]) -> Result<bool, String> {
        let after = self.checked(channel);
        let mut expected = after;
        for (id, said) in read {
            expected += 1;
            if *id != expected && !self.lossy.contains(channel) {
                return Err(format!("line {expected} of {channel} isn't read: {id} comes next"));
            }
            expected = *id;
            self.record(channel, *id, said)?;
        }
        if let Some((last, _)) = read.last() {
            self.checked.insert(channel.to_owned(), *last);
            return Ok(true);
        }
        let left =
            self.lines.range((channel.to_owned(), after + 1)..=(channel.to_owned(), u64::MAX));
        let left: Vec<_> = left.take(3).collect();
        if left.is_empty() || self.lossy.contains(channel) {
            return Ok(false);
        }
        Err(format!("nothing is read of {channel} after {after}, where {left:?} was told"))
    }

    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }
}
