//! Every conversation, with its number in the store and its last id.

use std::collections::{BTreeMap, HashMap, HashSet};

use chat_proto::conversation::Conversation;
use chat_proto::event::MessageStamp;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::channel::StoredModeration;
use crate::hub::id::ConversationKey;
use crate::hub::id::UserId;
use crate::hub::recovered::{RecoveredChannel, RecoveredState};
use crate::store::{MAX_NUMBER, StoreError, Writer};

/// The stored conversations, and those of the batch in progress.
#[derive(Default)]
pub(super) struct ConversationIndex {
    by_key: HashMap<ConversationKey, ConversationEntry>,
    by_number: BTreeMap<u32, ConversationKey>,
    /// The greatest last id of forgotten channels, and the number that stores it.
    forgotten: u64,
    forgotten_number: Option<u32>,
    /// The private chats of each user.
    by_party: HashMap<UserId, Vec<u32>>,
    next_number: u32,
    /// After the last number, free ones are searched from here.
    free_from: u32,
    /// Undo log of the batch: the previous last id and time, none for a new entry.
    undo: Vec<(ConversationKey, Option<(u64, Timestamp)>)>,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct ConversationEntry {
    pub(super) number: u32,
    pub(super) last: u64,
    /// Later messages and actions have no earlier time, whatever the wall clock does.
    time: Timestamp,
    /// Messages up to this id are deleted.
    pub(super) floor: u64,
    /// The stored names of a private chat.
    names: Option<[UserName; 2]>,
    /// Which user of a private chat can't return.
    ended: [bool; 2],
}

impl ConversationEntry {
    /// `names` are the present ones of a private chat.
    fn slot(&mut self, names: Option<[&UserName; 2]>) -> ConversationSlot {
        let mut is_new = false;
        if let Some(now) = names
            && self.names.as_ref().is_none_or(|kept| !same_as_shown(kept, now))
        {
            self.names = Some(now.map(Clone::clone));
            is_new = true;
        }
        ConversationSlot { number: self.number, id: self.last, time: self.time, is_new }
    }

    /// Whether no one can read it any more.
    pub(super) fn is_over(&self) -> bool {
        self.ended == [true, true]
    }
}

/// All numbers are in use.
#[derive(Debug)]
pub(super) struct IndexFull;

/// What a proposal needs to know of its conversation.
pub(super) struct ConversationSlot {
    pub(super) number: u32,
    pub(super) id: u64,
    /// The time of the last message or action: of this one, if an id was assigned.
    pub(super) time: Timestamp,
    /// The store doesn't know the conversation, or not by these names.
    pub(super) is_new: bool,
}

impl ConversationSlot {
    /// The assigned stamp.
    pub(super) fn stamp(&self) -> MessageStamp {
        MessageStamp { id: MessageId(self.id), time: self.time }
    }
}

impl ConversationIndex {
    /// Reads the conversations of the store, and adds the channels to the recovered state. `alive`
    /// are the users that can return.
    pub(super) fn load(
        writer: &Writer,
        alive: &HashSet<UserId>,
        mut moderation: HashMap<u32, StoredModeration>,
        past: &mut RecoveredState,
    ) -> Result<Self, StoreError> {
        let mut index = Self { next_number: 1, free_from: 1, ..Self::default() };
        let topics: HashMap<u32, u64> = writer.topics()?.into_iter().collect();
        let times = writer.last_times()?;
        let rows = writer.conversations()?;
        for row in rows.iter().filter(|row| row.is_of_forgotten()) {
            index.forgotten = row.floor;
            index.forgotten_number = Some(row.number);
            past.forgotten = MessageId(row.floor);
        }
        for mut row in rows {
            index.next_number = index.next_number.max(row.number.saturating_add(1));
            if row.is_of_forgotten() {
                continue;
            }
            if row.parties.is_none() && row.last == 0 {
                (row.last, row.floor) = (index.forgotten, index.forgotten);
            }
            let mut entry = ConversationEntry {
                number: row.number,
                last: row.last,
                time: Timestamp(times.get(&row.number).copied().unwrap_or_default()),
                floor: row.floor,
                names: None,
                ended: [false; 2],
            };
            let key = if let Some((one, other)) = row.parties {
                past.next_user_id = past.next_user_id.max(other + 1);
                entry.ended = [one, other].map(|user_id| !alive.contains(&UserId(user_id)));
                entry.names = names(&row.one_name, &row.other_name);
                ConversationKey::private(UserId(one), UserId(other))
            } else {
                let Ok(name) = ChannelName::new(&row.shown) else {
                    tracing::warn!(
                        name = row.shown,
                        "a channel is skipped: its name isn't valid any more; its messages stay"
                    );
                    continue;
                };
                past.channels.push(RecoveredChannel {
                    name: name.clone(),
                    topic: row.topic.as_deref().and_then(Text::new),
                    topic_by: topics.get(&row.number).copied().map(UserId),
                    last: MessageId(row.last),
                    floor: MessageId(row.floor),
                    open: row.open,
                    running: moderation.remove(&row.number).unwrap_or_default(),
                });
                ConversationKey::Channel(name)
            };
            index.insert(key, entry);
        }
        index.undo.clear();
        Ok(index)
    }

    fn insert(&mut self, key: ConversationKey, entry: ConversationEntry) {
        if let ConversationKey::Private(one, other) = key {
            for user_id in [one, other] {
                self.by_party.entry(user_id).or_default().push(entry.number);
            }
        }
        self.by_number.insert(entry.number, key.clone());
        self.undo.push((key.clone(), None));
        self.by_key.insert(key, entry);
    }

    /// Assigns the next id, at this time or that of the last message if later. `names` are the
    /// present ones of a private chat.
    pub(super) fn next_place(
        &mut self,
        key: &ConversationKey,
        names: Option<[&UserName; 2]>,
        time: Timestamp,
    ) -> Result<ConversationSlot, IndexFull> {
        self.place_at(key, names, time, 1)
    }

    /// Assigns an action its time, without an id.
    pub(super) fn act_place(
        &mut self,
        key: &ConversationKey,
        time: Timestamp,
    ) -> Result<ConversationSlot, IndexFull> {
        self.place_at(key, None, time, 0)
    }

    fn place_at(
        &mut self,
        key: &ConversationKey,
        names: Option<[&UserName; 2]>,
        time: Timestamp,
        places: u64,
    ) -> Result<ConversationSlot, IndexFull> {
        let Some(entry) = self.by_key.get_mut(key) else {
            return self.begin(key, names, places, time);
        };
        self.undo.push((key.clone(), Some((entry.last, entry.time))));
        entry.last += places;
        entry.time = entry.time.max(time);
        Ok(entry.slot(names))
    }

    /// The conversation's number, without an assignment.
    pub(super) fn slot(
        &mut self,
        key: &ConversationKey,
        names: Option<[&UserName; 2]>,
    ) -> Result<ConversationSlot, IndexFull> {
        match self.by_key.get_mut(key) {
            Some(entry) => Ok(entry.slot(names)),
            None => self.begin(key, names, 0, Timestamp::default()),
        }
    }

    /// Adds a conversation with this many ids assigned.
    fn begin(
        &mut self,
        key: &ConversationKey,
        names: Option<[&UserName; 2]>,
        last: u64,
        time: Timestamp,
    ) -> Result<ConversationSlot, IndexFull> {
        let number = self.free_number().ok_or(IndexFull)?;
        let floor = match key {
            ConversationKey::Channel(_) => self.forgotten,
            ConversationKey::Private(..) => 0,
        };
        let last = floor + last;
        let names = names.map(|names| names.map(Clone::clone));
        self.insert(
            key.clone(),
            ConversationEntry { number, last, time, floor, names, ended: [false; 2] },
        );
        Ok(ConversationSlot { number, id: last, time, is_new: true })
    }

    /// A free number: the next one or, after the last, that of a forgotten conversation.
    fn free_number(&mut self) -> Option<u32> {
        if self.next_number <= MAX_NUMBER {
            let number = self.next_number;
            self.next_number += 1;
            return Some(number);
        }
        let mut number = self.free_from.max(1);
        while number <= MAX_NUMBER
            && (self.by_number.contains_key(&number) || self.forgotten_number == Some(number))
        {
            number += 1;
        }
        self.free_from = number;
        (number <= MAX_NUMBER).then_some(number)
    }

    /// A channel was created: its displayed name may have changed.
    pub(super) fn show_as(&mut self, name: &ChannelName) {
        let key = ConversationKey::Channel(name.clone());
        if let Some(entry) = self.by_key.get_mut(&key) {
            if entry.is_over() {
                // It was forgotten, and isn't deleted from the store yet.
                entry.ended = [false; 2];
                entry.last = entry.last.max(self.forgotten);
                entry.floor = entry.last;
            }
            self.by_number.insert(entry.number, key);
        }
    }

    /// New channels begin after this id. Returns the number that stores it.
    pub(super) fn forget_up_to(&mut self, last: u64) -> Option<u32> {
        self.forgotten = self.forgotten.max(last);
        if self.forgotten_number.is_none() {
            self.forgotten_number = self.free_number();
        }
        self.forgotten_number
    }

    /// The number and id of [`ConversationIndex::forget_up_to`].
    pub(super) fn forgotten(&self) -> Option<(u32, u64)> {
        self.forgotten_number.map(|number| (number, self.forgotten))
    }

    /// Marks a forgotten channel for deletion. Returns its key if it is known.
    pub(super) fn give_up(&mut self, name: &ChannelName) -> Option<ConversationKey> {
        let key = ConversationKey::Channel(name.clone());
        self.by_key.get_mut(&key)?.ended = [true; 2];
        Some(key)
    }

    /// The batch is stored.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The batch failed: restores the previous state. Its ids are free again.
    pub(super) fn roll_back(&mut self) {
        for (key, last) in std::mem::take(&mut self.undo).into_iter().rev() {
            match last {
                Some((last, time)) => {
                    if let Some(entry) = self.by_key.get_mut(&key) {
                        (entry.last, entry.time) = (last, time);
                        // The next message stores the names again.
                        entry.names = None;
                    }
                }
                None => {
                    self.remove(&key);
                }
            }
        }
    }

    /// Removes a conversation.
    pub(super) fn remove(&mut self, key: &ConversationKey) {
        let Some(entry) = self.by_key.remove(key) else { return };
        self.by_number.remove(&entry.number);
        self.free_from = self.free_from.min(entry.number);
        if let ConversationKey::Private(one, other) = *key {
            for user_id in [one, other] {
                if let Some(numbers) = self.by_party.get_mut(&user_id) {
                    numbers.retain(|number| *number != entry.number);
                    if numbers.is_empty() {
                        self.by_party.remove(&user_id);
                    }
                }
            }
        }
    }

    /// A user can't return. Returns the private chats that no one can read any more.
    pub(super) fn end(&mut self, user_id: UserId) -> Vec<ConversationKey> {
        let mut over = Vec::new();
        for number in self.by_party.get(&user_id).into_iter().flatten() {
            let Some(key) = self.by_number.get(number) else { continue };
            let Some(entry) = self.by_key.get_mut(key) else { continue };
            if let ConversationKey::Private(one, _) = *key {
                entry.ended[usize::from(one != user_id)] = true;
            }
            if entry.is_over() {
                over.push(key.clone());
            }
        }
        over
    }

    /// The channel with this number.
    pub(super) fn channel(&self, number: u32) -> Option<&ChannelName> {
        match self.by_number.get(&number)? {
            ConversationKey::Channel(name) => Some(name),
            ConversationKey::Private(..) => None,
        }
    }

    pub(super) fn entry(&self, key: &ConversationKey) -> Option<&ConversationEntry> {
        self.by_key.get(key)
    }

    /// Raises the floor: messages up to this id are deleted.
    pub(super) fn raise(&mut self, key: &ConversationKey, floor: u64) {
        if let Some(entry) = self.by_key.get_mut(key) {
            entry.floor = entry.floor.max(floor);
        }
    }

    /// The conversations of the batch, each once.
    pub(super) fn touched(&self) -> HashSet<ConversationKey> {
        self.undo.iter().map(|(key, _)| key.clone()).collect()
    }

    /// Conversations from this number on.
    pub(super) fn from(&self, number: u32) -> impl Iterator<Item = (u32, &ConversationKey)> {
        self.by_number.range(number..).map(|(number, key)| (*number, key))
    }

    /// The conversation with this number, as one of its users names it.
    pub(super) fn place(&self, number: u32, user_id: UserId) -> Option<Conversation> {
        let key = self.by_number.get(&number)?;
        match key {
            ConversationKey::Channel(name) => Some(Conversation::Channel(name.clone())),
            ConversationKey::Private(one, other) if user_id == *one || user_id == *other => {
                let [one_name, other_name] = self.by_key.get(key)?.names.as_ref()?;
                let with = if *one == user_id { other_name } else { one_name };
                Some(Conversation::Private(with.clone()))
            }
            // The number now belongs to another conversation.
            ConversationKey::Private(..) => None,
        }
    }
}

fn names(one: &str, other: &str) -> Option<[UserName; 2]> {
    Some([UserName::new(one).ok()?, UserName::new(other).ok()?])
}

fn same_as_shown(kept: &[UserName; 2], now: [&UserName; 2]) -> bool {
    kept.iter().zip(now).all(|(kept, now)| kept.as_str() == now.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(number: u64) -> ConversationKey {
        ConversationKey::private(UserId(1), UserId(number))
    }

    #[test]
    fn after_the_last_number_free_ones_are_reused_and_then_none_is_left() {
        let mut index =
            ConversationIndex { next_number: MAX_NUMBER - 2, ..ConversationIndex::default() };
        let begin = |index: &mut ConversationIndex, chat: &ConversationKey| {
            index.next_place(chat, None, Timestamp(0)).map(|slot| slot.number).ok()
        };
        for n in 2..5 {
            assert_eq!(
                begin(&mut index, &chat(n)),
                Some(MAX_NUMBER + u32::try_from(n).unwrap() - 4)
            );
        }
        assert_eq!(begin(&mut index, &chat(5)), Some(1));
        assert_eq!(begin(&mut index, &chat(6)), Some(2));
        index.keep();
        index.remove(&chat(5));
        assert_eq!(begin(&mut index, &chat(7)), Some(1));
        // A number that was not stored is free again.
        index.roll_back();
        assert_eq!(begin(&mut index, &chat(8)), Some(1));
        index.free_from = MAX_NUMBER - 2;
        assert_eq!(begin(&mut index, &chat(9)), None, "a new one is refused");
        assert_eq!(begin(&mut index, &chat(8)), Some(1), "others go on");
    }
}
