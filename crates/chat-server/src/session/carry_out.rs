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
            Change::Name(name) => self.take_name(name, out)?,
            Change::Create(channel, topic) => self.create(&channel, topic)?,
            Change::Enter(channel) => self.enter(&channel, now, out)?,
            Change::Leave(conversation, reason) => self.leave(conversation, reason, now, out)?,
            Change::OpenPrivate(user, None) => {
                Done::PrivateOpened { with: self.open_private(&user)?.1, placed: None }
            }
            Change::OpenPrivate(user, Some(text)) => {
                let (person, name) = self.open_private(&user)?;
                let conversation = Conversation::Private(name.clone());
                let to = Place { conversation, with: Some(person.id) };
                self.say(to, Words { text, action: false, time: now }, re, Some(name), out)?;
                return Ok(());
            }
            Change::Say { to, text, action } => {
                self.say(to, Words { text, action, time: now }, re, None, out)?;
                return Ok(());
            }
            Change::Topic(channel, topic) => {
                let may = |role| policy::channel::may_take_part(role, &channel.name);
                channel.set_topic(&self.person, self.name()?, topic.clone(), may)?;
                Done::TopicSet { channel: channel.name.clone(), topic }
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
                let (user, number) =
                    self.hub.kick(&self.person, &channel, &user, reason, now, may)?;
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

    fn take_name(&mut self, name: UserName, out: &mut BytesMut) -> Result<Done, Refusal> {
        let before = self.hub.take_name(&self.person, &name, self.inbox.channels())?;
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
        self.arrive_in(membership, slot);
        Ok(Done::Created { channel: name.clone(), topic, last: LineId::default() })
    }

    fn enter(
        &mut self,
        name: &ChannelName,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<Done, Refusal> {
        if let Some(channel) = self.inbox.channel(name).cloned() {
            let role = channel.role(self.person.id);
            if role.member {
                let (members, topic) = (channel.count(), channel.topic());
                let channel = channel.name.clone();
                self.me.go_to(channel_place(channel.clone()));
                let operator = role.operator;
                let last = LineId::default();
                return Ok(Done::Current { channel, members, topic, operator, last });
            }
            self.see_that_it_ended(name, out);
        }
        let slot = self.inbox.free_slot();
        let membership = self.hub.enter(&self.person, self.name()?, name, slot, now)?;
        let Membership { members, operator, .. } = membership;
        let (channel, topic) = (membership.channel.name.clone(), membership.topic.clone());
        self.arrive_in(membership, slot);
        Ok(Done::Entered { channel, members, topic, operator, last: LineId::default() })
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
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let from = self.name()?;
        match to.conversation {
            Conversation::Channel(name) => {
                let channel =
                    self.inbox.channel(&name).ok_or_else(|| Refusal::not_in_channel(&name))?;
                self.hub.say(&self.person, from, channel, words)?;
            }
            Conversation::Private(user) => {
                let person = match to.with {
                    Some(with) => self.hub.person_with(with, &user)?,
                    None => self.hub.person(&user)?,
                };
                let user = person.name().unwrap_or(user);
                // Their new name may not have been told yet.
                self.me.renamed(person.id, &user);
                let away = person.away();
                self.hub.say_privately(&self.person, from, &person, user.clone(), words)?;
                if let Some(Away { reason }) = away {
                    let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                    self.notice(format!("{user} is away{because}"), out);
                }
            }
        }
        self.waiting.push_back(Waiting { re, opened });
        Ok(())
    }
}

fn channel_place(name: ChannelName) -> Place {
    Place { conversation: Conversation::Channel(name), with: None }
}

/// More than a ring and the notes of one person hold.
const FULL_RING: usize = 16 * 1024 * 1024;
