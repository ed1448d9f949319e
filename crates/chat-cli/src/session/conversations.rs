//! The client's channels, the read position of each conversation, and the current conversation.

use crate::mention::same_name;
use crate::output_queue::UnreadMarker;

/// Conversations whose read position is stored. A user is in fewer at a time (50 with the default
/// limits), so only those left long ago are forgotten.
const MAX_READ: usize = 200;

/// Private chats whose history is requested after a reconnection, the most recent ones.
const MAX_CHATS: usize = 50;

/// The conversations of the client.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    /// In the order of entry.
    channels: Vec<String>,
    current: Option<String>,
    /// The conversations in the server's order, its current one last: leaving that makes the one
    /// before it current.
    order: Vec<String>,
    /// The client is entering its channels one by one, which doesn't mark them as read.
    passing: bool,
    /// The most recent one comes last.
    read: Vec<ReadPosition>,
    /// Unread messages of other conversations; the one with the latest message comes last.
    unread: Vec<UnreadMarker>,
}

/// The read position of a conversation.
#[derive(Debug)]
struct ReadPosition {
    place: String,
    /// The last line shown; `None` in a private chat without messages.
    last: Option<u64>,
}

impl Conversations {
    pub(super) fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    pub(super) fn channels(&self) -> &[String] {
        &self.channels
    }

    pub(super) fn is_in(&self, channel: &str) -> bool {
        self.channels.iter().any(|own| same_name(own, channel))
    }

    /// Adds the channel; the current conversation stays.
    pub(super) fn add(&mut self, channel: &str) {
        if !self.is_in(channel) {
            self.channels.push(channel.to_owned());
        }
    }

    pub(super) fn entered(&mut self, channel: &str) {
        self.add(channel);
        self.set_current(Some(channel.to_owned()));
    }

    /// The server has entered the channel for the client, and it is the server's current one.
    pub(super) fn put_into(&mut self, channel: &str) {
        self.add(channel);
        self.go_to(channel);
    }

    /// Another device has entered the channel, so the client is in it; the current conversation
    /// stays.
    pub(super) fn followed(&mut self, channel: &str) {
        self.add(channel);
        self.order.retain(|own| !same_name(own, channel));
        self.order.insert(0, channel.to_owned());
    }

    /// Leaves the channel. The read position stays, so nothing is shown twice on return.
    pub(super) fn left(&mut self, channel: &str) {
        self.channels.retain(|own| !same_name(own, channel));
        self.order.retain(|own| !same_name(own, channel));
        self.seen(channel);
    }

    /// As [`Self::left`]; if the channel was current, the one before it is current now.
    pub(super) fn followed_out(&mut self, channel: &str) {
        self.left(channel);
        if self.current().is_some_and(|current| same_name(current, channel)) {
            self.set_current(self.next());
        }
    }

    /// The server's current conversation becomes the client's.
    pub(super) fn go_along(&mut self) {
        self.stay_in(self.next());
    }

    /// The server's current conversation.
    fn next(&self) -> Option<String> {
        self.order.last().cloned()
    }

    fn go_to(&mut self, place: &str) {
        self.order.retain(|own| !same_name(own, place));
        self.order.push(place.to_owned());
    }

    /// The connection is new: the server has no conversations for it.
    pub(super) fn begin(&mut self) {
        self.order.clear();
    }

    /// The current conversation, if the server has another one; from now on it counts as the
    /// server's too.
    pub(super) fn straighten(&mut self) -> Option<String> {
        let astray = |own: &&String| !self.order.last().is_some_and(|last| same_name(last, own));
        let current = self.current.as_ref().filter(astray)?.clone();
        self.go_to(&current);
        Some(current)
    }

    /// Drops the private chats of the previous identity. The channels stay.
    pub(super) fn forget_chats(&mut self) {
        self.read.retain(|read| read.place.starts_with('#'));
        self.unread.retain(|unread| unread.place.starts_with('#'));
    }

    /// Leaves all conversations and drops their read positions, since the next identity may be
    /// another.
    pub(super) fn leave_all(&mut self) {
        *self = Self::default();
    }

    /// A private chat is open.
    pub(super) fn opened(&mut self, user: &str) {
        self.entry(&format!("@{user}"));
    }

    pub(super) fn set_current(&mut self, current: Option<String>) {
        if let Some(current) = &current {
            self.go_to(current);
        }
        self.stay_in(current);
    }

    /// Sets the current conversation, without changing the server's.
    pub(super) fn stay_in(&mut self, current: Option<String>) {
        if let Some(current) = current.as_ref().filter(|_| !self.passing) {
            self.seen(current);
        }
        self.current = current;
    }

    /// Sets the current conversation after the channels are entered: `home` if the client is in it,
    /// else the server's.
    pub(super) fn settle_in(&mut self, home: Option<String>) {
        let home = home.filter(|home| home.starts_with('@') || self.is_in(home));
        self.current = home.or(self.current.take()).or_else(|| self.next());
    }

    /// Unread messages of other conversations; the latest last.
    pub(super) fn unread(&self) -> &[UnreadMarker] {
        &self.unread
    }

    /// Counts `count` messages of others; `calls` if one of them mentions the user.
    pub(super) fn unseen(&mut self, place: &str, count: u64, calls: bool) {
        if self.current().is_some_and(|current| same_name(current, place)) {
            return;
        }
        let at = self.unread.iter().position(|unread| same_name(&unread.place, place));
        let mut unread = match at {
            Some(at) => self.unread.remove(at),
            None => UnreadMarker { place: place.to_owned(), count: 0, calls: false },
        };
        unread.count = unread.count.saturating_add(count);
        unread.calls |= calls;
        if self.unread.len() >= MAX_READ {
            self.unread.remove(0);
        }
        self.unread.push(unread);
    }

    fn seen(&mut self, place: &str) {
        self.unread.retain(|unread| !same_name(&unread.place, place));
    }

    /// Resets the current conversation while the channels are entered; returns it.
    pub(super) fn take_current(&mut self) -> Option<String> {
        self.passing = true;
        self.current.take()
    }

    /// All channels are entered, or the attempt is over.
    pub(super) fn arrive(&mut self) {
        self.passing = false;
        self.stay_in(self.current.clone());
    }

    /// The last line shown of the conversation.
    pub(super) fn last(&self, place: &str) -> Option<u64> {
        self.read.iter().find(|read| same_name(&read.place, place))?.last
    }

    /// Sets the read position to a live line, even if its id is lower than one before: then it is
    /// another chat under the same name.
    pub(super) fn set_last(&mut self, place: &str, id: Option<u64>) {
        if id.is_some() {
            self.entry(place).last = id;
        }
    }

    /// Raises the read position to a line of history that was shown.
    pub(super) fn raise_last(&mut self, place: &str, id: Option<u64>) {
        if id.is_some() {
            let entry = self.entry(place);
            entry.last = entry.last.max(id);
        }
    }

    /// Drops the read position of the conversation.
    pub(super) fn forget_last(&mut self, place: &str) {
        self.read.retain(|read| !same_name(&read.place, place));
    }

    fn entry(&mut self, place: &str) -> &mut ReadPosition {
        let at = self.read.iter().position(|read| same_name(&read.place, place));
        let read = match at {
            Some(at) => self.read.remove(at),
            None => ReadPosition { place: place.to_owned(), last: None },
        };
        if self.read.len() >= MAX_READ {
            // The conversation was left. If all are in use, the oldest goes.
            let unused =
                |read: &ReadPosition| !self.channels.iter().any(|own| same_name(own, &read.place));
            let oldest = self.read.iter().position(unused).unwrap_or(0);
            self.read.remove(oldest);
        }
        self.read.push_mut(read)
    }

    /// Renames a private chat.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        let (from, to) = (format!("@{from}"), format!("@{to}"));
        if self.current().is_some_and(|current| same_name(current, &from)) {
            self.current = Some(to.clone());
        }
        for own in self.order.iter_mut().filter(|own| same_name(own, &from)) {
            own.clone_from(&to);
        }
        if let Some(unread) = self.unread.iter_mut().find(|own| same_name(&own.place, &from)) {
            unread.place.clone_from(&to);
        }
        if let Some(at) = self.read.iter().position(|read| same_name(&read.place, &from)) {
            let last = self.read.remove(at).last;
            self.forget_last(&to);
            self.read.push(ReadPosition { place: to, last });
        }
    }

    /// Private chats whose history is requested after a reconnection.
    pub(super) fn chats(&self) -> impl Iterator<Item = &str> {
        let chats = || {
            self.read.iter().map(|read| read.place.as_str()).filter(|place| place.starts_with('@'))
        };
        chats().skip(chats().count().saturating_sub(MAX_CHATS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_positions_are_bounded_and_those_of_current_channels_stay() {
        let mut conversations = Conversations::default();
        conversations.entered("#home");
        conversations.set_last("#home", Some(7));
        for n in 0..2 * MAX_READ {
            conversations.set_last(&format!("@n{n}"), Some(1));
        }
        assert_eq!(conversations.read.len(), MAX_READ);
        assert_eq!(conversations.last("#HOME"), Some(7));
        assert_eq!(conversations.last("@n0"), None);
    }

    #[test]
    fn only_a_live_line_can_lower_the_read_position() {
        let mut conversations = Conversations::default();
        conversations.set_last("@bob", Some(57));
        conversations.raise_last("@bob", Some(3));
        assert_eq!(conversations.last("@bob"), Some(57));
        conversations.set_last("@bob", Some(1));
        conversations.renamed("bob", "rob");
        assert_eq!((conversations.last("@bob"), conversations.last("@rob")), (None, Some(1)));
    }
}
