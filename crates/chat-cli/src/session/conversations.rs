//! Which channels one is in, how far one has read each conversation, and where one's lines go.

use crate::mention::same_name;
use crate::output_queue::UnreadMarker;

/// Conversations of which it is known how far they were read; more than one can be in (50 on a
/// usual server), so that only what was left long ago is forgotten.
const MAX_READ: usize = 200;

/// Private chats whose past is asked for after a reconnection, those heard of last.
const MAX_CHATS: usize = 50;

/// Where one is.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    /// In the order of entry.
    channels: Vec<String>,
    current: Option<String>,
    /// The conversations as the server has them, its current one last: leaving that makes the one
    /// before current.
    order: Vec<String>,
    /// On the way through all of the channels: what is new in one stays so.
    passing: bool,
    /// The one heard of last stands last.
    read: Vec<ReadPosition>,
    /// What was said elsewhere; the one in which something was said last stands last.
    unread: Vec<UnreadMarker>,
}

/// How far a conversation was read.
#[derive(Debug)]
struct ReadPosition {
    place: String,
    /// The last line shown; `None` in a private chat in which nothing was said yet.
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

    /// One is in the channel, and the current conversation stays.
    pub(super) fn add(&mut self, channel: &str) {
        if !self.is_in(channel) {
            self.channels.push(channel.to_owned());
        }
    }

    pub(super) fn entered(&mut self, channel: &str) {
        self.add(channel);
        self.set_current(Some(channel.to_owned()));
    }

    /// The server has put one into the channel, which is current to it from now on.
    pub(super) fn put_into(&mut self, channel: &str) {
        self.add(channel);
        self.go_to(channel);
    }

    /// Another device has entered the channel, and so one is in it; the current conversation stays.
    pub(super) fn followed(&mut self, channel: &str) {
        self.add(channel);
        self.order.retain(|own| !same_name(own, channel));
        self.order.insert(0, channel.to_owned());
    }

    /// What was read there stays known, so that it isn't shown again when one comes back.
    pub(super) fn left(&mut self, channel: &str) {
        self.channels.retain(|own| !same_name(own, channel));
        self.order.retain(|own| !same_name(own, channel));
        self.seen(channel);
    }

    /// As [`Self::left`]; if it was current, the one before is so from now on.
    pub(super) fn followed_out(&mut self, channel: &str) {
        self.left(channel);
        if self.current().is_some_and(|current| same_name(current, channel)) {
            self.set_current(self.next());
        }
    }

    /// Lines go where the server has one.
    pub(super) fn go_along(&mut self) {
        self.stay_in(self.next());
    }

    /// What is current to the server.
    fn next(&self) -> Option<String> {
        self.order.last().cloned()
    }

    fn go_to(&mut self, place: &str) {
        self.order.retain(|own| !same_name(own, place));
        self.order.push(place.to_owned());
    }

    /// To the server one is nowhere: the connection is new.
    pub(super) fn begin(&mut self) {
        self.order.clear();
    }

    /// The current conversation, if another one is current to the server; from now on it counts as
    /// current there too.
    pub(super) fn straighten(&mut self) -> Option<String> {
        let astray = |own: &&String| !self.order.last().is_some_and(|last| same_name(last, own));
        let current = self.current.as_ref().filter(astray)?.clone();
        self.go_to(&current);
        Some(current)
    }

    /// Who one was had private chats that one hasn't any more, and stays in the channels.
    pub(super) fn forget_chats(&mut self) {
        self.read.retain(|read| read.place.starts_with('#'));
        self.unread.retain(|unread| unread.place.starts_with('#'));
    }

    /// In no conversation, and nothing of any counts as read: somebody else may be here next.
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

    /// Lines go there, whatever is current to the server.
    pub(super) fn stay_in(&mut self, current: Option<String>) {
        if let Some(current) = current.as_ref().filter(|_| !self.passing) {
            self.seen(current);
        }
        self.current = current;
    }

    /// Where lines go once one has arrived: `home`, if one is there, else where the server has one.
    pub(super) fn settle_in(&mut self, home: Option<String>) {
        let home = home.filter(|home| home.starts_with('@') || self.is_in(home));
        self.current = home.or(self.current.take()).or_else(|| self.next());
    }

    /// What was said elsewhere since one was there; the latest last.
    pub(super) fn unread(&self) -> &[UnreadMarker] {
        &self.unread
    }

    /// Others said `count` lines there; `calls` if one of them was to oneself.
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

    /// Nowhere from now on, and on the way; gives what was current.
    pub(super) fn take_current(&mut self) -> Option<String> {
        self.passing = true;
        self.current.take()
    }

    /// One is in all of the channels, or on the way no longer.
    pub(super) fn arrive(&mut self) {
        self.passing = false;
        self.stay_in(self.current.clone());
    }

    /// The last line of the conversation that was shown.
    pub(super) fn last(&self, place: &str) -> Option<u64> {
        self.read.iter().find(|read| same_name(&read.place, place))?.last
    }

    /// A line that comes live is the last one, also if its id is lower than one before: then it is
    /// another chat under the same name.
    pub(super) fn set_last(&mut self, place: &str, id: Option<u64>) {
        if id.is_some() {
            self.entry(place).last = id;
        }
    }

    /// A line out of the past was shown.
    pub(super) fn raise_last(&mut self, place: &str, id: Option<u64>) {
        if id.is_some() {
            let entry = self.entry(place);
            entry.last = entry.last.max(id);
        }
    }

    /// Nothing of the conversation counts as read any more.
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
            // One is not in it, or in more channels than are kept: then the oldest has to do.
            let unused =
                |read: &ReadPosition| !self.channels.iter().any(|own| same_name(own, &read.place));
            let oldest = self.read.iter().position(unused).unwrap_or(0);
            self.read.remove(oldest);
        }
        self.read.push_mut(read)
    }

    /// Somebody's private chat is called otherwise now.
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

    /// Private chats whose past is asked for after a reconnection.
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
    fn how_far_one_has_read_is_bounded_and_keeps_the_channels_one_is_in() {
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
    fn only_a_live_line_can_lead_back() {
        let mut conversations = Conversations::default();
        conversations.set_last("@bob", Some(57));
        conversations.raise_last("@bob", Some(3));
        assert_eq!(conversations.last("@bob"), Some(57));
        conversations.set_last("@bob", Some(1));
        conversations.renamed("bob", "rob");
        assert_eq!((conversations.last("@bob"), conversations.last("@rob")), (None, Some(1)));
    }
}
