//! Applies channels created, joined and left.

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
use crate::hub::channel::operators::OperatorRight;
use crate::hub::channel::{Channel, ChannelState, RingReader};
use crate::hub::client::Client;
use crate::hub::client::notification::{Kick, KickCause, Notification};
use crate::hub::client::throttle::{QuotaOwner, ThrottledOp};
use crate::hub::id::UserId;
use crate::hub::proposal::{ChannelChange, StateChange};
use crate::util::clock::on_the_wall;
use crate::util::sync::{MutexGuard, lock};

/// Names that no channel can have. Without them, the refusal for a hidden channel's name would
/// reveal it.
const RESERVED: [&str; 3] = ["root", "server", "system"];

/// How long an empty channel without messages stays.
const UNUSED_CHANNEL_MILLIS: i64 = 24 * 3_600_000;

/// A name for the log.
pub(super) fn shown(name: Option<&UserName>) -> &str {
    name.map_or("(nobody)", UserName::as_str)
}

/// The result of a join.
pub(crate) struct Membership {
    pub(crate) channel: Arc<Channel>,
    /// The events from now on.
    pub(crate) ring: RingReader,
    /// Distinguishes memberships of the same client.
    pub(crate) entry: u64,
    pub(crate) last_line: MessageId,
    /// Messages up to this id are deleted, whether the store has removed them yet or not.
    pub(crate) floor: MessageId,
    /// The number of members, this one included.
    pub(crate) members: usize,
    pub(crate) topic: Option<Text>,
    pub(crate) operator: bool,
}

/// Removes a client from a channel, and publishes it unless the channel was dropped. Does nothing
/// if it isn't a member.
pub(super) fn eject(
    state: &mut ChannelState,
    client: &Client,
    kick: Kick,
    now: Timestamp,
    by: &Client,
) {
    let Some(member) = state.remove_member(client.id, now) else { return };
    if let Some(account) = client.signed_in() {
        // The caller stores this.
        account.leave_channel(&kick.channel);
    }
    let Kick { channel, by: by_name, reason, cause, .. } = &kick;
    let ban = match cause {
        KickCause::Ban(term) => Some(*term),
        KickCause::Kick | KickCause::Drop | KickCause::OwnDrop => None,
    };
    let told = !matches!(cause, KickCause::Drop | KickCause::OwnDrop);
    let (channel, by_name, reason) = (channel.clone(), by_name.clone(), reason.clone());
    // Its number is lower than that of any later event.
    let last_line = state.last_line;
    client.push(Notification::Kicked(Kick { entry: member.entry, last_line, ..kick }));
    // Published for the last device only.
    if told
        && !state.has_beside(client)
        && let Some(user) = client.name()
    {
        let event = Event::Kicked { channel, user, by: by_name, reason, ban };
        state.publish(event, by.by());
    }
}

/// Where the events of a channel end for a client that left.
#[derive(Clone, Copy)]
pub(crate) struct LeavePosition {
    /// Events with lower numbers came before.
    pub(crate) number: u64,
    /// The last message before.
    pub(crate) last_line: MessageId,
}

impl Hub {
    /// Creates a channel with its maker as operator.
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
            // A name is unique, so that of a hidden channel is refused like a reserved one.
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
        // Ids are never reused under a name: the channel continues those of an earlier one.
        let last_line = channels.take_last_line(name);
        let sequence = Arc::clone(&self.sequence);
        let mut channel = Channel::new(name.clone(), topic.clone(), last_line, sequence);
        channel.maker = Some(maker);
        let channel = Arc::new(channel);
        let (entry, ring, account) = {
            let mut state = channel.state();
            let account = state.grant_operator(client, name, OperatorRight::Full);
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
        self.record(StateChange::ChannelCreated(name.clone(), topic.clone(), client.account()));
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

    /// Records an account's right as operator.
    pub(super) fn record_operator(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        account: Option<(UserId, OperatorRight)>,
    ) {
        if let Some((account, right)) = account {
            self.index_account(Some(account), channel);
            self.record_moderation(&channel.name, ModerationChange::Operator(account, right));
        }
    }

    /// Lets the member of longest standing inherit the right in a channel without operators, and
    /// records it under the lock of the channel.
    pub(super) fn ensure_operator(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        state: &mut ChannelState,
    ) {
        let account = state.ensure_operator(&channel.name);
        self.record_operator(channel, account);
    }

    /// The last step of a departure: the right is inherited, and an unused channel is dropped.
    pub(super) fn settle_departure(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        mut state: MutexGuard<'_, ChannelState>,
    ) {
        self.ensure_operator(channel, &mut state);
        let is_unused = state.is_unused();
        drop(state);
        if is_unused {
            self.drop_unused(channel);
        }
    }

    pub(super) fn record_moderation(self: &Arc<Self>, name: &ChannelName, keep: ModerationChange) {
        let changed = Box::new(ChannelChange { channel: name.clone(), keep });
        self.record(StateChange::Moderation(changed));
    }

    /// Joins a channel.
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
        // An invitation is used once.
        let accepted = state.moderation.find(ListKind::Invitations, &who, now);
        let accepted: Vec<String> =
            accepted.map(|list_entry| list_entry.key().to_owned()).into_iter().collect();
        if !accepted.is_empty() {
            state.moderation.remove(ListKind::Invitations, &accepted);
        }
        let (entry, ring) = state.add_member(client, slot);
        self.ensure_operator(&channel, &mut state);
        if is_there {
            // Another device of a member is not announced.
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
        for key in accepted {
            self.record_moderation(
                &channel.name,
                ModerationChange::Remove(ListKind::Invitations, key),
            );
        }
        Ok(membership)
    }

    /// Leaves a channel; `None` if the client was not a member.
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
        // The member of longest standing keeps the inherited right after leaving.
        self.ensure_operator(channel, &mut state);
        state.remove_member(client.id, now)?;
        let leaving = LeavePosition { number: self.sequence.next(), last_line: state.last_line };
        if state.has_beside(client) {
            // Another device stays.
        } else if large {
            self.count_presence(channel, &mut state, false);
        } else {
            let channel = channel.name.clone();
            state.publish(
                Event::Left { channel, user, time: on_the_wall(now), reason },
                client.by(),
            );
        }
        self.settle_departure(channel, state);
        Some(leaving)
    }

    /// Drops an empty channel without messages and without an account as operator. While a proposal
    /// is pending it stays for [`Hub::drop_empty_channels`], since its first message may be on the
    /// way; so it does on shutdown.
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
        self.record(StateChange::ChannelDropped(name.clone()));
    }

    /// Drops channels that were empty for the configured time, with their messages, unless an
    /// operator has an account. Removes expired bans and mutes.
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

    /// Whether a channel was empty for the configured time.
    fn is_due(&self, state: &ChannelState, now: Timestamp) -> bool {
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
        // A client may have joined since.
        if !self.is_due(&state, now) {
            return;
        }
        let (name, lines) = (&channel.name, state.line_count());
        tracing::info!(channel = %name, lines, reason = %"empty", "channel removed");
        self.remove_channel(&mut channels, channel, &mut state);
        self.record(StateChange::ChannelDropped(name.clone()));
    }

    /// Releases expired name holds.
    pub fn release_names(self: &Arc<Self>, now: Timestamp) {
        let expired = lock(&self.name_holds).expired(now);
        self.release(expired);
    }

    /// Releases these name holds.
    pub(super) fn release(self: &Arc<Self>, names: impl IntoIterator<Item = (Box<str>, UserId)>) {
        for (name, user_id) in names {
            self.record(StateChange::NameReleased(name));
            self.record(StateChange::UserGone(user_id));
        }
    }
}
