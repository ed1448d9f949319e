//! Applies messages and topics.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::command::OnceKey;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Event, MessageStamp, OkReply};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::channel::Channel;
use crate::hub::channel::moderation::FilterVerdict;
use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::client::private::SendPermit;
use crate::hub::fanout::delivery::{Delivery, SequencedEvent};
use crate::hub::proposal::{
    CommitOutcome, Payload, PolicyCheck, PrivateRecipient, Proposal, Recipient, StateChange,
};
use crate::hub::snapshot::Contact;
use crate::util::sync::lock;

/// A message before its recipients are known.
pub(crate) struct NewMessage {
    pub(crate) text: Text,
    /// `/me`.
    pub(crate) action: bool,
    pub(crate) time: Timestamp,
    /// The key of `/once`.
    pub(crate) once: Option<OnceKey>,
    /// The policy of a channel.
    pub(crate) may: PolicyCheck,
    /// Correlates the ack with the submission: a sequence number.
    pub(crate) correlation_id: u64,
    /// What the channel's filter found.
    pub(crate) verdict: Option<FilterVerdict>,
}

impl NewMessage {
    pub(crate) fn new(text: Text, action: bool, time: Timestamp, may: PolicyCheck) -> Self {
        Self { text, action, time, once: None, may, correlation_id: 0, verdict: None }
    }
}

impl Hub {
    /// Submits a message to a channel; a repeated one is recognised even if the channel is gone.
    /// The author gets the ack with the message, or as a notification; both carry the correlation
    /// id returned here.
    pub(crate) fn say(
        self: &Arc<Self>,
        author: &Arc<Client>,
        from: UserName,
        name: &ChannelName,
        channel: Result<Arc<Channel>, Refusal>,
        words: NewMessage,
    ) -> Result<u64, Refusal> {
        let name = channel.as_ref().map_or(name, |channel| &channel.name).clone();
        let to = channel.map(Recipient::Channel);
        self.submit_words(author, from, words, Conversation::Channel(name), to)
    }

    /// Submits a message to one user, named `to`; a repeated one is recognised even if the user is
    /// gone. The author gets the ack as a notification.
    pub(crate) fn say_privately(
        self: &Arc<Self>,
        author: &Arc<Client>,
        from: UserName,
        whom: Result<Contact, Refusal>,
        to: UserName,
        words: NewMessage,
    ) -> Result<u64, Refusal> {
        let place = Conversation::Private(to.clone());
        let recipient = whom.and_then(|whom| self.private_recipient(author, &whom, to, words.time));
        let recipient = recipient.map(|to| Recipient::Private(Box::new(to)));
        self.submit_words(author, from, words, place, recipient)
    }

    /// Reserves a slot in the queues of all recipient devices. A device that reads too slowly
    /// misses the message, unless it is the only one.
    fn private_recipient(
        self: &Arc<Self>,
        author: &Arc<Client>,
        whom: &Contact,
        to: UserName,
        now: Timestamp,
    ) -> Result<PrivateRecipient, Refusal> {
        let devices = match whom {
            Contact::Online(client) => self.devices(client),
            Contact::Offline(_) => Vec::new(),
        };
        let own = if author.account().is_some() { self.devices(author) } else { Vec::new() };
        let mut private = lock(&self.private);
        let mut permits = Vec::with_capacity(devices.len());
        let mut refused = None;
        for device in &devices {
            match private.permit(author, device, &to) {
                Ok(permit) => permits.push(permit),
                Err(refusal) => refused = Some((device, refusal)),
            }
        }
        if let Some((device, refusal)) = refused {
            if permits.is_empty() {
                return Err(refusal);
            }
            device.mark_missed_private();
        }
        let others = own.iter().filter(|device| device.id != author.id);
        let own = others.filter_map(|device| private.permit(author, device, &to).ok()).collect();
        drop(private);
        self.claim_hold(author, now);
        if let Contact::Online(client) = whom {
            self.claim_hold(client, now);
        }
        Ok(PrivateRecipient {
            user_id: whom.user_id(),
            to,
            permits,
            own,
            waits: whom.has_account(),
        })
    }

    /// Holds the name for this client until it leaves.
    fn claim_hold(self: &Arc<Self>, client: &Client, now: Timestamp) {
        if let Some(name) = client.claim_hold() {
            self.record(StateChange::NameHeld(name, client.user_id(), now));
        }
    }

    fn submit_words(
        self: &Arc<Self>,
        author: &Arc<Client>,
        from: UserName,
        words: NewMessage,
        place: Conversation,
        to: Result<Recipient, Refusal>,
    ) -> Result<u64, Refusal> {
        let NewMessage { text, action, time, once, may, correlation_id, mut verdict } = words;
        let to = match to {
            Err(refusal) if once.is_none() => return Err(refusal),
            to => to,
        };
        if let (Some(_), Ok(Recipient::Channel(channel))) = (&once, &to) {
            // No policy was checked before.
            drop(channel.state_for(author, text.as_str(), &mut verdict));
        }
        let what = Payload::Message { text, action };
        let (user_id, account) = (author.user_id(), author.account());
        let author = Arc::clone(author);
        self.submit(Proposal {
            author,
            from,
            user_id,
            account,
            what,
            time,
            to,
            place,
            once,
            correlation_id,
            may,
            verdict: verdict.map(Box::new),
        })?;
        Ok(correlation_id)
    }

    /// Submits a topic. The author gets the reply as a notification.
    pub(crate) fn set_topic(
        self: &Arc<Self>,
        by: &Arc<Client>,
        from: UserName,
        channel: &Arc<Channel>,
        topic: Text,
        time: Timestamp,
        may: PolicyCheck,
    ) -> Result<(), Refusal> {
        self.submit_to_channel(by, from, channel, Payload::Topic(topic), time, may)
    }

    /// Submits a payload that is ordered among the channel's messages.
    pub(super) fn submit_to_channel(
        self: &Arc<Self>,
        by: &Arc<Client>,
        from: UserName,
        channel: &Arc<Channel>,
        what: Payload,
        time: Timestamp,
        may: PolicyCheck,
    ) -> Result<(), Refusal> {
        let mut verdict = None;
        if let Payload::Topic(topic) = &what {
            drop(channel.state_for(by, topic.as_str(), &mut verdict));
        }
        self.submit(Proposal {
            author: Arc::clone(by),
            from,
            user_id: by.user_id(),
            account: by.account(),
            what,
            time,
            to: Ok(Recipient::Channel(Arc::clone(channel))),
            place: Conversation::Channel(channel.name.clone()),
            once: None,
            correlation_id: 0,
            may,
            verdict: verdict.map(Box::new),
        })
    }

    pub(super) fn submit(self: &Arc<Self>, proposal: Proposal) -> Result<(), Refusal> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            self.finish_proposal();
            return Err(Refusal::stopping());
        }
        self.commit_log.submit(proposal.into(), self);
        Ok(())
    }

    /// Applies a committed proposal; consecutive messages of a channel go to [`Hub::apply_run`].
    /// What is stored is published even if its author was ejected meanwhile.
    pub(crate) fn apply(self: &Arc<Self>, proposal: Proposal, settled: CommitOutcome) {
        let Proposal { author, from, account, what, time, to, place, correlation_id, .. } =
            proposal;
        // Without a recipient it was decided at submission.
        let decided = to.is_err().then_some(correlation_id);
        match (settled, to, what) {
            (
                CommitOutcome::MessageStored(stamp),
                Ok(Recipient::Private(recipient)),
                Payload::Message { text, action },
            ) => {
                self.lines.count(time);
                self.publish_private(
                    &author,
                    PlacedMessage { stamp, from, text, action },
                    *recipient,
                );
                author.push_sent(place, stamp);
            }
            (
                CommitOutcome::TopicStored,
                Ok(Recipient::Channel(channel)),
                Payload::Topic(topic),
            ) => {
                let mut state = channel.state();
                state.topic = Some(topic.clone());
                let before = std::mem::replace(&mut state.topic_by, account);
                if before != account && !state.dropped {
                    let before = before.filter(|one| !state.operators.has_account(*one));
                    if let Some(before) = before {
                        lock(&self.index).concerns_no_more(before, &channel);
                    }
                    self.index_account(account, &channel);
                }
                let channel = channel.name.clone();
                let told = Some(topic.clone());
                let event = Event::Topic { channel: channel.clone(), topic: told, by: from };
                state.publish(event, author.by());
                author.push(Notification::Reply(Ok(OkReply::TopicSet { channel, topic })));
            }
            (
                CommitOutcome::ModActionStored(hidden, recorded),
                Ok(Recipient::Channel(channel)),
                Payload::ModAction(act),
            ) => {
                if let Some(recorded) = recorded {
                    lock(&self.server_moderation).record(*recorded);
                }
                self.apply_mod_action(&author, &from, &channel, *act, time, hidden);
            }
            (CommitOutcome::Duplicate(to, stamp), ..) => {
                author.push_reply_at(decided, Ok(OkReply::Said { to, stamp }));
            }
            (CommitOutcome::Failed(refusal), to, what) => {
                if let (Ok(Recipient::Channel(channel)), Payload::Message { .. }) = (to, what) {
                    channel.state().moderation.forget_message(&author.who(), time);
                }
                author.push_reply_at(decided, Err(refusal));
            }
            (CommitOutcome::Refused(refusal), ..) | (_, Err(refusal), _) => {
                author.push_reply_at(decided, Err(refusal));
            }
            // The log mixed up messages and topics.
            _ => author.push(Notification::Reply(Err(Refusal::internal()))),
        }
        self.finish_proposal();
    }

    /// Publishes consecutive messages of a channel.
    pub(crate) fn apply_run<'a>(
        &self,
        channel: &Channel,
        run: impl IntoIterator<Item = (&'a Proposal, MessageStamp)>,
    ) {
        let mut state = channel.state();
        let mut lines = Vec::new();
        let mut answers = Vec::new();
        for (proposal, stamp) in run {
            let Proposal { author, from, what, correlation_id, .. } = proposal;
            let (id, correlation_id) = (stamp.id, *correlation_id);
            let Payload::Message { text, action } = what else {
                // The log mixed up messages and topics.
                author.push(Notification::Reply(Err(Refusal::internal())));
                self.finish_proposal();
                continue;
            };
            self.lines.count(proposal.time);
            if let Some(account) = author.signed_in() {
                // The log has stored the read marker with the message.
                account.mark_read(&channel.name, id);
            }
            let event = Event::Message {
                stamp,
                channel: channel.name.clone(),
                from: from.clone(),
                text: text.clone(),
                action: *action,
                past: false,
            };
            let line = state.line(event, author.by(), id, correlation_id);
            let to = proposal.place.clone();
            answers.push((author, line.number, correlation_id, to, stamp));
            lines.push(line);
        }
        state.publish_lines(lines);
        for (author, number, correlation_id, to, stamp) in answers {
            author.push_sent_at(number, correlation_id, to, stamp);
            self.finish_proposal();
        }
    }

    fn publish_private(&self, author: &Arc<Client>, line: PlacedMessage, to: PrivateRecipient) {
        let PlacedMessage { stamp, from, text, action } = line;
        let PrivateRecipient { to, mut permits, own, waits, .. } = to;
        if waits {
            self.add_newcomers(author, &to, &mut permits);
        }
        let deliver = |with: UserName, permits: Vec<SendPermit>| {
            let (from, to, text) = (from.clone(), to.clone(), text.clone());
            let event = Event::Private { stamp, with, from, to, text, action, past: false };
            let sequenced = SequencedEvent::new(event, author.by(), self.sequence.next(), stamp.id);
            let delivery = Arc::new(Delivery::from(sequenced));
            for permit in permits {
                permit.send(&delivery);
            }
        };
        deliver(from.clone(), permits);
        if !own.is_empty() {
            deliver(to.clone(), own);
        }
    }

    /// Adds devices that connected while the message was being stored.
    fn add_newcomers(&self, author: &Arc<Client>, to: &UserName, permits: &mut Vec<SendPermit>) {
        let devices: Vec<_> = lock(&self.directory).owners(to).cloned().collect();
        for device in devices {
            if permits.iter().any(|permit| permit.reader().id == device.id) {
                continue;
            }
            let permit = lock(&self.private).permit(author, &device, to);
            match permit {
                Ok(permit) => permits.push(permit),
                Err(_) => device.mark_missed_private(),
            }
        }
    }

    /// Messages up to this id are deleted.
    pub fn forget_lines(&self, name: &ChannelName, floor: MessageId) {
        if let Ok(channel) = self.channel(name) {
            channel.state().floor = floor;
        }
    }

    pub(super) fn finish_proposal(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.all_applied.notify_waiters();
        }
    }

    /// Refuses further proposals, and waits until the pending ones are applied.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        loop {
            let settled = self.all_applied.notified();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            settled.await;
        }
    }
}

impl Proposal {
    /// Checks the policy again at commit time, since rights may have changed.
    ///
    /// From now on slow mode counts the message as sent.
    pub(crate) fn check_policy(&self) -> Result<(), Refusal> {
        if self.author.kill_notice().is_some() {
            return Err(Refusal::connection_ended());
        }
        match &self.to {
            Ok(Recipient::Channel(channel)) => {
                let who = self.author.who();
                let mut verdict = self.verdict.as_deref().cloned();
                let (mut state, act) = match &self.what {
                    Payload::Message { text, .. } | Payload::Topic(text) => {
                        (channel.state_for(&self.author, text.as_str(), &mut verdict), None)
                    }
                    Payload::ModAction(act) => (channel.state(), Some(&**act)),
                };
                let mut access = state.access(&channel.name, &self.author, &who, self.time, act);
                access.verdict = verdict.as_ref();
                (self.may)(&access, &self.what)?;
                // A server operator need not be a member, and the name may belong to a later
                // channel.
                if state.dropped {
                    return Err(Refusal::no_such_channel(&channel.name, &[]));
                }
                let counts = !access.operator && matches!(self.what, Payload::Message { .. });
                if counts {
                    state.moderation.record_message(&who, self.time);
                }
                Ok(())
            }
            Ok(Recipient::Private(to)) => {
                let is_here = to.permits.iter().any(|permit| !permit.reader().has_left());
                if is_here || to.waits {
                    Ok(())
                } else {
                    Err(Refusal::gone_from_chat(&to.to, false))
                }
            }
            Err(refusal) => Err(refusal.clone()),
        }
    }

    /// Whether the message is kept in history.
    pub(crate) fn is_kept(&self) -> bool {
        match &self.to {
            Ok(Recipient::Channel(channel)) => !channel.state().moderation.settings.no_history,
            _ => true,
        }
    }
}

/// A committed message.
struct PlacedMessage {
    stamp: MessageStamp,
    from: UserName,
    text: Text,
    action: bool,
}
