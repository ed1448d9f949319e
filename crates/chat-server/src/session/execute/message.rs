//! Effects that reach other users: messages, private chats, invitations.

use std::sync::Arc;

use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, Sentence};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;

use super::Re;
use crate::client_state::JoinedConversation;
use crate::hub::apply::NewMessage;
use crate::hub::channel::mod_action::{ModAction, ModActionKind};
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::{Source, UserId};
use crate::hub::snapshot::Contact;
use crate::policy;
use crate::session::{PendingReply, Session};

impl Session {
    /// Opens a private chat and makes it current. The other user isn't notified of a chat that is
    /// open already.
    pub(super) fn open_private(
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

    /// An invitation reaches a user like a private message, so the same rule applies.
    pub(super) fn may_invite(&self, action: &ModAction, now: Timestamp) -> Result<(), Refusal> {
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
    fn await_recipient(&self, no_recipient: Option<&Refusal>) -> Result<(), Refusal> {
        match no_recipient {
            Some(refusal) if !self.pending.is_empty() => Err(refusal.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn say(
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
        let no_recipient;
        let correlation_id = match to.conversation {
            Conversation::Channel(name) => {
                let channel = match self.inbox.channel(&name) {
                    Some(channel) => Ok(Arc::clone(channel)),
                    None => Err(self.refusal_outside(&name, words.time)),
                };
                no_recipient = channel.as_ref().err().cloned();
                self.await_recipient(no_recipient.as_ref())?;
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
                no_recipient = whom.as_ref().err().cloned();
                self.await_recipient(no_recipient.as_ref())?;
                self.hub.say_privately(&self.client, from, whom, called, words)?
            }
        };
        if no_recipient.is_some() {
            self.cold.get_or_insert_default().no_recipient = Some(correlation_id);
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
