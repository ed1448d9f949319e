//! What a handler wanted changed, carried out through the hub.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, CloseReason, OkReply, Sentence};
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::setting::ChannelSetting;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::account::Entry;
use super::{Session, Waiting};
use crate::client_state::Place;
use crate::commands::{Change, connection::help};
use crate::hub::admin::command::Issuer;
use crate::hub::apply::{LeavePosition, Membership, NewMessage};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{AccessContext, ModAction, ModActionKind};
use crate::hub::client::ClientKind;
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::{Source, UserId};
use crate::hub::limits::Limits;
use crate::hub::proposal::AccountUpdate;
use crate::hub::snapshot::Contact;
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
        if change.is_stored() {
            self.hub.may_store(&self.client)?;
        }
        let may = policy::channel::may;
        let done = match change {
            Change::Name(name) => self.take_name(name, now, out)?,
            Change::Create(channel, topic) => {
                let (done, last, deed) = self.create(&channel, topic, now, out)?;
                let set = &self.hub.bounds.new_channels;
                if !set.is_empty() {
                    let set: Vec<_> = set.iter().map(ChannelSetting::to_string).collect();
                    let set = set.join(", ");
                    self.notice(format!("{channel} begins with: {set}. /set changes it."), out);
                }
                match deed {
                    Some(deed) => {
                        let entry = Entry { done, channel, after: Some(last), last, kick: None };
                        return self.keep_entry(re, entry, deed, now);
                    }
                    None => done,
                }
            }
            Change::Enter(channel, after) => return self.enter(&channel, after, re, now, out),
            Change::Leave(conversation, reason) => {
                let (done, deed) = self.leave(conversation, reason, now, out)?;
                match deed {
                    Some(deed) => return self.keep_and_answer(deed, done, re),
                    None => done,
                }
            }
            Change::OpenPrivate(user, None) => {
                OkReply::PrivateOpened { with: self.open_private(&user, now)?.1, stamp: None }
            }
            Change::OpenPrivate(user, Some(text)) => {
                let (user_id, name) = self.open_private(&user, now)?;
                let conversation = Conversation::Private(name.clone());
                let to = Place { conversation, with: Some(user_id) };
                let words = NewMessage::new(text, false, now, may);
                return self.say(to, words, re, Some(name));
            }
            Change::Say { to, text, action, once, verdict } => {
                let words = NewMessage { once, verdict, ..NewMessage::new(text, action, now, may) };
                return self.say(to, words, re, None);
            }
            Change::Topic(channel, topic) => {
                self.hub.throttle(&self.client, ThrottledOp::Topic, now)?;
                self.hub.set_topic(&self.client, self.name()?, &channel, topic, now, may)?;
                self.waiting.push_back(Waiting::act(re));
                return Ok(());
            }
            Change::LookBack { conversation, of, span } => {
                self.look_back(re, conversation, of, span);
                return Ok(());
            }
            Change::Mentions { most, before } => {
                return self.look_for_mentions(re, most, before);
            }
            Change::LookFor { search, only } => {
                self.look_for(re, search, only);
                return Ok(());
            }
            Change::Away(away) => {
                let away = away.map(|away| self.showable(away, now));
                let changed = self.client.away() != away;
                let done = OkReply::Away { away: away.clone(), changed };
                match self.client.account().filter(|_| changed) {
                    None => {
                        self.client.set_away(away);
                        done
                    }
                    Some(user_id) => {
                        let deed = AccountUpdate::Away { user_id, away };
                        return self.keep_and_answer(deed, done, re);
                    }
                }
            }
            Change::Ignore(user) => {
                let (user, whom) = self.as_borne(user);
                let changed = self.me.ignore(user.clone(), whom);
                let done = OkReply::Ignoring { user: user.clone(), changed };
                match self.client.account().filter(|_| changed) {
                    None => done,
                    Some(user_id) => {
                        let deed = AccountUpdate::Ignore { user_id, name: user, whom };
                        return self.keep_and_answer(deed, done, re);
                    }
                }
            }
            Change::Unignore(user) => {
                let (user, whom) = self.as_borne(user);
                let names = self.me.hidden_as(&user, whom);
                let changed = self.me.unignore(&user, whom);
                let done = OkReply::NotIgnoring { user, changed };
                match self.client.account().filter(|_| changed) {
                    None => done,
                    Some(user_id) => {
                        let deed = AccountUpdate::Unignore { user_id, names, whom };
                        return self.keep_and_answer(deed, done, re);
                    }
                }
            }
            Change::Act { channel, act } => {
                self.may_tell_of(&act, now)?;
                let costly = match act.kind {
                    ModActionKind::Invite(_) => ThrottledOp::Invite,
                    _ => ThrottledOp::Moderate,
                };
                self.hub.throttle(&self.client, costly, now)?;
                return match act {
                    ModAction { kind: ModActionKind::Purge(aim, counted), reason } => {
                        self.purge(re, channel, (aim, reason), counted, now);
                        Ok(())
                    }
                    act => self.act(re, &channel, act, now),
                };
            }
            Change::TellActs { channel, most } => {
                self.tell_acts(re, channel, most);
                return Ok(());
            }
            Change::Format(format) => {
                self.me.format = format;
                self.client.set_kind(match format {
                    Format::Text => ClientKind::Text,
                    Format::Json => ClientKind::Json,
                });
                OkReply::Format { format }
            }
            Change::Account(change) => return self.deal(change, re, now, out),
            Change::Decree(wish, reason) => {
                let asker = Issuer::Client(Arc::clone(&self.client));
                self.hub.submit_admin_command(asker, wish, reason, now)?;
                self.waiting.push_back(Waiting::act(re));
                return Ok(());
            }
            Change::Quit(reason) => {
                let reason = self.tellable(reason, now);
                self.leaving.get_or_insert_default().reason = reason;
                self.end(CloseReason::Quit);
                OkReply::Told
            }
        };
        self.done(re, done, out);
        Ok(())
    }

    /// An act whose answer comes when it is stored.
    pub(super) fn act(
        &mut self,
        re: Re,
        channel: &Arc<Channel>,
        act: ModAction,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.hub.moderate(&self.client, self.name()?, channel, act, now, policy::channel::may)?;
        self.waiting.push_back(Waiting::act(re));
        Ok(())
    }

    /// What is told once it is kept.
    fn keep_and_answer(
        &mut self,
        deed: AccountUpdate,
        done: OkReply,
        re: Re,
    ) -> Result<(), Refusal> {
        self.hub.submit_account_update(&self.client, deed, Some(done))?;
        self.waiting.push_back(Waiting::act(re));
        Ok(())
    }

    pub(super) fn name(&self) -> Result<UserName, Refusal> {
        self.me.name.clone().ok_or_else(|| Refusal::not_named(None))
    }

    /// A name as whoever has it writes it, and who that is.
    fn as_borne(&self, user: UserName) -> (UserName, Option<UserId>) {
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
            self.me.wants_name(name);
            return Err(refusal);
        }
        self.may_be_renamed(&name, now)?;
        let before = self.hub.take_name(&self.client, &name, self.inbox.channels(), now)?;
        self.me.name = Some(name.clone());
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
            // One of this name that was dropped just now.
            self.see_that_it_ended(name, out);
        }
        let last = membership.last_line;
        self.arrive_in(membership, slot);
        let deed = self.membership(name, last, now);
        Ok((OkReply::Created { channel: name.clone(), topic, last }, last, deed))
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
                self.me.go_to(channel_place(channel.clone()));
                let operator = role.operator;
                let last = self.inbox.last_line(&channel).unwrap_or_default();
                let done =
                    OkReply::Current { channel: channel.clone(), members, topic, operator, last };
                // What they have not heard yet comes by itself.
                let after = after.unwrap_or(last).min(last);
                self.look_back_on_entry(re, done, channel, Some(after), last, out);
                return Ok(());
            }
            self.see_that_it_ended(name, out);
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
        self.arrive_in(membership, slot);
        let done = OkReply::Entered { channel: channel.clone(), members, topic, operator, last };
        // Where nothing is kept, there is nothing to look back at.
        let after = if floor >= last { Some(last) } else { after };
        if let Some(deed) = self.membership(&channel, last, now) {
            return self.keep_entry(
                re,
                Entry { done, channel, after, last, kick: None },
                deed,
                now,
            );
        }
        self.look_back_on_entry(re, done, channel, after, last, out);
        Ok(())
    }

    /// The account is in the channel from now on, and has seen what is shown of it: to be kept.
    fn membership(
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

    /// Others have put this person out of a channel just now: what tells it is there already and comes
    /// before anything else.
    fn see_that_it_ended(&mut self, name: &ChannelName, out: &mut BytesMut) {
        self.deliver(out.len() + FULL_RING, out);
        if self.inbox.unsubscribe(name).is_some() {
            self.me.leave(&Conversation::Channel(name.clone()));
        }
    }

    pub(super) fn arrive_in(&mut self, membership: Membership, slot: u32) {
        self.me.go_to(channel_place(membership.channel.name.clone()));
        self.inbox.subscribe(membership, slot);
    }

    fn leave(
        &mut self,
        conversation: Conversation,
        reason: Option<Text>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(OkReply, Option<AccountUpdate>), Refusal> {
        let mut deed = None;
        if let Conversation::Channel(name) = &conversation {
            let channel = self.inbox.channel(name).cloned();
            let channel = channel.ok_or_else(|| Refusal::not_in_channel(name))?;
            let reason = reason.filter(|reason| self.may_say_in(&channel, reason, now));
            let told = reason.clone();
            let left = self.hub.leave(&self.client, self.name()?, &channel, told, now);
            let Some(LeavePosition { number, last_line }) = left else {
                self.see_that_it_ended(name, out);
                return Err(Refusal::not_in_channel(name));
            };
            self.finish(name, number, last_line, out);
            if let Some(account) = self.client.signed_in() {
                deed = channel.left_by(&account);
                let name = &channel.name;
                self.hub.notify_other_devices(&account, &self.client, name, reason.as_ref());
            }
        }
        self.me.leave(&conversation);
        Ok((OkReply::Left { conversation, current: self.me.current().cloned() }, deed))
    }

    /// Opens a private chat and makes it current. Somebody with whom one is open already isn't told
    /// again.
    fn open_private(
        &mut self,
        user: &UserName,
        now: Timestamp,
    ) -> Result<(UserId, UserName), Refusal> {
        let whom = self.hub.contact(user)?;
        let (name, user_id) = (whom.name(user), whom.user_id());
        let conversation = Conversation::Private(name.clone());
        let already = self.me.place(&conversation).is_some_and(|at| at.with == Some(user_id));
        if !already {
            self.may_write_first(&whom, &name, now)?;
            if let Contact::Online(client) = &whom {
                self.hub.throttle(&self.client, ThrottledOp::OpenPrivate, now)?;
                self.hub.open_private(&self.client, &self.name()?, client, &name)?;
            }
        }
        self.me.go_to(Place { conversation, with: Some(user_id) });
        Ok((user_id, name))
    }

    /// Who knows somebody only from a channel that they are banned from or muted in, is not to follow them.
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

    /// Whether words could be said in a channel.
    fn may_say_in(&self, channel: &Channel, words: &Text, now: Timestamp) -> bool {
        let may = |standing: &AccessContext<'_>| policy::channel::may_say(standing, words).is_ok();
        channel.ask_to_show(&self.client, now, words.as_str(), &mut None, may)
    }

    /// What somebody who leaves the system gives as their reason, unless it couldn't be said where it is told.
    fn tellable(&self, reason: Option<Text>, now: Timestamp) -> Option<Text> {
        let mut channels = self.inbox.channels();
        reason.filter(|reason| channels.all(|channel| self.may_say_in(channel, reason, now)))
    }

    /// Away without the reason, if that couldn't be shown in a channel that they are in.
    fn showable(&self, away: Away, now: Timestamp) -> Away {
        let mut channels = self.inbox.channels();
        let reason = away.reason.filter(|reason| {
            let may =
                |standing: &AccessContext<'_>| policy::channel::may_show(standing, reason).is_ok();
            channels.all(|channel| {
                channel.ask_to_show(&self.client, now, reason.as_str(), &mut None, may)
            })
        });
        Away { reason }
    }

    /// A new name is shown in every channel that they are in, which each must take.
    pub(super) fn may_be_renamed(&self, name: &UserName, now: Timestamp) -> Result<(), Refusal> {
        if self.me.name.as_ref().is_none_or(|own| own.as_str() == name.as_str()) {
            return Ok(());
        }
        let may = |standing: &AccessContext<'_>| policy::channel::may_be_renamed(standing, name);
        let mut channels = self.inbox.channels();
        channels.try_for_each(|channel| {
            channel.ask_to_show(&self.client, now, name.as_str(), &mut None, may)
        })
    }

    /// An invitation reaches a person as a private line does, so the same rule holds for it.
    fn may_tell_of(&self, act: &ModAction, now: Timestamp) -> Result<(), Refusal> {
        let ModActionKind::Invite(aim) = &act.kind else { return Ok(()) };
        match self.hub.contact(&aim.user) {
            Ok(whom) => self.may_write_first(&whom, &aim.name(), now),
            // What is wrong with it the act tells.
            Err(_) => Ok(()),
        }
    }

    /// Why nothing can be said into a channel that they are not in.
    fn refusal_outside(&self, name: &ChannelName, now: Timestamp) -> Refusal {
        let channel = self.hub.channel_for(&self.client, name, now);
        let may = channel
            .and_then(|channel| channel.ask(&self.client, now, policy::channel::may_take_part));
        may.err().unwrap_or_else(|| Refusal::not_in_channel(name))
    }

    /// What has no addressee isn't under way together with lines before it.
    fn in_turn(&self, no_addressee: Option<&Refusal>) -> Result<(), Refusal> {
        match no_addressee {
            Some(refusal) if !self.waiting.is_empty() => Err(refusal.clone()),
            _ => Ok(()),
        }
    }

    fn say(
        &mut self,
        to: Place,
        mut words: NewMessage,
        re: Re,
        opened: Option<UserName>,
    ) -> Result<(), Refusal> {
        let from = self.name()?;
        let bytes = u16::try_from(words.text.as_str().len()).unwrap_or(u16::MAX);
        self.hub.throttle_storage(&self.client, bytes, words.time)?;
        let mut notice = None;
        // Before it is looked who is to hear it.
        words.correlation_id = self.hub.now_number();
        let no_addressee;
        let correlation_id = match to.conversation {
            Conversation::Channel(name) => {
                let channel = match self.inbox.channel(&name) {
                    Some(channel) => Ok(Arc::clone(channel)),
                    None => Err(self.refusal_outside(&name, words.time)),
                };
                no_addressee = channel.as_ref().err().cloned();
                self.in_turn(no_addressee.as_ref())?;
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
                    // Their new name may not have been told yet.
                    self.me.renamed(Source { id: self.client.id, user_id, was: user_id }, &called);
                    notice = absence(whom, &called);
                }
                let whom = whom.and_then(|whom| {
                    self.may_write_first(&whom, &called, words.time)?;
                    Ok(whom)
                });
                no_addressee = whom.as_ref().err().cloned();
                self.in_turn(no_addressee.as_ref())?;
                self.hub.say_privately(&self.client, from, whom, called, words)?
            }
        };
        if no_addressee.is_some() {
            self.aside.get_or_insert_default().no_addressee = Some(correlation_id);
        }
        if self.waiting.is_empty() {
            // Mostly it is the only one.
            self.waiting.reserve_exact(1);
        }
        self.waiting_bytes += u32::from(bytes);
        self.waiting.push_back(Waiting::Draft { re, correlation_id, bytes, opened, notice });
        Ok(())
    }
}

/// What somebody is told who writes to somebody that may not read it soon.
fn absence(whom: &Contact, called: &UserName) -> Option<Sentence> {
    match whom {
        Contact::Online(client) => client.away().map(|Away { reason }| {
            let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            Sentence::new(format!("{called} is away{because}"))
        }),
        Contact::Offline(_) => Some(Sentence::not_here(called)),
    }
}

pub(super) fn channel_place(name: ChannelName) -> Place {
    Place { conversation: Conversation::Channel(name), with: None }
}

/// More than a ring and the notes of one person hold.
const FULL_RING: usize = 16 * 1024 * 1024;
