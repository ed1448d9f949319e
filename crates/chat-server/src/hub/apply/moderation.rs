//! Applies moderation actions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::event::{Event, OkReply, Restriction, Sentence, Term};
use chat_proto::id::MessageId;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::setting::ChannelSetting;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::membership::eject;
use crate::hub::Hub;
use crate::hub::channel::mod_action::{
    ActionTarget, Authority, BanSubject, ModAction, ModActionKind, ModActionRecord,
    ModerationChange,
};
use crate::hub::channel::moderation::{ListEntry, ListKind};
use crate::hub::channel::operators::OperatorRight;
use crate::hub::channel::table::ChannelTable;
use crate::hub::channel::{Channel, ChannelState};
use crate::hub::client::Client;
use crate::hub::client::notification::{Kick, KickCause, Notification};
use crate::hub::id::UserId;
use crate::hub::proposal::{Payload, PolicyCheck, Proposal, Recipient, StateChange};
use crate::util::sync::lock;

/// A committed action while it is applied.
struct ModActionContext<'a> {
    by: &'a Arc<Client>,
    by_name: &'a UserName,
    channel: &'a Arc<Channel>,
    /// All devices of its target.
    devices: Vec<Arc<Client>>,
    reason: Option<Text>,
    now: Timestamp,
}

impl Hub {
    /// Submits a moderation action. The author gets the reply as a notification.
    pub(crate) fn moderate(
        self: &Arc<Self>,
        by: &Arc<Client>,
        from: UserName,
        channel: &Arc<Channel>,
        action: ModAction,
        time: Timestamp,
        may: PolicyCheck,
    ) -> Result<(), Refusal> {
        if let Some(shares) = &self.bounds.shares
            && action.adds_rule()
            && !by.is_server_operator()
        {
            lock(&self.index).has_room(channel, shares)?;
        }
        self.submit_to_channel(by, from, channel, Payload::ModAction(Box::new(action)), time, may)
    }

    /// Applies a committed action, which `hides` so many messages.
    pub(super) fn apply_mod_action(
        self: &Arc<Self>,
        by: &Arc<Client>,
        by_name: &UserName,
        channel: &Arc<Channel>,
        action: ModAction,
        now: Timestamp,
        hides: usize,
    ) {
        log(by_name, channel, &action);
        let client = action.subject().and_then(|subject| subject.client.as_ref());
        let devices = client.map(|client| self.devices(client)).unwrap_or_default();
        if matches!(action.kind, ModActionKind::Drop) {
            let cx = ModActionContext { by, by_name, channel, devices, reason: action.reason, now };
            return self.drop_channel(&cx);
        }
        if let ModActionKind::Kick(subject) | ModActionKind::Ban(BanSubject::User(subject), _) =
            &action.kind
            && let Some(account) = subject.account.and_then(|account| self.account_of(account))
        {
            account.leave_channel(&channel.name);
        }
        let mut state = channel.state();
        // The target of a ban doesn't inherit the right.
        if !matches!(action.kind, ModActionKind::Ban(BanSubject::User(_), _)) {
            self.ensure_operator(channel, &mut state);
        }
        let term = action.term(now).unwrap_or(Term::Permanent);
        let list_entry = action.list_entry(by_name, now);
        let ended = state.ended_by(&action);
        let ModAction { kind, reason } = action;
        let cx = ModActionContext { by, by_name, channel, devices, reason, now };
        let answer = match kind {
            ModActionKind::Kick(subject) => Ok(self.kick(&mut state, &cx, &subject)),
            ModActionKind::Ban(against, _) => {
                Ok(self.ban(&mut state, &cx, &against, term, list_entry))
            }
            ModActionKind::Unban(against) => {
                let (target, channel) = (against.target(), channel.name.clone());
                let changed = end(&mut state, ended);
                Ok(OkReply::Unbanned { channel, target, changed })
            }
            ModActionKind::Mute(subject, _) => {
                if let Some((list, list_entry)) = list_entry {
                    state.moderation.add(list, list_entry);
                }
                let (user, reason) = (subject.name(), cx.reason.clone());
                let (by, channel) = (by_name.clone(), channel.name.clone());
                let done = OkReply::Muted { channel: channel.clone(), user: user.clone(), term };
                cx.publish(&state, Event::Muted { channel, user, by, term, reason });
                Ok(done)
            }
            ModActionKind::Unmute(subject) => {
                let (user, by) = (subject.name(), by_name.clone());
                let changed = end(&mut state, ended);
                let channel = channel.name.clone();
                let done =
                    OkReply::Unmuted { channel: channel.clone(), user: user.clone(), changed };
                if changed {
                    cx.publish(&state, Event::Unmuted { channel, user, by });
                }
                Ok(done)
            }
            ModActionKind::Invite(subject) => self.invite(&mut state, &cx, &subject, list_entry),
            ModActionKind::Op(subject) => {
                let of_account = subject.account;
                let done = grant_operator(&mut state, &cx, &subject);
                self.index_account(of_account, channel);
                Ok(done)
            }
            ModActionKind::Deop(subject) => Ok(self.revoke_operator(&mut state, &cx, &subject)),
            ModActionKind::Set(setting) => Ok(self.set(&mut state, &cx, &setting)),
            ModActionKind::Purge(subject, _) => {
                let (channel, user) = (channel.name.clone(), subject.name());
                let by = by_name.clone();
                let event = Event::Purged { channel: channel.clone(), user: user.clone(), by };
                state.publish(event, cx.by.by());
                Ok(OkReply::Purged { channel, user, count: hides })
            }
            // Handled above.
            ModActionKind::Drop => Err(Refusal::internal()),
        };
        // Everything else takes effect with the reindex.
        self.reindex(channel, &mut state);
        // Before any later event of the channel, so that the reply is in order.
        by.push(Notification::Reply(answer));
    }

    /// Drops a channel. A client that is notified finds it gone.
    fn drop_channel(self: &Arc<Self>, cx: &ModActionContext<'_>) {
        let mut channels = self.channels.write();
        let mut state = cx.channel.state();
        let name = &cx.channel.name;
        let members: Vec<Arc<Client>> =
            state.members.values().map(|member| Arc::clone(&member.client)).collect();
        for client in members {
            let own = client.id == cx.by.id;
            let kick = cx.kick(if own { KickCause::OwnDrop } else { KickCause::Drop });
            eject(&mut state, &client, kick, cx.now, cx.by);
        }
        self.remove_channel(&mut channels, cx.channel, &mut state);
        // The session adds its current conversation to the reply.
        let done = OkReply::Dropped { channel: name.clone(), current: None };
        cx.by.push(Notification::Reply(Ok(done)));
    }

    /// After a rename or a sign-in: ejects the client from channels in which its new identity is
    /// banned.
    pub(crate) fn eject_where_banned<'a>(
        self: &Arc<Self>,
        client: &Arc<Client>,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) {
        if lock(&self.index).has_no_entries() {
            return;
        }
        let who = client.who();
        for channel in channels {
            let mut state = channel.state();
            let ban = state
                .moderation
                .find(ListKind::Bans, &who, now)
                .map(|list_entry| list_entry.shown.clone());
            let Some(Restriction { by, term, reason, .. }) =
                ban.filter(|_| !state.is_operator(client))
            else {
                continue;
            };
            let kick = Kick {
                channel: channel.name.clone(),
                cause: KickCause::Ban(term),
                by,
                reason,
                entry: 0,
                last_line: MessageId::default(),
            };
            self.eject_account(&mut state, client, kick, now, client);
            self.ensure_operator(channel, &mut state);
        }
    }

    /// Ejects a client, and records that its account left: it may have joined while the action was
    /// being stored.
    fn eject_account(
        self: &Arc<Self>,
        state: &mut ChannelState,
        client: &Client,
        kick: Kick,
        now: Timestamp,
        by: &Client,
    ) {
        let channel = kick.channel.clone();
        eject(state, client, kick, now, by);
        if let Some(account) = client.signed_in() {
            self.record(StateChange::MemberRemoved(account.user_id, channel));
        }
    }

    /// Updates the index with the channel's changes of bans and mutes.
    pub(super) fn reindex(&self, channel: &Arc<Channel>, state: &mut ChannelState) {
        let (changed, count) = (state.moderation.take_changed(), state.moderation.count());
        if changed.is_empty() && count == state.counted {
            return;
        }
        let mut index = lock(&self.index);
        index.count(channel, std::mem::replace(&mut state.counted, count), count);
        for (key, is_added) in changed {
            index.change(channel, key, is_added);
        }
    }

    /// Indexes an account that operates a channel or set its topic.
    pub(super) fn index_account(&self, account: Option<UserId>, channel: &Arc<Channel>) {
        if let Some(account) = account {
            lock(&self.index).concerns(account, channel);
        }
    }

    /// Removes a channel from every list.
    pub(super) fn remove_channel(
        self: &Arc<Self>,
        channels: &mut ChannelTable,
        channel: &Arc<Channel>,
        state: &mut ChannelState,
    ) {
        state.dropped = true;
        if let Some((name, last)) = channels.remove(&channel.name, state.last_line) {
            self.record(StateChange::ChannelForgotten(name, last));
        }
        lock(&self.accounts).forget_channel(&channel.name);
        state.moderation.clear();
        if channel.show_or_hide(state) {
            self.hidden.fetch_sub(1, Ordering::Relaxed);
        }
        self.reindex(channel, state);
        let mut index = lock(&self.index);
        for account in state.operators.all().0.into_iter().chain(state.topic_by) {
            index.concerns_no_more(account, channel);
        }
    }

    fn set(
        &self,
        state: &mut ChannelState,
        cx: &ModActionContext<'_>,
        setting: &ChannelSetting,
    ) -> OkReply {
        let (channel, name) = (cx.channel.name.clone(), setting.name());
        state.moderation.settings.set(setting);
        if cx.channel.show_or_hide(state) {
            if state.moderation.settings.hidden {
                self.hidden.fetch_add(1, Ordering::Relaxed);
            } else {
                self.hidden.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let settings = &state.moderation.settings;
        let value = |to_operator| Sentence::new(settings.shown(name, to_operator));
        let by = cx.by_name.clone();
        let event = Event::Set { channel: channel.clone(), name, value: value(false), by };
        state.publish(event, cx.by.by());
        OkReply::Set { channel, name, value: value(true) }
    }

    fn kick(
        self: &Arc<Self>,
        state: &mut ChannelState,
        cx: &ModActionContext<'_>,
        subject: &ActionTarget,
    ) -> OkReply {
        let (channel, user) = (cx.channel.name.clone(), subject.name());
        for device in &cx.devices {
            let kick = cx.kick(KickCause::Kick);
            self.eject_account(state, device, kick, cx.now, cx.by);
        }
        if !cx.devices.is_empty() {
            self.ensure_operator(cx.channel, state);
        }
        OkReply::Kicked { channel, user }
    }

    /// Bans, and ejects the members that the ban matches.
    fn ban(
        self: &Arc<Self>,
        state: &mut ChannelState,
        cx: &ModActionContext<'_>,
        against: &BanSubject,
        term: Term,
        list_entry: Option<(ListKind, ListEntry)>,
    ) -> OkReply {
        let channel = cx.channel.name.clone();
        let Some((list, list_entry)) = list_entry else {
            return OkReply::Banned { channel, target: against.target(), term };
        };
        if let BanSubject::User(subject) = against
            && state.is_operated_by(subject)
            && !state.is_owned_by(subject)
        {
            // The policy refuses a ban of an operator: the right was inherited since, while the ban
            // was being stored.
            self.remove_operator(state, cx.channel, subject);
            if let Some(account) = subject.account {
                self.record_moderation(&channel, ModerationChange::RemoveOperator(account));
            }
        }
        // Users whom an earlier ban matches are out already. Without an operator, the member of
        // longest standing is no exception.
        let members = state.members.values().map(|member| &member.client);
        let is_hit = |client: &&Arc<Client>| {
            list_entry.hits_person(&client.who()) && !state.operators.has(client)
        };
        let hit: Vec<Arc<Client>> = members.filter(is_hit).map(Arc::clone).collect();
        state.moderation.add(list, list_entry);
        for client in hit {
            let kick = cx.kick(KickCause::Ban(term));
            self.eject_account(state, &client, kick, cx.now, cx.by);
        }
        self.ensure_operator(cx.channel, state);
        OkReply::Banned { channel, target: against.target(), term }
    }

    fn invite(
        self: &Arc<Self>,
        state: &mut ChannelState,
        cx: &ModActionContext<'_>,
        subject: &ActionTarget,
        list_entry: Option<(ListKind, ListEntry)>,
    ) -> Result<OkReply, Refusal> {
        let (channel, user) = (cx.channel.name.clone(), subject.name());
        if let Some((list, list_entry)) = list_entry {
            for key in state.moderation.add(list, list_entry) {
                self.record_moderation(&channel, ModerationChange::Remove(list, key));
            }
        }
        let by = cx.by_name.clone();
        let mut told = cx.devices.is_empty();
        for device in &cx.devices {
            let (channel, user) = (channel.clone(), by.clone());
            told |= device.try_push(Notification::Invited { channel, user, by: cx.by.user_id() });
        }
        if told { Ok(OkReply::Invited { channel, user }) } else { Err(Refusal::user_busy(&user)) }
    }

    fn revoke_operator(
        self: &Arc<Self>,
        state: &mut ChannelState,
        cx: &ModActionContext<'_>,
        subject: &ActionTarget,
    ) -> OkReply {
        let (channel, user) = (cx.channel.name.clone(), subject.name());
        let changed = state.is_operated_by(subject);
        self.remove_operator(state, cx.channel, subject);
        if changed {
            let by = cx.by_name.clone();
            let event =
                Event::Operator { channel: channel.clone(), user: user.clone(), by, is_one: false };
            state.publish(event, cx.by.by());
        }
        self.ensure_operator(cx.channel, state);
        OkReply::Operator { channel, user, is_one: false, changed }
    }

    /// Removes the right of a target in memory.
    fn remove_operator(
        &self,
        state: &mut ChannelState,
        channel: &Arc<Channel>,
        subject: &ActionTarget,
    ) {
        state.operators.remove(subject.client.as_deref(), subject.account);
        if let Some(account) = subject.account.filter(|account| state.topic_by != Some(*account)) {
            lock(&self.index).concerns_no_more(account, channel);
        }
    }
}

impl ModActionContext<'_> {
    fn kick(&self, cause: KickCause) -> Kick {
        Kick {
            channel: self.channel.name.clone(),
            cause,
            by: self.by_name.clone(),
            reason: self.reason.clone(),
            entry: 0,
            last_line: MessageId::default(),
        }
    }

    /// Publishes an event if the target is a member.
    fn publish(&self, state: &ChannelState, event: Event) {
        if self.devices.iter().any(|device| state.members.contains_key(&device.id)) {
            state.publish(event, self.by.by());
        }
    }
}

/// The log has no reasons; the channel's moderation log has.
fn log(by: &UserName, channel: &Channel, action: &ModAction) {
    let name = &channel.name;
    match &action.kind {
        ModActionKind::Kick(subject) => {
            tracing::info!(channel = %name, user = %subject.name(), %by, "kicked");
        }
        ModActionKind::Ban(against, _) => {
            tracing::info!(channel = %name, whom = %against.target(), %by, "banned");
        }
        ModActionKind::Drop => {
            let lines = channel.state().line_count();
            tracing::info!(channel = %name, lines, %by, "channel dropped");
        }
        _ => {}
    }
}

/// Removes list entries; returns whether there was any.
fn end(state: &mut ChannelState, ended: Option<(ListKind, Vec<String>)>) -> bool {
    let Some((list, keys)) = ended else { return false };
    state.moderation.remove(list, &keys);
    !keys.is_empty()
}

fn grant_operator(
    state: &mut ChannelState,
    cx: &ModActionContext<'_>,
    subject: &ActionTarget,
) -> OkReply {
    let (channel, user) = (cx.channel.name.clone(), subject.name());
    let mut changed = false;
    if let Some(client) = &subject.client {
        changed = !state.is_owned_by(subject);
        // That of an account is stored with the action.
        state.grant_operator(client, &channel, OperatorRight::Full);
    } else if let Some(account) = subject.account {
        changed = state.operators.add_account(account, OperatorRight::Full);
    }
    if changed {
        let by = cx.by_name.clone();
        let event =
            Event::Operator { channel: channel.clone(), user: user.clone(), by, is_one: true };
        state.publish(event, cx.by.by());
    }
    OkReply::Operator { channel, user, is_one: true, changed }
}

impl Proposal {
    /// Whether it is a purge.
    pub(crate) fn purges(&self) -> bool {
        matches!(&self.what, Payload::ModAction(action) if matches!(action.kind, ModActionKind::Purge(..)))
    }

    /// What to store of a moderation action; `None` for other payloads.
    pub(crate) fn kept(&self) -> Option<ModActionRecord> {
        match (&self.what, &self.to) {
            (Payload::ModAction(action), Ok(Recipient::Channel(channel))) => {
                let state = channel.state();
                let mut kept = state.record_of(action, &self.from, self.time);
                let is_by_server = state.authority(&self.author) == Authority::Server;
                drop(state);
                if is_by_server && kept.logged.is_some() {
                    let by = Some(self.from.clone()).filter(|_| !self.author.is_shell());
                    kept.recorded = Some(Box::new(action.recorded(by, &channel.name, self.time)));
                }
                Some(kept)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
