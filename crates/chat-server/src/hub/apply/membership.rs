//! Channels made, entered and left.

use std::sync::Arc;
use std::sync::PoisonError;

use chat_proto::event::Event;
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use tokio::sync::broadcast;

use crate::hub::Hub;
use crate::hub::channel::Channel;
use crate::hub::delivery::Delivery;
use crate::hub::person::{Note, Person};

/// What a new member gets.
pub(crate) struct Membership {
    pub(crate) channel: Arc<Channel>,
    /// What happens from now on.
    pub(crate) ring: broadcast::Receiver<Arc<Delivery>>,
    /// The channel's events up to this one were before.
    pub(crate) seq: u64,
    pub(crate) last_line: LineId,
    /// How many are in it, oneself included.
    pub(crate) members: usize,
    pub(crate) topic: Option<Text>,
    pub(crate) operator: bool,
}

impl Hub {
    /// Makes a channel, with its maker in it as its operator.
    pub(crate) fn create(
        &self,
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
        let channel = Arc::new(Channel::new(name.clone(), topic.clone()));
        let ring = {
            let mut state = channel.state();
            state.appoint(person);
            state.admit(person, slot)
        };
        for look in name.looks() {
            channels.by_look.insert(look.into(), name.clone());
        }
        channels.by_name.insert(name.clone(), Arc::clone(&channel));
        let last_line = LineId::default();
        Ok(Membership { channel, ring, seq: 0, last_line, members: 1, topic, operator: true })
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
        let seq = state.seq;
        let ring = state.admit(person, slot);
        state.settle_operators(&channel.name, Some(person.id));
        if self.is_large(&state) {
            self.count_coming(&channel, &mut state, true);
        } else {
            let channel = channel.name.clone();
            state.tell(Event::Entered { channel, user, time: now }, person.id);
        }
        let membership = Membership {
            channel: Arc::clone(&channel),
            ring,
            seq,
            last_line: state.last_line,
            members: state.members.len(),
            topic: state.topic.clone(),
            operator: state.is_operator(person.id),
        };
        drop(state);
        Ok(membership)
    }

    /// Leaves a channel. What happened in it up to the returned place is still the leaver's to see.
    pub(crate) fn leave(
        &self,
        person: &Person,
        user: UserName,
        channel: &Arc<Channel>,
        reason: Option<Text>,
        now: Timestamp,
    ) -> u64 {
        let mut state = channel.state();
        let upto = state.seq;
        let large = self.is_large(&state);
        if state.dismiss(person.id, now) {
            if large {
                self.count_coming(channel, &mut state, false);
            } else {
                let channel = channel.name.clone();
                state.tell(Event::Left { channel, user, time: now, reason }, person.id);
            }
            state.settle_operators(&channel.name, None);
        }
        upto
    }

    /// Puts somebody out of a channel.
    pub(crate) fn kick(
        &self,
        by: &Person,
        by_name: UserName,
        channel: &Arc<Channel>,
        user: &UserName,
        reason: Option<Text>,
        now: Timestamp,
    ) -> Result<UserName, Refusal> {
        let person = self.person(user)?;
        let name = person.name().unwrap_or_else(|| user.clone());
        let mut state = channel.state();
        let upto = state.seq;
        if !state.dismiss(person.id, now) {
            return Err(Refusal::user_not_in_channel(&name, &channel.name));
        }
        // The note is there before anything that happens after the kick.
        person.note(Note::Kicked {
            channel: channel.name.clone(),
            by: by_name.clone(),
            reason: reason.clone(),
            upto,
        });
        let event = Event::Kicked {
            channel: channel.name.clone(),
            user: name.clone(),
            by: by_name,
            reason,
        };
        state.tell_as(event, by.id, |delivery| delivery.ends_for = Some(person.id));
        state.settle_operators(&channel.name, None);
        Ok(name)
    }

    /// Drops the channels that nobody has been in for as long as empty ones are kept.
    pub fn drop_empty_channels(&self, now: Timestamp) {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        let channels = &mut *channels;
        channels.by_name.retain(|name, channel| {
            let mut state = channel.state();
            let due = state
                .empty_since
                .is_some_and(|since| now.0 - since.0 >= self.bounds.empty_channel_millis);
            if due {
                state.dropped = true;
                for look in name.looks() {
                    channels.by_look.remove(look.as_ref());
                }
            }
            !due
        });
    }
}

impl Channel {
    /// Sets the topic.
    pub(crate) fn set_topic(&self, by: &Person, by_name: UserName, topic: Text) {
        let mut state = self.state();
        state.topic = Some(topic.clone());
        let channel = self.name.clone();
        state.tell(Event::Topic { channel, topic: Some(topic), by: by_name }, by.id);
    }
}
