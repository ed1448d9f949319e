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

use crate::hub::channel::Channel;
use crate::hub::channel::moderation::Verdict;
use crate::hub::client::private::Room;
use crate::hub::client::{Note, Person};
use crate::hub::fanout::delivery::{Delivery, Told};
use crate::hub::ports::{Addressee, Correspondent, Draft, Fact, May, Settled, What};
use crate::hub::snapshot::Whom;
use crate::hub::{Hub, lock};

/// What somebody says, before it is known where it goes.
pub(crate) struct Words {
    pub(crate) text: Text,
    /// `/me`.
    pub(crate) action: bool,
    pub(crate) time: Timestamp,
    /// It is to be said once, however often it is sent.
    pub(crate) once: Option<OnceKey>,
    /// Whether one may, in a channel.
    pub(crate) may: May,
    /// By which its answer is known: its place in the order of all that happens.
    pub(crate) ticket: u64,
    /// What the channel's filter has found in the text.
    pub(crate) verdict: Option<Verdict>,
}

impl Words {
    pub(crate) fn new(text: Text, action: bool, time: Timestamp, may: May) -> Self {
        Self { text, action, time, once: None, may, ticket: 0, verdict: None }
    }
}

impl Hub {
    /// Says something into a channel, or finds out whether it was said already where that isn't
    /// possible any more. The author has the answer when they see the line among the others', or as a note;
    /// both have the ticket that is told here.
    pub(crate) fn say(
        self: &Arc<Self>,
        author: &Arc<Person>,
        from: UserName,
        name: &ChannelName,
        channel: Result<Arc<Channel>, Refusal>,
        words: Words,
    ) -> Result<u64, Refusal> {
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
        whom: Result<Whom, Refusal>,
        to: UserName,
        words: Words,
    ) -> Result<u64, Refusal> {
        let place = Conversation::Private(to.clone());
        let addressee = whom.and_then(|whom| self.correspondent(author, &whom, to, words.time));
        let addressee = addressee.map(|to| Addressee::Private(Box::new(to)));
        self.submit_words(author, from, words, place, addressee)
    }

    /// Takes room for a line in the queues of all devices that are to hear it. One that reads too slowly misses
    /// it, unless there is no other.
    fn correspondent(
        self: &Arc<Self>,
        author: &Arc<Person>,
        whom: &Whom,
        to: UserName,
        now: Timestamp,
    ) -> Result<Correspondent, Refusal> {
        let devices = match whom {
            Whom::Here(person) => self.devices(person),
            Whom::Account(_) => Vec::new(),
        };
        let own = if author.account().is_some() { self.devices(author) } else { Vec::new() };
        let mut private = lock(&self.private);
        let mut rooms = Vec::with_capacity(devices.len());
        let mut refused = None;
        for device in &devices {
            match private.room(author, device, &to) {
                Ok(room) => rooms.push(room),
                Err(refusal) => refused = Some((device, refusal)),
            }
        }
        if let Some((device, refusal)) = refused {
            if rooms.is_empty() {
                return Err(refusal);
            }
            device.misses_private_lines();
        }
        let others = own.iter().filter(|device| device.id != author.id);
        let own = others.filter_map(|device| private.room(author, device, &to).ok()).collect();
        drop(private);
        self.hold_name(author, now);
        if let Whom::Here(person) = whom {
            self.hold_name(person, now);
        }
        Ok(Correspondent { party: whom.party(), to, rooms, own, waits: whom.has_account() })
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
    ) -> Result<u64, Refusal> {
        let Words { text, action, time, once, may, ticket, mut verdict } = words;
        let to = match to {
            Err(refusal) if once.is_none() => return Err(refusal),
            to => to,
        };
        if let (Some(_), Ok(Addressee::Channel(channel))) = (&once, &to) {
            // Nobody has asked before whether it may be said.
            drop(channel.state_for(author, text.as_str(), &mut verdict));
        }
        let what = What::Line { text, action };
        let (party, account) = (author.party(), author.account());
        let author = Arc::clone(author);
        self.submit(Draft {
            author,
            from,
            party,
            account,
            what,
            time,
            to,
            place,
            once,
            ticket,
            may,
            verdict: verdict.map(Box::new),
        })?;
        Ok(ticket)
    }

    /// Sets a channel's topic. Whoever asks gets the answer as a note.
    pub(crate) fn set_topic(
        self: &Arc<Self>,
        by: &Arc<Person>,
        from: UserName,
        channel: &Arc<Channel>,
        topic: Text,
        time: Timestamp,
        may: May,
    ) -> Result<(), Refusal> {
        self.submit_to_channel(by, from, channel, What::Topic(topic), time, may)
    }

    /// What is done to a channel takes its turn among the lines.
    pub(super) fn submit_to_channel(
        self: &Arc<Self>,
        by: &Arc<Person>,
        from: UserName,
        channel: &Arc<Channel>,
        what: What,
        time: Timestamp,
        may: May,
    ) -> Result<(), Refusal> {
        let mut verdict = None;
        if let What::Topic(topic) = &what {
            drop(channel.state_for(by, topic.as_str(), &mut verdict));
        }
        self.submit(Draft {
            author: Arc::clone(by),
            from,
            party: by.party(),
            account: by.account(),
            what,
            time,
            to: Ok(Addressee::Channel(Arc::clone(channel))),
            place: Conversation::Channel(channel.name.clone()),
            once: None,
            ticket: 0,
            may,
            verdict: verdict.map(Box::new),
        })
    }

    pub(super) fn submit(self: &Arc<Self>, draft: Draft) -> Result<(), Refusal> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            self.settle_one();
            return Err(Refusal::stopping());
        }
        self.order.submit(draft, self);
        Ok(())
    }

    /// Tells everybody concerned what became of a draft; lines of a channel that got their places go to
    /// [`Hub::settle_run`]. What is kept is told even if its author was put out
    /// in the moment while it was being kept.
    pub(crate) fn settle(self: &Arc<Self>, draft: Draft, settled: Settled) {
        let Draft { author, from, account, what, time, to, place, ticket, .. } = draft;
        // What had no addressee was decided then.
        let decided = to.is_err().then_some(ticket);
        match (settled, to, what) {
            (
                Settled::Placed(placed),
                Ok(Addressee::Private(correspondent)),
                What::Line { text, action },
            ) => {
                self.lines.count(time);
                self.tell_privately(&author, Line { placed, from, text, action }, *correspondent);
                author.note_said(place, placed);
            }
            (Settled::TopicKept, Ok(Addressee::Channel(channel)), What::Topic(topic)) => {
                let mut state = channel.state();
                state.topic = Some(topic.clone());
                let before = std::mem::replace(&mut state.topic_by, account);
                if before != account && !state.dropped {
                    let before = before.filter(|one| !state.operators.has_account(*one));
                    if let Some(before) = before {
                        lock(&self.index).concerns_no_more(before, &channel);
                    }
                    self.note_part(account, &channel);
                }
                let channel = channel.name.clone();
                let told = Some(topic.clone());
                let event = Event::Topic { channel: channel.clone(), topic: told, by: from };
                state.tell(event, author.by());
                author.note(Note::Answer(Ok(Done::TopicSet { channel, topic })));
            }
            (
                Settled::ActKept(hidden, recorded),
                Ok(Addressee::Channel(channel)),
                What::Act(act),
            ) => {
                if let Some(recorded) = recorded {
                    lock(&self.governing).record(*recorded);
                }
                self.apply_act(&author, &from, &channel, *act, time, hidden);
            }
            (Settled::SaidBefore(to, placed), ..) => {
                author.note_answer_at(decided, Ok(Done::Said { to, placed }));
            }
            (Settled::NotKept(refusal), to, what) => {
                if let (Ok(Addressee::Channel(channel)), What::Line { .. }) = (to, what) {
                    channel.state().rules.forget_spoken(&author.who(), time);
                }
                author.note_answer_at(decided, Err(refusal));
            }
            (Settled::Refused(refusal), ..) | (_, Err(refusal), _) => {
                author.note_answer_at(decided, Err(refusal));
            }
            // An order that mixes lines and topics up.
            _ => author.note(Note::Answer(Err(Refusal::internal()))),
        }
        self.settle_one();
    }

    /// Tells lines that were said in a channel one right after the other and got these places.
    pub(crate) fn settle_run<'a>(
        &self,
        channel: &Channel,
        run: impl IntoIterator<Item = (&'a Draft, Placed)>,
    ) {
        let mut state = channel.state();
        let mut lines = Vec::new();
        let mut answers = Vec::new();
        for (draft, placed) in run {
            let Draft { author, from, what, ticket, .. } = draft;
            let (id, ticket) = (placed.id, *ticket);
            let What::Line { text, action } = what else {
                // An order that mixes lines and topics up.
                author.note(Note::Answer(Err(Refusal::internal())));
                self.settle_one();
                continue;
            };
            self.lines.count(draft.time);
            if let Some(account) = author.signed_in() {
                // The order has written that with the line.
                account.reads(&channel.name, id);
            }
            let event = Event::Message {
                placed,
                channel: channel.name.clone(),
                from: from.clone(),
                text: text.clone(),
                action: *action,
                past: false,
            };
            let line = state.line(event, author.by(), id, ticket);
            let to = draft.place.clone();
            answers.push((author, line.number, ticket, to, placed));
            lines.push(line);
        }
        state.tell_lines(lines);
        for (author, number, ticket, to, placed) in answers {
            author.note_said_at(number, ticket, to, placed);
            self.settle_one();
        }
    }

    fn tell_privately(&self, author: &Arc<Person>, line: Line, to: Correspondent) {
        let Line { placed, from, text, action } = line;
        let Correspondent { to, mut rooms, own, waits, .. } = to;
        if waits {
            self.add_newcomers(author, &to, &mut rooms);
        }
        let tell = |with: UserName, rooms: Vec<Room>| {
            let (from, to, text) = (from.clone(), to.clone(), text.clone());
            let event = Event::Private { placed, with, from, to, text, action, past: false };
            let told = Told::new(event, author.by(), self.sequence.next(), placed.id);
            let delivery = Arc::new(Delivery::from(told));
            for room in rooms {
                room.send(&delivery);
            }
        };
        tell(from.clone(), rooms);
        if !own.is_empty() {
            tell(to.clone(), own);
        }
    }

    /// Devices of an account that have come while a line to it was being kept hear it too.
    fn add_newcomers(&self, author: &Arc<Person>, to: &UserName, rooms: &mut Vec<Room>) {
        let devices: Vec<_> = lock(&self.directory).bearers(to).cloned().collect();
        for device in devices {
            if rooms.iter().any(|room| room.reader().id == device.id) {
                continue;
            }
            let room = lock(&self.private).room(author, &device, to);
            match room {
                Ok(room) => rooms.push(room),
                Err(_) => device.misses_private_lines(),
            }
        }
    }

    /// Lines of a channel up to this one are kept no more.
    pub fn forget_lines(&self, name: &ChannelName, floor: LineId) {
        if let Ok(channel) = self.channel(name) {
            channel.state().floor = floor;
        }
    }

    pub(super) fn settle_one(&self) {
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

impl Draft {
    /// Whether it may still be said or done: what its author may there can have changed since they asked.
    ///
    /// In a slow channel it counts as said from now on.
    pub(crate) fn admitted(&self) -> Result<(), Refusal> {
        if self.author.ending().is_some() {
            return Err(Refusal::connection_ended());
        }
        match &self.to {
            Ok(Addressee::Channel(channel)) => {
                let who = self.author.who();
                let mut verdict = self.verdict.as_deref().cloned();
                let (mut state, act) = match &self.what {
                    What::Line { text, .. } | What::Topic(text) => {
                        (channel.state_for(&self.author, text.as_str(), &mut verdict), None)
                    }
                    What::Act(act) => (channel.state(), Some(&**act)),
                };
                let mut standing =
                    state.standing(&channel.name, &self.author, &who, self.time, act);
                standing.verdict = verdict.as_ref();
                (self.may)(&standing, &self.what)?;
                // An operator of the server need not be in it, and another of the name may be there since.
                if state.dropped {
                    return Err(Refusal::no_such_channel(&channel.name, &[]));
                }
                let counts = !standing.operator && matches!(self.what, What::Line { .. });
                if counts {
                    state.rules.note_spoken(&who, self.time);
                }
                Ok(())
            }
            Ok(Addressee::Private(to)) => {
                let is_here = to.rooms.iter().any(|room| !room.reader().has_left());
                if is_here || to.waits {
                    Ok(())
                } else {
                    Err(Refusal::gone_from_chat(&to.to, false))
                }
            }
            Err(refusal) => Err(refusal.clone()),
        }
    }

    /// Whether what is said there is kept.
    pub(crate) fn is_kept(&self) -> bool {
        match &self.to {
            Ok(Addressee::Channel(channel)) => !channel.state().rules.settings.no_history,
            _ => true,
        }
    }
}

/// A line that has its place.
struct Line {
    placed: Placed,
    from: UserName,
    text: Text,
    action: bool,
}
