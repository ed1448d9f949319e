//! Channels made, entered and left.

use std::sync::Arc;
use std::sync::PoisonError;

use chat_proto::conversation::Conversation;
use chat_proto::event::Event;
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use tokio::sync::broadcast;

use crate::hub::channel::{Channel, Role, State};
use crate::hub::delivery::Delivery;
use crate::hub::person::{Kick, Note, Person};
use crate::hub::ports::{Addressee, Draft, Fact, What};
use crate::hub::{Channels, Hub, lock};

/// What a new member gets.
pub(crate) struct Membership {
    pub(crate) channel: Arc<Channel>,
    /// What happens from now on.
    pub(crate) ring: broadcast::Receiver<Arc<Delivery>>,
    /// Tells this entry from others of the same person.
    pub(crate) entry: u64,
    pub(crate) last_line: LineId,
    /// How many are in it, oneself included.
    pub(crate) members: usize,
    pub(crate) topic: Option<Text>,
    pub(crate) operator: bool,
}

/// Somebody is put out of a channel.
pub(super) struct PutOut<'a> {
    pub(super) by: &'a Person,
    pub(super) by_name: UserName,
    pub(super) person: &'a Person,
    /// As it is told.
    pub(super) name: &'a UserName,
    pub(super) reason: Option<Text>,
    pub(super) now: Timestamp,
}

/// Where a channel's events end for somebody who left it.
#[derive(Clone, Copy)]
pub(crate) struct Leaving {
    /// What has a lower number was before.
    pub(crate) number: u64,
    /// The last line before.
    pub(crate) last_line: LineId,
}

impl Hub {
    /// Makes a channel, with its maker in it as its operator.
    pub(crate) fn create(
        self: &Arc<Self>,
        person: &Arc<Person>,
        name: &ChannelName,
        topic: Option<Text>,
        slot: u32,
    ) -> Result<Membership, Refusal> {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = name.looks().find_map(|look| channels.by_look.get(look.as_ref())) {
            return Err(Refusal::channel_exists(name, there));
        }
        if channels.by_name.len() >= self.bounds.channels {
            return Err(Refusal::too_many_channels(self.bounds.channels));
        }
        // An id is never given twice for one name, so a channel goes on where one of this name ended.
        let last_line = channels.gone.remove(name).unwrap_or_default();
        let sequence = Arc::clone(&self.sequence);
        let channel = Arc::new(Channel::new(name.clone(), topic.clone(), last_line, sequence));
        let (entry, ring) = {
            let mut state = channel.state();
            state.appoint(person, name);
            state.admit(person, slot)
        };
        channel.state().floor = last_line;
        channels.add(Arc::clone(&channel));
        self.order.remember(Fact::Opened(name.clone(), topic.clone()), self);
        Ok(Membership { channel, ring, entry, last_line, members: 1, topic, operator: true })
    }

    /// Enters a channel.
    pub(crate) fn enter(
        &self,
        person: &Arc<Person>,
        user: UserName,
        name: &ChannelName,
        slot: u32,
        now: Timestamp,
    ) -> Result<Membership, Refusal> {
        let channel = self.channel(name)?;
        let mut state = channel.state();
        if state.dropped {
            drop(state);
            return Err(self.no_such_channel(name));
        }
        let (entry, ring) = state.admit(person, slot);
        state.settle_operators(&channel.name);
        if self.is_large(&state) {
            self.count_coming(&channel, &mut state, true);
        } else {
            let channel = channel.name.clone();
            state.tell(Event::Entered { channel, user, time: now }, person.id);
        }
        let membership = Membership {
            channel: Arc::clone(&channel),
            ring,
            entry,
            last_line: state.last_line,
            members: state.members.len(),
            topic: state.topic.clone(),
            operator: state.is_operator(person.id),
        };
        drop(state);
        Ok(membership)
    }

    /// Leaves a channel; `None` if the person was not in it any more.
    pub(crate) fn leave(
        &self,
        person: &Person,
        user: UserName,
        channel: &Arc<Channel>,
        reason: Option<Text>,
        now: Timestamp,
    ) -> Option<Leaving> {
        let mut state = channel.state();
        let large = self.is_large(&state);
        // Whoever has the right by being here longest keeps it while elsewhere.
        state.settle_operators(&channel.name);
        state.dismiss(person.id, now)?;
        let leaving = Leaving { number: self.sequence.next(), last_line: state.last_line };
        if large {
            self.count_coming(channel, &mut state, false);
        } else {
            let channel = channel.name.clone();
            state.tell(Event::Left { channel, user, time: now, reason }, person.id);
        }
        state.settle_operators(&channel.name);
        Some(leaving)
    }

    /// Puts somebody out of a channel; tells their name, and the number below which everything was before.
    /// Whether one `may` is asked where it counts: the right may have gone since it was looked at.
    ///
    /// `None` if what they said is just being kept: then it is their last word, and the answer comes as a
    /// note.
    pub(crate) fn kick(
        self: &Arc<Self>,
        by: &Arc<Person>,
        channel: &Arc<Channel>,
        user: &UserName,
        reason: Option<Text>,
        now: Timestamp,
        may: impl FnOnce(Role) -> Result<(), Refusal>,
    ) -> Result<Option<(UserName, u64)>, Refusal> {
        let by_name = by.name().ok_or_else(|| Refusal::not_named(None))?;
        let person = self.person(user)?;
        let name = person.name().unwrap_or_else(|| user.clone());
        let mut state = channel.state();
        state.settle_operators(&channel.name);
        may(state.role(by.id))?;
        if let Some(member) = state.members.get_mut(&person.id)
            && member.unsettled > 0
        {
            member.barred = true;
            drop(state);
            let place = Conversation::Channel(channel.name.clone());
            let what = What::Kick { person, user: name, reason };
            let to = Ok(Addressee::Channel(Arc::clone(channel)));
            let author = Arc::clone(by);
            let draft = Draft { author, from: by_name, what, time: now, to, place, once: None };
            return self.submit(draft).map(|()| None);
        }
        // Without letting go of the channel: nothing of theirs can begin to be kept between the look and the act.
        let one = PutOut { by, by_name, person: &person, name: &name, reason, now };
        let number = self.put_out_of(&mut state, channel, one)?;
        Ok(Some((name, number)))
    }

    /// Tells the number below which everything was before.
    pub(super) fn put_out(&self, channel: &Channel, one: PutOut<'_>) -> Result<u64, Refusal> {
        self.put_out_of(&mut channel.state(), channel, one)
    }

    fn put_out_of(
        &self,
        state: &mut State,
        channel: &Channel,
        one: PutOut<'_>,
    ) -> Result<u64, Refusal> {
        let PutOut { by, by_name, person, name, reason, now } = one;
        let Some(member) = state.dismiss(person.id, now) else {
            return Err(Refusal::user_not_in_channel(name, &channel.name));
        };
        // Its number is lower than that of anything that happens after the kick.
        person.note(Note::Kicked(Kick {
            channel: channel.name.clone(),
            by: by_name.clone(),
            reason: reason.clone(),
            entry: member.entry,
            last_line: state.last_line,
        }));
        let number = self.sequence.next();
        let (channel, user) = (channel.name.clone(), name.clone());
        let event = Event::Kicked { channel: channel.clone(), user, by: by_name, reason };
        state.tell(event, by.id);
        state.settle_operators(&channel);
        Ok(number)
    }

    /// Drops the channels that nobody has been in for as long as empty ones are kept, unless lines of
    /// theirs are kept.
    pub fn drop_empty_channels(self: &Arc<Self>, now: Timestamp) {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        let Channels { by_name, by_look, gone } = &mut *channels;
        by_name.retain(|name, channel| {
            let mut state = channel.state();
            let due = state.last_line <= state.floor
                && state
                    .empty_since
                    .is_some_and(|since| now.0 - since.0 >= self.bounds.empty_channel_millis);
            if due {
                state.dropped = true;
                for look in name.looks() {
                    by_look.remove(look.as_ref());
                }
                gone.insert(name.clone(), state.last_line);
                self.order.remember(Fact::Dropped(name.clone()), self);
            }
            !due
        });
    }

    /// Names stand no more for those who were cut off long ago.
    pub fn release_names(self: &Arc<Self>, now: Timestamp) {
        for (name, party) in lock(&self.cut_off).expired(now) {
            self.order.remember(Fact::Released(name), self);
            self.order.remember(Fact::Ended(party), self);
        }
    }
}
