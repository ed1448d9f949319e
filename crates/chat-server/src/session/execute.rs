//! Executes the effects of commands through the hub.

mod membership;
mod message;

use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, CloseReason, OkReply};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::setting::ChannelSetting;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::account::PendingEntry;
use super::{PendingReply, Re, Session};
use crate::client_state::JoinedConversation;
use crate::commands::{Effect, connection::help};
use crate::dialect::ClientDialect;
use crate::hub::admin::command::Issuer;
use crate::hub::apply::NewMessage;
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{AccessContext, ModAction, ModActionKind};
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::UserId;
use crate::hub::limits::Limits;
use crate::hub::proposal::AccountUpdate;
use crate::policy;

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
        self.reply(re, done, out);
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
}

pub(super) fn joined_channel(name: ChannelName) -> JoinedConversation {
    JoinedConversation { conversation: Conversation::Channel(name), with: None }
}
