//! Lines and topics: on their way to where they are kept, and from there to everybody concerned.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::command::OnceKey;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Done, Event, Placed};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::membership::PutOut;
use crate::hub::channel::Channel;
use crate::hub::delivery::Delivery;
use crate::hub::person::{Note, Person};
use crate::hub::ports::{Addressee, Draft, Fact, Settled, What};
use crate::hub::{Hub, lock};

/// What somebody says, before it is known where it goes.
pub(crate) struct Words {
    pub(crate) text: Text,
    /// `/me`.
    pub(crate) action: bool,
    pub(crate) time: Timestamp,
    /// It is to be said once, however often it is sent.
    pub(crate) once: Option<OnceKey>,
}

impl Hub {
    /// Says something into a channel, or finds out whether it was said already where that isn't
    /// possible any more. The author gets the answer as a note.
    pub(crate) fn say(
        self: &Arc<Self>,
        author: &Arc<Person>,
        from: UserName,
        name: &ChannelName,
        channel: Result<Arc<Channel>, Refusal>,
        words: Words,
    ) -> Result<(), Refusal> {
        let name = channel.as_ref().map_or(name, |channel| &channel.name).clone();
        let to = channel.map(Addressee::Channel);
        self.submit_words(author, from, words, Conversation::Channel(name), to)
    }

    /// Says something to one person, whose name is `to`; or finds out whether it was said already.
    /// The author gets the answer as a note.
    pub(crate) fn say_privately(
        self: &Arc<Self>,
        author: &Arc<Person>,
        from: UserName,
        person: Result<Arc<Person>, Refusal>,
        to: UserName,
        words: Words,
    ) -> Result<(), Refusal> {
        let place = Conversation::Private(to.clone());
        let addressee = person.and_then(|person| {
            let room = lock(&self.private).room(author, &person, &to)?;
            self.hold_name(author, words.time);
            self.hold_name(&person, words.time);
            Ok(Addressee::Person { person, to, room })
        });
        self.submit_words(author, from, words, place, addressee)
    }

    /// From now on the name stands for this person, until they leave.
    fn hold_name(self: &Arc<Self>, person: &Person, now: Timestamp) {
        if let Some(name) = person.hold_name() {
            self.order.remember(Fact::Held(name, person.party(), now), self);
        }
    }

    fn submit_words(
        self: &Arc<Self>,
        author: &Arc<Person>,
        from: UserName,
        words: Words,
        place: Conversation,
        to: Result<Addressee, Refusal>,
    ) -> Result<(), Refusal> {
        let Words { text, action, time, once } = words;
        let to = match to {
            Err(refusal) if once.is_none() => return Err(refusal),
            to => to,
        };
        let what = What::Line { text, action };
        self.submit(Draft { author: Arc::clone(author), from, what, time, to, place, once })
    }

    /// Sets a channel's topic. Whoever asks gets the answer as a note.
    pub(crate) fn set_topic(
        self: &Arc<Self>,
        by: &Arc<Person>,
        from: UserName,
        channel: &Arc<Channel>,
        topic: Text,
        time: Timestamp,
    ) -> Result<(), Refusal> {
        self.submit(Draft {
            author: Arc::clone(by),
            from,
            what: What::Topic(topic),
            time,
            to: Ok(Addressee::Channel(Arc::clone(channel))),
            place: Conversation::Channel(channel.name.clone()),
            once: None,
        })
    }

    pub(super) fn submit(self: &Arc<Self>, draft: Draft) -> Result<(), Refusal> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            self.settle_one();
            return Err(Refusal::stopping());
        }
        if let Ok(Addressee::Channel(channel)) = &draft.to {
            channel.state().begin_line(draft.author.id);
        }
        self.order.submit(draft, self);
        Ok(())
    }

    /// Tells everybody concerned what became of a draft. What is kept is told even if its author was put out
    /// in the moment while it was being kept.
    pub(crate) fn settle(&self, draft: Draft, settled: Settled) {
        let Draft { author, from, what, time, to, place, .. } = draft;
        // What is told to the channel counts as under way until it is told: a kick comes before or after, never
        // in between.
        if let Ok(Addressee::Channel(channel)) = &to
            && !matches!(settled, Settled::Placed(_) | Settled::TopicKept)
        {
            channel.state().end_line(author.id);
        }
        match (settled, to, what) {
            (Settled::Placed(id), Ok(to), What::Line { text, action }) => {
                let line = Line { placed: Placed { id, time }, from, text, action, place };
                self.deliver(&author, line, to);
            }
            (Settled::TopicKept, Ok(Addressee::Channel(channel)), What::Topic(topic)) => {
                let mut state = channel.state();
                state.end_line(author.id);
                state.topic = Some(topic.clone());
                let channel = channel.name.clone();
                let told = Some(topic.clone());
                let event = Event::Topic { channel: channel.clone(), topic: told, by: from };
                state.tell(event, author.id);
                author.note(Note::Answer(Ok(Done::TopicSet { channel, topic })));
            }
            (
                Settled::Due,
                Ok(Addressee::Channel(channel)),
                What::Kick { person, user, reason },
            ) => {
                let (by, person) = (&*author, &*person);
                let one = PutOut { by, by_name: from, person, name: &user, reason, now: time };
                let put_out = self.put_out(&channel, one);
                let channel = channel.name.clone();
                author.note(Note::Answer(put_out.map(|_| Done::Kicked { channel, user })));
            }
            (Settled::SaidBefore(to, placed), ..) => {
                author.note(Note::Answer(Ok(Done::Said { to, placed })));
            }
            (Settled::Refused(refusal), ..) | (_, Err(refusal), _) => {
                author.note(Note::Answer(Err(refusal)));
            }
            // An order that mixes lines and topics up.
            _ => author.note(Note::Answer(Err(Refusal::internal()))),
        }
        self.settle_one();
    }

    fn deliver(&self, author: &Person, line: Line, to: Addressee) {
        let Line { placed, from, text, action, place } = line;
        let past = false;
        match to {
            Addressee::Channel(channel) => {
                let mut state = channel.state();
                state.end_line(author.id);
                state.last_line = placed.id;
                let channel = channel.name.clone();
                state.tell(Event::Message { placed, channel, from, text, action, past }, author.id);
                // Before any other line of the channel has its number, so that the author sees lines
                // in the same order as everybody else.
                author.note(Note::Answer(Ok(Done::Said { to: place, placed })));
            }
            Addressee::Person { to, room, .. } => {
                let with = from.clone();
                let event = Event::Private { placed, with, from, to, text, action, past };
                let number = self.sequence.next();
                room.send(Delivery::new(event, author.id, number, placed.id));
                author.note(Note::Answer(Ok(Done::Said { to: place, placed })));
            }
        }
    }

    /// Lines of a channel up to this one are kept no more.
    pub fn forget_lines(&self, name: &ChannelName, floor: LineId) {
        if let Ok(channel) = self.channel(name) {
            channel.state().floor = floor;
        }
    }

    fn settle_one(&self) {
        if self.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.all_settled.notify_waiters();
        }
    }

    /// From now on nothing more is said: what was begun is finished first.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        loop {
            let settled = self.all_settled.notified();
            if self.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            settled.await;
        }
    }
}

impl Addressee {
    /// Whether something may still be said: its author may have been put out since they said it.
    pub(crate) fn admits(&self, author: &Person) -> Result<(), Refusal> {
        match self {
            Self::Channel(channel) => {
                if channel.state().hears(author.id) {
                    Ok(())
                } else {
                    Err(Refusal::not_in_channel(&channel.name))
                }
            }
            Self::Person { person, to, .. } => {
                if person.has_left() {
                    Err(Refusal::gone_from_chat(to, false))
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// A line that has its place.
struct Line {
    placed: Placed,
    from: UserName,
    text: Text,
    action: bool,
    place: Conversation,
}
