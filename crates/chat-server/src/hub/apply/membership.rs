//! Channels made, entered and left.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::event::Event;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, NameError, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::channel::mod_action::{AccessContext, ModerationChange};
use crate::hub::channel::moderation::ListKind;
use crate::hub::channel::operators::Right;
use crate::hub::channel::{Channel, RingReader, State};
use crate::hub::client::Client;
use crate::hub::client::notification::{Kick, KickCause, Notification};
use crate::hub::client::throttle::{QuotaOwner, ThrottledOp};
use crate::hub::id::UserId;
use crate::hub::proposal::{ChannelChange, StateChange};
use crate::util::clock::on_the_wall;
use crate::util::sync::lock;

/// Channels that nobody can make: so that the answer to whoever wants to make one that is hidden
/// isn't for hidden ones alone.
const RESERVED: [&str; 3] = ["root", "server", "system"];

/// How long a channel without people and without a line stays.
const UNUSED_CHANNEL_MILLIS: i64 = 24 * 3_600_000;

/// A name as the log has it.
pub(super) fn shown(name: Option<&UserName>) -> &str {
    name.map_or("(nobody)", UserName::as_str)
}

/// What a new member gets.
pub(crate) struct Membership {
    pub(crate) channel: Arc<Channel>,
    /// What happens from now on.
    pub(crate) ring: RingReader,
    /// Tells this entry from others of the same person.
    pub(crate) entry: u64,
    pub(crate) last_line: MessageId,
    /// Lines up to this one are kept no more, whether the store knows it yet or not.
    pub(crate) floor: MessageId,
    /// How many are in it, oneself included.
    pub(crate) members: usize,
    pub(crate) topic: Option<Text>,
    pub(crate) operator: bool,
}

/// Puts somebody out of a channel; whoever is in it is told, but for a channel that ended. Does
/// nothing if they are not in it any more.
pub(super) fn eject(state: &mut State, client: &Client, kick: Kick, now: Timestamp, by: &Client) {
    let Some(member) = state.remove_member(client.id, now) else { return };
    if let Some(account) = client.signed_in() {
        // That this is kept is up to who puts them out.
        account.leave_channel(&kick.channel);
    }
    let Kick { channel, by: by_name, reason, cause, .. } = &kick;
    let ban = match cause {
        KickCause::Ban(term) => Some(*term),
        KickCause::Kick | KickCause::Drop | KickCause::OwnDrop => None,
    };
    let told = !matches!(cause, KickCause::Drop | KickCause::OwnDrop);
    let (channel, by_name, reason) = (channel.clone(), by_name.clone(), reason.clone());
    // Its number is lower than that of anything that happens after it.
    let last_line = state.last_line;
    client.push(Notification::Kicked(Kick { entry: member.entry, last_line, ..kick }));
    // Of several devices the last one is told of.
    if told
        && !state.has_beside(client)
        && let Some(user) = client.name()
    {
        let event = Event::Kicked { channel, user, by: by_name, reason, ban };
        state.publish(event, by.by());
    }
}

/// Where a channel's events end for somebody who left it.
#[derive(Clone, Copy)]
pub(crate) struct LeavePosition {
    /// What has a lower number was before.
    pub(crate) number: u64,
    /// The last line before.
    pub(crate) last_line: MessageId,
}

impl Hub {
    /// Makes a channel, with its maker in it as its operator.
    pub(crate) fn create(
        self: &Arc<Self>,
        client: &Arc<Client>,
        name: &ChannelName,
        topic: Option<Text>,
        slot: u32,
        now: Timestamp,
    ) -> Result<Membership, Refusal> {
        let mut channels = self.channels.write();
        if let Some(there) =
            name.loose_skeletons().find_map(|skeleton| channels.by_skeleton.of(&skeleton).next())
        {
            // A name can't be given twice, so the one of a channel that nobody may know of is as
            // one that nobody can take.
            let is_known =
                channels.by_name.get(there).is_none_or(|channel| channel.is_known_to(client, now));
            return Err(if is_known {
                Refusal::channel_exists(name, there)
            } else {
                Refusal::bad_name(&NameError::Reserved)
            });
        }
        if RESERVED.contains(&name.key()) {
            return Err(Refusal::bad_name(&NameError::Reserved));
        }
        if channels.by_name.len() >= self.bounds.channels {
            return Err(Refusal::too_many_channels(self.bounds.channels));
        }
        let maker = QuotaOwner::of(client);
        if let Some(shares) = &self.bounds.shares {
            let most = match maker {
                QuotaOwner::Account(_) => shares.channels_per_account,
                QuotaOwner::Address(_) | QuotaOwner::Connection(_) | QuotaOwner::UnixSocket => {
                    shares.channels_per_address
                }
            };
            if channels.made_by.get(&maker).is_some_and(|made| *made >= most) {
                return Err(Refusal::too_many_own_channels(most));
            }
        }
        self.throttle(client, ThrottledOp::Create, now)?;
        // An id is never given twice for one name, so a channel goes on where one of this name
        // ended.
        let last_line = channels.take_last_line(name);
        let sequence = Arc::clone(&self.sequence);
        let mut channel = Channel::new(name.clone(), topic.clone(), last_line, sequence);
        channel.maker = Some(maker);
        let channel = Arc::new(channel);
        let (entry, ring, account) = {
            let mut state = channel.state();
            let account = state.grant_operator(client, name, Right::Full);
            state.floor = last_line;
            state.topic_by = client.account().filter(|_| topic.is_some());
            for setting in &self.bounds.new_channels {
                state.moderation.settings.set(setting);
            }
            if channel.show_or_hide(&state) {
                self.hidden.fetch_add(1, Ordering::Relaxed);
            }
            let (entry, ring) = state.add_member(client, slot);
            (entry, ring, account)
        };
        channels.add(Arc::clone(&channel));
        self.commit_log.record(
            StateChange::ChannelCreated(name.clone(), topic.clone(), client.account()),
            self,
        );
        self.record_operator(&channel, account);
        self.index_account(client.account().filter(|_| topic.is_some()), &channel);
        for setting in &self.bounds.new_channels {
            self.record_moderation(
                name,
                ModerationChange::Setting(setting.name(), setting.value()),
            );
        }
        let (floor, members, operator) = (last_line, 1, true);
        tracing::info!(channel = %name, by = %shown(client.name().as_ref()), "channel made");
        Ok(Membership { channel, ring, entry, last_line, floor, members, topic, operator })
    }

    /// An account is an operator from now on, and stays it.
    pub(super) fn record_operator(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        account: Option<(UserId, Right)>,
    ) {
        if let Some((account, right)) = account {
            self.index_account(Some(account), channel);
            self.record_moderation(&channel.name, ModerationChange::Operator(account, right));
        }
    }

    pub(super) fn record_moderation(self: &Arc<Self>, name: &ChannelName, keep: ModerationChange) {
        let changed = Box::new(ChannelChange { channel: name.clone(), keep });
        self.commit_log.record(StateChange::Moderation(changed), self);
    }

    /// Enters a channel.
    pub(crate) fn enter(
        self: &Arc<Self>,
        client: &Arc<Client>,
        user: UserName,
        name: &ChannelName,
        slot: u32,
        now: Timestamp,
        may_enter: fn(&AccessContext<'_>) -> Result<(), Refusal>,
    ) -> Result<Membership, Refusal> {
        let channel = self.channel(name)?;
        let who = client.who();
        let (shown, mut verdict) = (who.name.as_ref().map_or("", UserName::as_str), None);
        let mut state = channel.state_for(client, shown, &mut verdict);
        let mut access = state.access(&channel.name, client, &who, now, None);
        access.verdict = verdict.as_ref();
        if state.dropped || !access.knows() {
            drop(state);
            return Err(self.no_such_channel(name));
        }
        let is_there = state.has_beside(client);
        may_enter(&access)?;
        // An invitation lets in once.
        let accepted = state.moderation.find(ListKind::Invitations, &who, now);
        let accepted: Vec<String> =
            accepted.map(|list_entry| list_entry.key().to_owned()).into_iter().collect();
        if !accepted.is_empty() {
            state.moderation.remove(ListKind::Invitations, &accepted);
        }
        let (entry, ring) = state.add_member(client, slot);
        let account = state.ensure_operator(&channel.name);
        if is_there {
            // One more device of somebody who is in it is nobody's news.
        } else if self.is_large(&state) {
            self.count_presence(&channel, &mut state, true);
        } else {
            let channel = channel.name.clone();
            state.publish(Event::Entered { channel, user, time: on_the_wall(now) }, client.by());
        }
        let membership = Membership {
            channel: Arc::clone(&channel),
            ring,
            entry,
            last_line: state.last_line,
            floor: state.floor,
            members: state.count(),
            topic: state.topic.clone(),
            operator: state.is_operator(client),
        };
        drop(state);
        self.record_operator(&channel, account);
        for key in accepted {
            self.record_moderation(
                &channel.name,
                ModerationChange::Remove(ListKind::Invitations, key),
            );
        }
        Ok(membership)
    }

    /// Leaves a channel; `None` if the person was not in it any more.
    pub(crate) fn leave(
        self: &Arc<Self>,
        client: &Client,
        user: UserName,
        channel: &Arc<Channel>,
        reason: Option<Text>,
        now: Timestamp,
    ) -> Option<LeavePosition> {
        let mut state = channel.state();
        let large = self.is_large(&state);
        // Whoever has the right by being here longest keeps it while elsewhere.
        let account = state.ensure_operator(&channel.name);
        self.record_operator(channel, account);
        state.remove_member(client.id, now)?;
        let leaving = LeavePosition { number: self.sequence.next(), last_line: state.last_line };
        if state.has_beside(client) {
            // Another device of theirs goes on.
        } else if large {
            self.count_presence(channel, &mut state, false);
        } else {
            let channel = channel.name.clone();
            state.publish(
                Event::Left { channel, user, time: on_the_wall(now), reason },
                client.by(),
            );
        }
        let account = state.ensure_operator(&channel.name);
        let is_unused = state.is_unused();
        drop(state);
        self.record_operator(channel, account);
        if is_unused {
            self.drop_unused(channel);
        }
        Some(leaving)
    }

    /// Drops a channel that nobody is in and in which nothing was ever said, unless an account runs
    /// it. While a line is on its way it stays for [`Hub::drop_empty_channels`], since the line may
    /// be its first; and so does each when the server stops.
    pub(super) fn drop_unused(self: &Arc<Self>, channel: &Arc<Channel>) {
        let name = &channel.name;
        let mut channels = self.channels.write();
        let mut state = channel.state();
        let is_closing = self.closing.load(Ordering::SeqCst);
        if state.dropped
            || !state.is_unused()
            || is_closing
            || self.in_flight.load(Ordering::SeqCst) > 0
        {
            return;
        }
        tracing::info!(channel = %name, lines = 0, reason = "unused", "channel removed");
        self.remove_channel(&mut channels, channel, &mut state);
        self.commit_log.record(StateChange::ChannelDropped(name.clone()), self);
    }

    /// Drops the channels that nobody has been in for as long as empty ones are kept, with their
    /// lines, unless an operator of theirs has an account. Forgets bans and mutes that have ended.
    pub fn drop_empty_channels(self: &Arc<Self>, now: Timestamp) {
        self.each_channel(|channel| {
            let mut state = channel.state();
            for (list, list_entry) in state.moderation.forget_ended(now) {
                self.record_moderation(&channel.name, ModerationChange::Expire(list, list_entry));
            }
            self.reindex(channel, &mut state);
            let is_due = self.is_due(&state, now);
            drop(state);
            if is_due {
                self.drop_due(channel, now);
            }
        });
    }

    /// Whether nobody has been in a channel for as long as it is kept without.
    fn is_due(&self, state: &State, now: Timestamp) -> bool {
        let empty_millis = state.empty_since.map(|since| now.0.saturating_sub(since.0));
        let stays = if state.has_lines() {
            self.bounds.empty_channel_millis
        } else {
            Some(UNUSED_CHANNEL_MILLIS.min(self.bounds.empty_channel_millis.unwrap_or(i64::MAX)))
        };
        !state.dropped
            && !state.operators.outlive_members()
            && empty_millis.zip(stays).is_some_and(|(empty, stays)| empty >= stays)
    }

    fn drop_due(self: &Arc<Self>, channel: &Arc<Channel>, now: Timestamp) {
        let mut channels = self.channels.write();
        let mut state = channel.state();
        // Somebody may have come since.
        if !self.is_due(&state, now) {
            return;
        }
        let (name, lines) = (&channel.name, state.line_count());
        tracing::info!(channel = %name, lines, reason = %"empty", "channel removed");
        self.remove_channel(&mut channels, channel, &mut state);
        self.commit_log.record(StateChange::ChannelDropped(name.clone()), self);
    }

    /// Names stand no more for those who were cut off long ago.
    pub fn release_names(self: &Arc<Self>, now: Timestamp) {
        let expired = lock(&self.name_holds).expired(now);
        self.release(expired);
    }

    /// These names stand for nobody any more.
    pub(super) fn release(self: &Arc<Self>, names: impl IntoIterator<Item = (Box<str>, UserId)>) {
        for (name, user_id) in names {
            self.commit_log.record(StateChange::NameReleased(name), self);
            self.commit_log.record(StateChange::UserGone(user_id), self);
        }
    }
}
