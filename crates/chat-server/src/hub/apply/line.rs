//! Lines: to their place, and from there to everybody who hears them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::conversation::Conversation;
use chat_proto::event::{Event, Placed as At};
use chat_proto::id::Timestamp;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::hub::channel::Channel;
use crate::hub::delivery::Delivery;
use crate::hub::person::{Answer, Note, Person};
use crate::hub::ports::{Addressee, ConversationKey, Draft, Placed};
use crate::hub::{Hub, lock};

/// What somebody says, before it is known where it goes.
pub(crate) struct Words {
    pub(crate) text: Text,
    /// `/me`.
    pub(crate) action: bool,
    pub(crate) time: Timestamp,
}

impl Hub {
    /// Says something into a channel. The author gets the answer as a note.
    pub(crate) fn say(
        self: &Arc<Self>,
        author: &Arc<Person>,
        from: UserName,
        channel: &Arc<Channel>,
        words: Words,
    ) -> Result<(), Refusal> {
        let place = Conversation::Channel(channel.name.clone());
        let key = ConversationKey::Channel(channel.name.clone());
        self.submit(author, from, words, key, place, Addressee::Channel(Arc::clone(channel)))
    }

    /// Says something to one person, whose name is `to`. The author gets the answer as a note.
    pub(crate) fn say_privately(
        self: &Arc<Self>,
        author: &Arc<Person>,
        from: UserName,
        person: &Arc<Person>,
        to: UserName,
        words: Words,
    ) -> Result<(), Refusal> {
        let room = lock(&self.private).room(author, person, &to)?;
        let key = ConversationKey::private(author.id, person.id);
        let place = Conversation::Private(to.clone());
        self.submit(author, from, words, key, place, Addressee::Person { to, room })
    }

    fn submit(
        self: &Arc<Self>,
        author: &Arc<Person>,
        from: UserName,
        words: Words,
        key: ConversationKey,
        place: Conversation,
        to: Addressee,
    ) -> Result<(), Refusal> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            return Err(Refusal::stopping());
        }
        let Words { text, action, time } = words;
        let author = Arc::clone(author);
        self.order.submit(Draft { key, author, from, text, action, time, to, place }, self);
        Ok(())
    }

    /// Hands a line that has its place to everybody who hears it, and the answer to its author.
    ///
    /// `false` if the author was put out of the channel since they said it: then it was not said, they are
    /// told so, and its id is still free.
    #[must_use]
    pub fn apply(&self, placed: Placed) -> bool {
        let said = self.apply_unless_out(placed);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        said
    }

    fn apply_unless_out(&self, placed: Placed) -> bool {
        let Placed { id, draft } = placed;
        let Draft { author, from, text, action, time, to, place, .. } = draft;
        let at = At { id, time };
        match to {
            Addressee::Channel(channel) => {
                let mut state = channel.state();
                if !state.members.contains_key(&author.id) {
                    let placed = Err(Refusal::not_in_channel(&channel.name));
                    author.note(Note::Answer(Answer { to: place, placed }));
                    return false;
                }
                state.last_line = id;
                let channel = channel.name.clone();
                let event = Event::Message { placed: at, channel, from, text, action, past: false };
                state.tell(event, author.id);
                // Before any other line of the channel has its number, so that the author sees lines
                // in the same order as everybody else.
                author.note(Note::Answer(Answer { to: place, placed: Ok(at) }));
            }
            Addressee::Person { to, room } => {
                let with = from.clone();
                let event =
                    Event::Private { placed: at, with, from, to, text, action, past: false };
                room.send(Delivery::new(event, author.id, self.sequence.next(), id));
                author.note(Note::Answer(Answer { to: place, placed: Ok(at) }));
            }
        }
        true
    }

    /// From now on nothing more is said: what was begun is finished first.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        while self.under_way.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    }
}
