//! What a handler wanted changed, carried out through the hub.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, Done, Farewell};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::me::Place;
use super::view::LAST_WORDS;
use super::{Session, Waiting};
use crate::handlers::{Change, help};
use crate::hub::apply::{Leaving, Membership, Words};
use crate::hub::person::{Person, PersonId};
use crate::policy;

type Re = Cow<'static, str>;

impl Session {
    /// Carries a change out and tells its `ok`, or for a line that is said lets the answer bring it.
    pub(super) fn carry_out(
        &mut self,
        change: Change,
        re: Re,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let done = match change {
            Change::Name(name) => self.take_name(name, now, out)?,
            Change::Create(channel, topic) => self.create(&channel, topic)?,
            Change::Enter(channel, after) => return self.enter(&channel, after, re, now, out),
            Change::Leave(conversation, reason) => self.leave(conversation, reason, now, out)?,
            Change::OpenPrivate(user, None) => {
                Done::PrivateOpened { with: self.open_private(&user)?.1, placed: None }
            }
            Change::OpenPrivate(user, Some(text)) => {
                let (person, name) = self.open_private(&user)?;
                let conversation = Conversation::Private(name.clone());
                let to = Place { conversation, with: Some(person.id) };
                let words = Words { text, action: false, time: now, once: None };
                return self.say(to, words, re, Some(name));
            }
            Change::Say { to, text, action, once } => {
                return self.say(to, Words { text, action, time: now, once }, re, None);
            }
            Change::Topic(channel, topic) => {
                self.hub.set_topic(&self.person, self.name()?, &channel, topic, now)?;
                self.waiting.push_back(Waiting::Draft { re, opened: None, notice: None });
                return Ok(());
            }
            Change::LookBack { conversation, of, span } => {
                self.look_back(re, conversation, of, span);
                return Ok(());
            }
            Change::LookFor { search, only } => {
                self.look_for(re, search, only);
                return Ok(());
            }
            Change::Away(away) => {
                let changed = self.person.set_away(away.clone());
                Done::Away { away, changed }
            }
            Change::Ignore(user) => {
                let (user, person) = self.as_borne(user);
                let changed = self.me.ignore(user.clone(), person);
                Done::Ignoring { user, changed }
            }
            Change::Unignore(user) => {
                let (user, person) = self.as_borne(user);
                let changed = self.me.unignore(&user, person);
                Done::NotIgnoring { user, changed }
            }
            Change::Kick { channel, user, reason } => {
                let may = |role| policy::channel::may_kick(role, &channel.name, &[]);
                let kicked = self.hub.kick(&self.person, &channel, &user, reason, now, may)?;
                let Some((user, number)) = kicked else {
                    self.waiting.push_back(Waiting::Draft { re, opened: None, notice: None });
                    return Ok(());
                };
                // What they said is told before it is told that they are out.
                self.deliver_before(number, out.len() + LAST_WORDS, out);
                Done::Kicked { channel: channel.name.clone(), user }
            }
            Change::Format(form) => {
                self.me.form = form;
                Done::Format { form }
            }
            Change::Quit(reason) => {
                self.reason = reason;
                self.end(Farewell::Quit);
                Done::Told
            }
        };
        self.done(re, done, out);
        Ok(())
    }

    fn name(&self) -> Result<UserName, Refusal> {
        self.me.name.clone().ok_or_else(|| Refusal::not_named(None))
    }

    /// A name as whoever has it writes it, and who that is.
    fn as_borne(&self, user: UserName) -> (UserName, Option<PersonId>) {
        match self.hub.person(&user) {
            Ok(person) => (person.name().unwrap_or(user), Some(person.id)),
            Err(_) => (user, None),
        }
    }

    fn take_name(
        &mut self,
        name: UserName,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<Done, Refusal> {
        let before = self.hub.take_name(&self.person, &name, self.inbox.channels(), now)?;
        self.me.name = Some(name.clone());
        if before.is_some() {
            return Ok(Done::Named { name });
        }
        for line in help::main_page(&self.hub, &name) {
            self.notice(line, out);
        }
        Ok(Done::Welcomed { name })
    }

    fn create(&mut self, name: &ChannelName, topic: Option<Text>) -> Result<Done, Refusal> {
        let slot = self.inbox.free_slot();
        let membership = self.hub.create(&self.person, name, topic.clone(), slot)?;
        let last = membership.last_line;
        self.arrive_in(membership, slot);
        Ok(Done::Created { channel: name.clone(), topic, last })
    }

    fn enter(
        &mut self,
        name: &ChannelName,
        after: Option<LineId>,
        re: Re,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        if let Some(after) = after {
            let channel = self.hub.channel(name)?;
            let last = channel.last_line();
            if after > last {
                let place = Conversation::Channel(channel.name.clone());
                return Err(Refusal::no_such_line(&place, after, last));
            }
        }
        if let Some(channel) = self.inbox.channel(name).cloned() {
            let role = channel.role(self.person.id);
            if role.member {
                let (members, topic) = (channel.count(), channel.topic());
                let channel = channel.name.clone();
                self.me.go_to(channel_place(channel.clone()));
                let operator = role.operator;
                let last = self.inbox.last_line(&channel).unwrap_or_default();
                let done =
                    Done::Current { channel: channel.clone(), members, topic, operator, last };
                // What they have not heard yet comes by itself.
                let after = after.unwrap_or(last).min(last);
                self.look_back_on_entry(re, done, channel, Some(after), last, out);
                return Ok(());
            }
            self.see_that_it_ended(name, out);
        }
        let slot = self.inbox.free_slot();
        let membership = self.hub.enter(&self.person, self.name()?, name, slot, now)?;
        let Membership { members, operator, last_line: last, .. } = membership;
        let (channel, topic) = (membership.channel.name.clone(), membership.topic.clone());
        self.arrive_in(membership, slot);
        let done = Done::Entered { channel: channel.clone(), members, topic, operator, last };
        self.look_back_on_entry(re, done, channel, after, last, out);
        Ok(())
    }

    /// Others have put this person out of a channel just now: what tells it is there already and comes
    /// before anything else.
    fn see_that_it_ended(&mut self, name: &ChannelName, out: &mut BytesMut) {
        self.deliver(out.len() + FULL_RING, out);
        if self.inbox.unsubscribe(name).is_some() {
            self.me.leave(&Conversation::Channel(name.clone()));
        }
    }

    fn arrive_in(&mut self, membership: Membership, slot: u32) {
        self.me.go_to(channel_place(membership.channel.name.clone()));
        self.inbox.subscribe(membership, slot);
    }

    fn leave(
        &mut self,
        conversation: Conversation,
        reason: Option<Text>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<Done, Refusal> {
        if let Conversation::Channel(name) = &conversation {
            let channel = self.inbox.channel(name).cloned();
            let channel = channel.ok_or_else(|| Refusal::not_in_channel(name))?;
            let left = self.hub.leave(&self.person, self.name()?, &channel, reason, now);
            let Some(Leaving { number, last_line }) = left else {
                self.see_that_it_ended(name, out);
                return Err(Refusal::not_in_channel(name));
            };
            self.finish(name, number, last_line, out);
        }
        self.me.leave(&conversation);
        Ok(Done::Left { conversation, current: self.me.current().cloned() })
    }

    /// Opens a private chat and makes it current. Somebody with whom one is open already isn't told
    /// again.
    fn open_private(&mut self, user: &UserName) -> Result<(Arc<Person>, UserName), Refusal> {
        let person = self.hub.person(user)?;
        let name = person.name().unwrap_or_else(|| user.clone());
        let conversation = Conversation::Private(name.clone());
        let already = self.me.place(&conversation).is_some_and(|at| at.with == Some(person.id));
        if !already {
            self.hub.open_private(&self.person, self.name()?, &person, &name)?;
        }
        self.me.go_to(Place { conversation, with: Some(person.id) });
        Ok((person, name))
    }

    fn say(
        &mut self,
        to: Place,
        words: Words,
        re: Re,
        opened: Option<UserName>,
    ) -> Result<(), Refusal> {
        let from = self.name()?;
        let mut notice = None;
        match to.conversation {
            Conversation::Channel(name) => {
                let channel = match self.inbox.channel(&name) {
                    Some(channel) => Ok(Arc::clone(channel)),
                    None => Err(self
                        .hub
                        .channel(&name)
                        .err()
                        .unwrap_or_else(|| Refusal::not_in_channel(&name))),
                };
                self.hub.say(&self.person, from, &name, channel, words)?;
            }
            Conversation::Private(user) => {
                let person = match to.with {
                    Some(with) => self.hub.person_with(with, &user),
                    None => self.hub.person(&user),
                };
                let mut called = user;
                if let Ok(person) = &person {
                    called = person.name().unwrap_or(called);
                    // Their new name may not have been told yet.
                    self.me.renamed(person.id, &called);
                    notice = person.away().map(|Away { reason }| {
                        let because = reason.map(|reason| format!(": {reason}"));
                        format!("{called} is away{}", because.unwrap_or_default())
                    });
                }
                self.hub.say_privately(&self.person, from, person, called, words)?;
            }
        }
        self.waiting.push_back(Waiting::Draft { re, opened, notice });
        Ok(())
    }
}

fn channel_place(name: ChannelName) -> Place {
    Place { conversation: Conversation::Channel(name), with: None }
}

/// More than a ring and the notes of one person hold.
const FULL_RING: usize = 16 * 1024 * 1024;
