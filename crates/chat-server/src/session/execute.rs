//! Executes the effects of commands through the hub.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, CloseReason, OkReply, Sentence};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::setting::ChannelSetting;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::account::PendingEntry;
use super::{PendingReply, Session};
use crate::client_state::JoinedConversation;
use crate::commands::{Effect, connection::help};
use crate::dialect::ClientDialect;
use crate::hub::admin::command::Issuer;
use crate::hub::apply::{LeavePosition, Membership, NewMessage};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{AccessContext, ModAction, ModActionKind};
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::{Source, UserId};
use crate::hub::limits::Limits;
use crate::hub::proposal::AccountUpdate;
use crate::hub::snapshot::Contact;
use crate::policy;

type Re = Cow<'static, str>;

impl Session {
    /// Executes an effect and prints its `ok`. The reply to a proposal comes after its commit.
    pub(super) fn execute(
        &mut self,
        effect: Effect,
        re: Re,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        if effect.is_stored() {
            self.hub.may_store(&self.client)?;
        }
        let may = policy::channel::may;
        let done = match effect {
            Effect::Name(name) => self.take_name(name, now, out)?,
            Effect::Create(channel, topic) => {
                let (done, last, update) = self.create(&channel, topic, now, out)?;
                let set = &self.hub.bounds.new_channels;
                if !set.is_empty() {
                    let set: Vec<_> = set.iter().map(ChannelSetting::to_string).collect();
                    let set = set.join(", ");
                    self.notice(format!("{channel} begins with: {set}. /set changes it."), out);
                }
                match update {
                    Some(update) => {
                        let entry =
                            PendingEntry { done, channel, after: Some(last), last, kick: None };
                        return self.store_entry(re, entry, update, now);
                    }
                    None => done,
                }
            }
            Effect::Enter(channel, after) => return self.enter(&channel, after, re, now, out),
            Effect::Leave(conversation, reason) => {
                let (done, update) = self.leave(conversation, reason, now, out)?;
                match update {
                    Some(update) => return self.store_and_reply(update, done, re),
                    None => done,
                }
            }
            Effect::OpenPrivate(user, None) => {
                OkReply::PrivateOpened { with: self.open_private(&user, now)?.1, stamp: None }
            }
            Effect::OpenPrivate(user, Some(text)) => {
                let (user_id, name) = self.open_private(&user, now)?;
                let conversation = Conversation::Private(name.clone());
                let to = JoinedConversation { conversation, with: Some(user_id) };
                let words = NewMessage::new(text, false, now, may);
                return self.say(to, words, re, Some(name));
            }
            Effect::Say { to, text, action, once, verdict } => {
                let words = NewMessage { once, verdict, ..NewMessage::new(text, action, now, may) };
                return self.say(to, words, re, None);
            }
            Effect::Topic(channel, topic) => {
                self.hub.throttle(&self.client, ThrottledOp::Topic, now)?;
                self.hub.set_topic(&self.client, self.name()?, &channel, topic, now, may)?;
                self.pending.push_back(PendingReply::submitted(re));
                return Ok(());
            }
            Effect::ReadHistory { conversation, of, span } => {
                self.query_history(re, conversation, of, span);
                return Ok(());
            }
            Effect::Mentions { most, before } => {
                return self.query_mentions(re, most, before);
            }
            Effect::Search { search, only } => {
                self.query_search(re, search, only);
                return Ok(());
            }
            Effect::Away(away) => {
                let away = away.map(|away| self.publishable_away(away, now));
                let changed = self.client.away() != away;
                let done = OkReply::Away { away: away.clone(), changed };
                match self.client.account().filter(|_| changed) {
                    None => {
                        self.client.set_away(away);
                        done
                    }
                    Some(user_id) => {
                        let update = AccountUpdate::Away { user_id, away };
                        return self.store_and_reply(update, done, re);
                    }
                }
            }
            Effect::Ignore(user) => {
                let (user, whom) = self.resolve_user(user);
                let changed = self.state.ignore(user.clone(), whom);
                let done = OkReply::Ignoring { user: user.clone(), changed };
                match self.client.account().filter(|_| changed) {
                    None => done,
                    Some(user_id) => {
                        let update = AccountUpdate::Ignore { user_id, name: user, whom };
                        return self.store_and_reply(update, done, re);
                    }
                }
            }
            Effect::Unignore(user) => {
                let (user, whom) = self.resolve_user(user);
                let names = self.state.hidden_as(&user, whom);
                let changed = self.state.unignore(&user, whom);
                let done = OkReply::NotIgnoring { user, changed };
                match self.client.account().filter(|_| changed) {
                    None => done,
                    Some(user_id) => {
                        let update = AccountUpdate::Unignore { user_id, names, whom };
                        return self.store_and_reply(update, done, re);
                    }
                }
            }
            Effect::Moderate { channel, action } => {
                self.may_invite(&action, now)?;
                let costly = match action.kind {
                    ModActionKind::Invite(_) => ThrottledOp::Invite,
                    _ => ThrottledOp::Moderate,
                };
                self.hub.throttle(&self.client, costly, now)?;
                return match action {
                    ModAction { kind: ModActionKind::Purge(target, counted), reason } => {
                        self.purge(re, channel, (target, reason), counted, now);
                        Ok(())
                    }
                    action => self.moderate(re, &channel, action, now),
                };
            }
            Effect::ShowLog { channel, most } => {
                self.query_channel_log(re, channel, most);
                return Ok(());
            }
            Effect::Format(format) => {
                self.state.dialect = ClientDialect::chat(format);
                self.client.set_kind(self.state.dialect.client_kind());
                OkReply::Format { format }
            }
            Effect::Account(effect) => return self.start_auth(effect, re, now, out),
            Effect::Admin(request, reason) => {
                let issuer = Issuer::Client(Arc::clone(&self.client));
                self.hub.submit_admin_command(issuer, request, reason, now)?;
                self.pending.push_back(PendingReply::submitted(re));
                return Ok(());
            }
            Effect::Quit(reason) => {
                let reason = self.publishable_reason(reason, now);
                self.leaving.get_or_insert_default().reason = reason;
                self.end(CloseReason::Quit);
                OkReply::Told
            }
        };
        self.done(re, done, out);
        Ok(())
    }

    /// Proposes a moderation action. The reply comes after its commit.
    pub(super) fn moderate(
        &mut self,
        re: Re,
        channel: &Arc<Channel>,
        action: ModAction,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.hub.moderate(
            &self.client,
            self.name()?,
            channel,
            action,
            now,
            policy::channel::may,
        )?;
        self.pending.push_back(PendingReply::submitted(re));
        Ok(())
    }

    /// Proposes an account update and replies after its commit.
    fn store_and_reply(
        &mut self,
        update: AccountUpdate,
        done: OkReply,
        re: Re,
    ) -> Result<(), Refusal> {
        self.hub.submit_account_update(&self.client, update, Some(done))?;
        self.pending.push_back(PendingReply::submitted(re));
        Ok(())
    }

    pub(super) fn name(&self) -> Result<UserName, Refusal> {
        self.state.name.clone().ok_or_else(|| Refusal::not_named(None))
    }

    /// Resolves a name to the user's spelling of it and the user's id.
    fn resolve_user(&self, user: UserName) -> (UserName, Option<UserId>) {
        match self.hub.contact(&user) {
            Ok(whom) => (whom.name(&user), Some(whom.user_id())),
            Err(_) => (user, None),
        }
    }

    fn take_name(
        &mut self,
        name: UserName,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<OkReply, Refusal> {
        let Limits { accounts_required, registration, .. } = self.hub.bounds;
        if let Err(refusal) = policy::account::may_be_guest(&name, accounts_required, registration)
        {
            self.hub.is_free(&name, now)?;
            self.state.set_wanted_name(name);
            return Err(refusal);
        }
        self.may_be_renamed(&name, now)?;
        let before = self.hub.take_name(&self.client, &name, self.inbox.channels(), now)?;
        self.state.name = Some(name.clone());
        self.hub.eject_where_banned(&self.client, self.inbox.channels(), now);
        if before.is_some() {
            return Ok(OkReply::Named { name });
        }
        for line in help::main_page(&self.hub, &name) {
            self.notice(line, out);
        }
        Ok(OkReply::Welcomed { name })
    }

    fn create(
        &mut self,
        name: &ChannelName,
        topic: Option<Text>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(OkReply, MessageId, Option<AccountUpdate>), Refusal> {
        let slot = self.inbox.free_slot();
        let membership = self.hub.create(&self.client, name, topic.clone(), slot, now)?;
        if self.inbox.channel(name).is_some() {
            // A dropped channel of the same name, whose end isn't delivered yet.
            self.finish_ended_channel(name, out);
        }
        let last = membership.last_line;
        self.join(membership, slot);
        let update = self.account_entry(name, last, now);
        Ok((OkReply::Created { channel: name.clone(), topic, last }, last, update))
    }

    fn enter(
        &mut self,
        name: &ChannelName,
        after: Option<MessageId>,
        re: Re,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        if let Some(after) = after {
            let channel = self.hub.channel_for(&self.client, name, now)?;
            let name = self.name()?;
            let may = policy::channel::may_enter;
            channel.ask_to_show(&self.client, now, name.as_str(), &mut None, may)?;
            let last = channel.last_line();
            if after > last {
                let place = Conversation::Channel(channel.name.clone());
                return Err(Refusal::no_such_line(&place, after, last));
            }
        }
        if let Some(channel) = self.inbox.channel(name).cloned() {
            let role = channel.role(&self.client);
            if role.member {
                let (members, topic) = (channel.count(), channel.topic());
                let channel = channel.name.clone();
                self.state.make_current(joined_channel(channel.clone()));
                let operator = role.operator;
                let last = self.inbox.last_line(&channel).unwrap_or_default();
                let done =
                    OkReply::Current { channel: channel.clone(), members, topic, operator, last };
                // Messages after `last` are delivered live.
                let after = after.unwrap_or(last).min(last);
                self.replay_on_entry(re, done, channel, Some(after), last, out);
                return Ok(());
            }
            self.finish_ended_channel(name, out);
        }
        let slot = self.inbox.free_slot();
        let membership = self.hub.enter(
            &self.client,
            self.name()?,
            name,
            slot,
            now,
            policy::channel::may_enter,
        )?;
        let Membership { members, operator, last_line: last, floor, .. } = membership;
        let (channel, topic) = (membership.channel.name.clone(), membership.topic.clone());
        self.join(membership, slot);
        let done = OkReply::Entered { channel: channel.clone(), members, topic, operator, last };
        // An ephemeral channel has no history.
        let after = if floor >= last { Some(last) } else { after };
        if let Some(update) = self.account_entry(&channel, last, now) {
            return self.store_entry(
                re,
                PendingEntry { done, channel, after, last, kick: None },
                update,
                now,
            );
        }
        self.replay_on_entry(re, done, channel, after, last, out);
        Ok(())
    }

    /// The update that records the account's entry into a channel, with the read marker.
    fn account_entry(
        &self,
        channel: &ChannelName,
        read: MessageId,
        now: Timestamp,
    ) -> Option<AccountUpdate> {
        let account = self.client.signed_in()?;
        let now = self.hub.record_entry(&account, channel, read, now);
        self.hub.notify_other_devices(&account, &self.client, channel, None);
        let (user_id, channel) = (account.user_id, channel.clone());
        Some(AccountUpdate::Enter { user_id, channel, read, now })
    }

    /// Finishes a channel that this client was removed from. The event is queued already and is
    /// delivered before anything else.
    fn finish_ended_channel(&mut self, name: &ChannelName, out: &mut BytesMut) {
        self.deliver(out.len() + FULL_RING, out);
        if self.inbox.unsubscribe(name).is_some() {
            self.state.leave(&Conversation::Channel(name.clone()));
        }
    }

    pub(super) fn join(&mut self, membership: Membership, slot: u32) {
        self.state.make_current(joined_channel(membership.channel.name.clone()));
        self.inbox.subscribe(membership, slot);
    }

    fn leave(
        &mut self,
        conversation: Conversation,
        reason: Option<Text>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(OkReply, Option<AccountUpdate>), Refusal> {
        let mut update = None;
        if let Conversation::Channel(name) = &conversation {
            let channel = self.inbox.channel(name).cloned();
            let channel = channel.ok_or_else(|| Refusal::not_in_channel(name))?;
            let reason = reason.filter(|reason| self.may_say_in(&channel, reason, now));
            let told = reason.clone();
            let left = self.hub.leave(&self.client, self.name()?, &channel, told, now);
            let Some(LeavePosition { number, last_line }) = left else {
                self.finish_ended_channel(name, out);
                return Err(Refusal::not_in_channel(name));
            };
            self.unsubscribe(name, number, last_line, out);
            if let Some(account) = self.client.signed_in() {
                update = channel.left_by(&account);
                let name = &channel.name;
                self.hub.notify_other_devices(&account, &self.client, name, reason.as_ref());
            }
        }
        self.state.leave(&conversation);
        Ok((OkReply::Left { conversation, current: self.state.current().cloned() }, update))
    }

    /// Opens a private chat and makes it current. The other user isn't notified of a chat that is
    /// open already.
    fn open_private(
        &mut self,
        user: &UserName,
        now: Timestamp,
    ) -> Result<(UserId, UserName), Refusal> {
        let whom = self.hub.contact(user)?;
        let (name, user_id) = (whom.name(user), whom.user_id());
        let conversation = Conversation::Private(name.clone());
        let already =
            self.state.find_joined(&conversation).is_some_and(|at| at.with == Some(user_id));
        if !already {
            self.may_write_first(&whom, &name, now)?;
            if let Contact::Online(client) = &whom {
                self.hub.throttle(&self.client, ThrottledOp::OpenPrivate, now)?;
                self.hub.open_private(&self.client, &self.name()?, client, &name)?;
            }
        }
        self.state.make_current(JoinedConversation { conversation, with: Some(user_id) });
        Ok((user_id, name))
    }

    /// A user who knows another only from a channel in which they are banned or muted can't open a
    /// private chat.
    fn may_write_first(
        &self,
        whom: &Contact,
        name: &UserName,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let own = self.inbox.channels();
        let from = self.hub.restricted_acquaintance(&self.client, whom, own, now);
        policy::user::may_write_first(name, from)
    }

    /// Whether a text could be sent to a channel.
    fn may_say_in(&self, channel: &Channel, words: &Text, now: Timestamp) -> bool {
        let may = |access: &AccessContext<'_>| policy::channel::may_say(access, words).is_ok();
        channel.ask_to_show(&self.client, now, words.as_str(), &mut None, may)
    }

    /// The reason of a departure, if it could be sent to every channel that shows it.
    fn publishable_reason(&self, reason: Option<Text>, now: Timestamp) -> Option<Text> {
        let mut channels = self.inbox.channels();
        reason.filter(|reason| channels.all(|channel| self.may_say_in(channel, reason, now)))
    }

    /// The away state, without a reason that couldn't be shown in one of the client's channels.
    fn publishable_away(&self, away: Away, now: Timestamp) -> Away {
        let mut channels = self.inbox.channels();
        let reason = away.reason.filter(|reason| {
            let may =
                |access: &AccessContext<'_>| policy::channel::may_show(access, reason).is_ok();
            channels.all(|channel| {
                channel.ask_to_show(&self.client, now, reason.as_str(), &mut None, may)
            })
        });
        Away { reason }
    }

    /// Checks a new name against every channel of the client, since all of them show it.
    pub(super) fn may_be_renamed(&self, name: &UserName, now: Timestamp) -> Result<(), Refusal> {
        if self.state.name.as_ref().is_none_or(|own| own.as_str() == name.as_str()) {
            return Ok(());
        }
        let may = |access: &AccessContext<'_>| policy::channel::may_be_renamed(access, name);
        let mut channels = self.inbox.channels();
        channels.try_for_each(|channel| {
            channel.ask_to_show(&self.client, now, name.as_str(), &mut None, may)
        })
    }

    /// An invitation reaches a user like a private message, so the same rule applies.
    fn may_invite(&self, action: &ModAction, now: Timestamp) -> Result<(), Refusal> {
        let ModActionKind::Invite(target) = &action.kind else { return Ok(()) };
        match self.hub.contact(&target.user) {
            Ok(whom) => self.may_write_first(&whom, &target.name(), now),
            // The action itself refuses an unknown user.
            Err(_) => Ok(()),
        }
    }

    /// Why a message to a channel is refused that the client isn't in.
    fn refusal_outside(&self, name: &ChannelName, now: Timestamp) -> Refusal {
        let channel = self.hub.channel_for(&self.client, name, now);
        let may = channel
            .and_then(|channel| channel.ask(&self.client, now, policy::channel::may_take_part));
        may.err().unwrap_or_else(|| Refusal::not_in_channel(name))
    }

    /// A message without a recipient waits until no replies are due.
    fn no_addressee_waits(&self, no_addressee: Option<&Refusal>) -> Result<(), Refusal> {
        match no_addressee {
            Some(refusal) if !self.pending.is_empty() => Err(refusal.clone()),
            _ => Ok(()),
        }
    }

    fn say(
        &mut self,
        to: JoinedConversation,
        mut words: NewMessage,
        re: Re,
        opened: Option<UserName>,
    ) -> Result<(), Refusal> {
        let from = self.name()?;
        let bytes = u16::try_from(words.text.as_str().len()).unwrap_or(u16::MAX);
        self.hub.throttle_storage(&self.client, bytes, words.time)?;
        let mut notice = None;
        // Taken before the recipients are looked up.
        words.correlation_id = self.hub.now_number();
        let no_addressee;
        let correlation_id = match to.conversation {
            Conversation::Channel(name) => {
                let channel = match self.inbox.channel(&name) {
                    Some(channel) => Ok(Arc::clone(channel)),
                    None => Err(self.refusal_outside(&name, words.time)),
                };
                no_addressee = channel.as_ref().err().cloned();
                self.no_addressee_waits(no_addressee.as_ref())?;
                self.hub.say(&self.client, from, &name, channel, words)?
            }
            Conversation::Private(user) => {
                let whom = match to.with {
                    Some(with) => self.hub.contact_with(with, &user),
                    None => self.hub.contact(&user),
                };
                let mut called = user;
                if let Ok(whom) = &whom {
                    called = whom.name(&called);
                    let user_id = whom.user_id();
                    // The rename may not be delivered yet.
                    self.state
                        .renamed(Source { id: self.client.id, user_id, was: user_id }, &called);
                    notice = absence(whom, &called);
                }
                let whom = whom.and_then(|whom| {
                    self.may_write_first(&whom, &called, words.time)?;
                    Ok(whom)
                });
                no_addressee = whom.as_ref().err().cloned();
                self.no_addressee_waits(no_addressee.as_ref())?;
                self.hub.say_privately(&self.client, from, whom, called, words)?
            }
        };
        if no_addressee.is_some() {
            self.cold.get_or_insert_default().no_addressee = Some(correlation_id);
        }
        if self.pending.is_empty() {
            // Usually there is one.
            self.pending.reserve_exact(1);
        }
        self.pending_bytes += u32::from(bytes);
        self.pending.push_back(PendingReply::Submitted {
            re,
            correlation_id,
            bytes,
            opened,
            notice,
        });
        Ok(())
    }
}

/// The notice to an author whose recipient is away or offline.
fn absence(whom: &Contact, called: &UserName) -> Option<Sentence> {
    match whom {
        Contact::Online(client) => client.away().map(|Away { reason }| {
            let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            Sentence::new(format!("{called} is away{because}"))
        }),
        Contact::Offline(_) => Some(Sentence::not_here(called)),
    }
}

pub(super) fn joined_channel(name: ChannelName) -> JoinedConversation {
    JoinedConversation { conversation: Conversation::Channel(name), with: None }
}

/// More than the events in a ring and in one client's notifications.
const FULL_RING: usize = 16 * 1024 * 1024;
