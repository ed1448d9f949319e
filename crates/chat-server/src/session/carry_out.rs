//! What a handler wanted changed, carried out through the hub.

use std::borrow::Cow;

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, Done, Farewell};
use chat_proto::id::Timestamp;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::{Session, Waiting};
use crate::handlers::{Change, help};
use crate::hub::apply::{Membership, Words};

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
            Change::Enter(channel) => self.enter(&channel, now)?,
            Change::Leave(conversation, reason) => self.leave(conversation, reason, now, out),
            Change::OpenPrivate(user, None) => {
                Done::PrivateOpened { with: self.open_private(&user)?, placed: None }
            }
            Change::OpenPrivate(user, Some(text)) => {
                let with = self.open_private(&user)?;
                let to = Conversation::Private(with.clone());
                self.say(&to, Words { text, action: false, time: now }, re, Some(with), out)?;
                return Ok(());
            }
            Change::Say { to, text, action } => {
                self.say(&to, Words { text, action, time: now }, re, None, out)?;
                return Ok(());
            }
            Change::Topic(channel, topic) => {
                channel.set_topic(&self.person, self.name()?, topic.clone());
                Done::TopicSet { channel: channel.name.clone(), topic }
            }
            Change::Away(away) => {
                let changed = self.person.set_away(away.clone());
                Done::Away { away, changed }
            }
            Change::Ignore(user) => {
                let person = self.hub.person(&user).ok().map(|person| person.id);
                let changed = self.me.ignore(user.clone(), person);
                Done::Ignoring { user, changed }
            }
            Change::Unignore(user) => {
                let person = self.hub.person(&user).ok().map(|person| person.id);
                let changed = self.me.unignore(&user, person);
                Done::NotIgnoring { user, changed }
            }
            Change::Kick { channel, user, reason } => {
                let by = self.name()?;
                let user = self.hub.kick(&self.person, by, &channel, &user, reason, now)?;
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
        Ok(Done::Created { channel: name.clone(), topic })
    }

    fn enter(&mut self, name: &ChannelName, now: Timestamp) -> Result<Done, Refusal> {
        if let Some(channel) = self.inbox.channel(name) {
            let (members, topic) = (channel.count(), channel.topic());
            let operator = channel.role(self.person.id).operator;
            let channel = channel.name.clone();
            self.me.go_to(Conversation::Channel(channel.clone()));
            return Ok(Done::Current { channel, members, topic, operator });
        }
        let slot = self.inbox.free_slot();
        let membership = self.hub.enter(&self.person, self.name()?, name, slot, now)?;
        let Membership { members, operator, .. } = membership;
        let (channel, topic) = (membership.channel.name.clone(), membership.topic.clone());
        self.arrive_in(membership, slot);
        Ok(Done::Entered { channel, members, topic, operator })
    }

    fn arrive_in(&mut self, membership: Membership, slot: u32) {
        self.me.go_to(Conversation::Channel(membership.channel.name.clone()));
        self.inbox.subscribe(membership, slot);
    }

    fn leave(
        &mut self,
        conversation: Conversation,
        reason: Option<Text>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Done {
        let left = match conversation {
            Conversation::Channel(name) => {
                let channel = self.inbox.channel(&name).cloned();
                if let (Some(channel), Some(user)) = (channel, self.me.name.clone()) {
                    let upto = self.hub.leave(&self.person, user, &channel, reason, now);
                    self.drain_up_to(&name, upto, out);
                    self.inbox.take_subscription(&name);
                }
                Conversation::Channel(name)
            }
            private @ Conversation::Private(_) => private,
        };
        self.me.leave(&left);
        Done::Left { conversation: left, current: self.me.current().cloned() }
    }

    /// Opens a private chat and makes it current. Somebody with whom one is open already isn't told
    /// again.
    fn open_private(&mut self, user: &UserName) -> Result<UserName, Refusal> {
        let already = self.me.is_in(&Conversation::Private(user.clone()));
        let with = if already {
            let person = self.hub.person(user)?;
            person.name().unwrap_or_else(|| user.clone())
        } else {
            self.hub.open_private(&self.person, self.name()?, user)?
        };
        self.me.go_to(Conversation::Private(with.clone()));
        Ok(with)
    }

    fn say(
        &mut self,
        to: &Conversation,
        words: Words,
        re: Re,
        opened: Option<UserName>,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let from = self.name()?;
        match to {
            Conversation::Channel(name) => {
                let channel =
                    self.inbox.channel(name).ok_or_else(|| Refusal::not_in_channel(name))?;
                self.hub.say(&self.person, from, channel, words)?;
            }
            Conversation::Private(user) => {
                let (user, away) = self.hub.say_privately(&self.person, from, user, words)?;
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
