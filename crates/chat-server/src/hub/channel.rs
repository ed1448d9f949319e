//! One channel: members, topic, and the ring through which its events are published.

pub(in crate::hub) mod index;
pub(crate) mod mod_action;
pub(crate) mod moderation;
pub(crate) mod operators;
pub(in crate::hub) mod presence;
pub(in crate::hub) mod table;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_proto::event::{Event, ModLogEntry, Sentence};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;
use indexmap::IndexMap;
use tokio::sync::broadcast;

use crate::hub::channel::mod_action::BanSubject;
use crate::hub::channel::mod_action::ModActionRecord;
use crate::hub::channel::mod_action::ModerationChange;
use crate::hub::channel::mod_action::{
    AccessContext, ActionTarget, Authority, ModAction, ModActionKind, TargetFacts,
};
use crate::hub::channel::moderation::ListEntry;
use crate::hub::channel::moderation::{FilterVerdict, ListKind, MAX_OPERATORS, Moderation};
use crate::hub::channel::operators::{OperatorRight, Operators};
use crate::hub::client::Client;
use crate::hub::client::account::Account;
use crate::hub::client::notification::Notification;
use crate::hub::client::throttle::QuotaOwner;
use crate::hub::fanout::delivery::{ALL_SLOTS, Delivery, SequencedEvent};
use crate::hub::fanout::sequence::Sequence;
use crate::hub::id::UserDetails;
use crate::hub::id::{ClientId, Source, UserId};
use crate::util::sync::lock;
use crate::util::sync::{MutexGuard, Rank, RankedMutex};

/// Deliveries held for the slowest reader. A reader that lags further receives the number of
/// messages that it missed, and continues with the oldest delivery.
pub(crate) const RING: usize = 256;
const _: () = assert!(RING <= ALL_SLOTS);

/// The events of a channel. `None` fills a further slot of a large delivery.
pub(crate) type Ring = broadcast::Sender<Option<Arc<Delivery>>>;

/// One reader's end of the ring.
pub(crate) type RingReader = broadcast::Receiver<Option<Arc<Delivery>>>;

/// A channel. It stays for some time while it is empty.
pub(crate) struct Channel {
    /// As its maker typed it.
    pub(crate) name: ChannelName,
    /// The setting, written with the state locked and read without, when many channels are visited.
    hidden: AtomicBool,
    /// The owner of its quota.
    pub(super) maker: Option<QuotaOwner>,
    state: RankedMutex<{ Rank::Channel as u8 }, ChannelState>,
}

/// A client's role in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) member: bool,
    pub(crate) operator: bool,
}

/// The stored moderation of a channel.
#[derive(Default)]
pub(crate) struct StoredModeration {
    pub(crate) moderation: Moderation,
    /// Operators with an account.
    pub(crate) operators: Vec<(UserId, OperatorRight)>,
}

impl Channel {
    /// An empty channel whose last id is this one.
    pub(crate) fn new(
        name: ChannelName,
        topic: Option<Text>,
        last_line: MessageId,
        sequence: Arc<Sequence>,
    ) -> Self {
        let state = ChannelState {
            topic,
            sequence,
            last_line,
            before: last_line,
            ..ChannelState::default()
        };
        Self { name, hidden: AtomicBool::new(false), maker: None, state: RankedMutex::new(state) }
    }

    /// Restores the stored moderation.
    pub(super) fn restore(&mut self, running: StoredModeration) {
        let StoredModeration { moderation, operators } = running;
        self.hidden = AtomicBool::new(moderation.settings.hidden);
        self.maker = operators.first().map(|(account, _)| QuotaOwner::Account(account.0));
        let state = self.state.get_mut();
        (state.moderation, state.operators) = (moderation, Operators::kept(operators));
    }

    /// Whether outsiders can't see it.
    pub(super) fn is_hidden(&self) -> bool {
        self.hidden.load(Ordering::Acquire)
    }

    /// Updates [`Channel::is_hidden`] from the setting; returns whether it changed.
    pub(super) fn show_or_hide(&self, state: &ChannelState) -> bool {
        let hidden = state.moderation.settings.hidden;
        self.hidden.swap(hidden, Ordering::AcqRel) != hidden
    }

    /// Evaluates a policy for a client.
    pub(crate) fn ask<T>(
        &self,
        client: &Client,
        now: Timestamp,
        question: impl FnOnce(&AccessContext<'_>) -> T,
    ) -> T {
        let state = self.state();
        question(&state.access(&self.name, client, &client.who(), now, None))
    }

    /// Evaluates a policy for a text to be shown here. The filter runs first, without the lock,
    /// unless `verdict` has its result.
    pub(crate) fn ask_to_show<T>(
        &self,
        client: &Client,
        now: Timestamp,
        text: &str,
        verdict: &mut Option<FilterVerdict>,
        question: impl FnOnce(&AccessContext<'_>) -> T,
    ) -> T {
        let state = self.state_for(client, text, verdict);
        let who = client.who();
        let mut access = state.access(&self.name, client, &who, now, None);
        access.verdict = verdict.as_ref();
        question(&access)
    }

    /// The state, with the filter's result for a text if its author isn't exempt.
    pub(super) fn state_for(
        &self,
        client: &Client,
        text: &str,
        verdict: &mut Option<FilterVerdict>,
    ) -> MutexGuard<'_, ChannelState> {
        let state = self.state();
        let Some(filter) = state.moderation.settings.filter() else { return state };
        let is_known = verdict.as_ref().is_some_and(|verdict| verdict.is_of(&filter));
        if is_known || state.is_operator(client) {
            return state;
        }
        drop(state);
        *verdict = Some(filter.check(text));
        self.state()
    }

    /// Evaluates a policy for an operator's command; a refusal names the operators.
    pub(crate) fn ask_to_run<T>(
        &self,
        client: &Client,
        now: Timestamp,
        question: impl FnOnce(&AccessContext<'_>) -> T,
    ) -> T {
        let state = self.state();
        let who = client.who();
        let mut access = state.access(&self.name, client, &who, now, None);
        if access.member && !access.operator {
            access.operators = state.operators_here();
        }
        question(&access)
    }

    /// Evaluates a policy for a moderation action.
    pub(crate) fn ask_about<T>(
        &self,
        action: &ModAction,
        client: &Client,
        now: Timestamp,
        question: impl FnOnce(&AccessContext<'_>) -> T,
    ) -> T {
        let state = self.state();
        question(&state.access(&self.name, client, &client.who(), now, Some(action)))
    }

    #[track_caller]
    pub(super) fn state(&self) -> MutexGuard<'_, ChannelState> {
        lock(&self.state)
    }
}

/// Sends a delivery into a ring, in as many slots as it needs.
fn put(ring: &Ring, delivery: Delivery) {
    let slots = delivery.slots();
    // Fails without receivers, when there is no one to read it.
    let _ = ring.send(Some(Arc::new(delivery)));
    for _ in 1..slots {
        let _ = ring.send(None);
    }
}

#[derive(Default)]
pub(super) struct ChannelState {
    pub(super) topic: Option<Text>,
    /// The account that set it.
    pub(super) topic_by: Option<UserId>,
    pub(super) members: IndexMap<ClientId, Member>,
    /// Member accounts, and the number of their devices in the channel.
    devices: HashMap<UserId, usize>,
    /// Devices beyond the first of each account.
    doubles: usize,
    pub(super) operators: Operators,
    pub(super) moderation: Moderation,
    /// Present only while there are members: an empty channel costs little.
    ring: Option<Ring>,
    sequence: Arc<Sequence>,
    pub(super) last_line: MessageId,
    /// The last id of earlier channels of the name.
    before: MessageId,
    /// Messages up to this id are deleted.
    pub(super) floor: MessageId,
    /// Joins and leaves to be published together, while the channel is large.
    pub(super) entered: u64,
    pub(super) left: u64,
    /// Since when it is empty.
    pub(super) empty_since: Option<Timestamp>,
    /// An account was a member, or the channel was recovered: it isn't dropped with its last
    /// member.
    pub(super) outlives: bool,
    /// The list entries and refused words counted in the index.
    pub(super) counted: usize,
    /// Removed from the list of channels: a holder of a reference must look it up again.
    pub(super) dropped: bool,
}

pub(super) struct Member {
    pub(super) client: Arc<Client>,
    /// The channel's bit in the client's ready set.
    slot: u32,
    /// A number of the hub's sequence, so it differs even between channels of one name. The
    /// smallest is the longest membership.
    pub(super) entry: u64,
    /// The account as which it is counted among devices.
    account: Option<UserId>,
}

impl ChannelState {
    /// Whether it is empty, without messages, and without an account as operator.
    pub(super) fn is_unused(&self) -> bool {
        self.members.is_empty()
            && self.last_line == self.before
            && !self.outlives
            && !self.operators.outlive_members()
    }

    /// Adds a member; returns the entry's number, and the receiver of the events from now on.
    pub(super) fn add_member(&mut self, client: &Arc<Client>, slot: u32) -> (u64, RingReader) {
        let entry = self.sequence.next();
        let person_in = Arc::clone(client);
        let account = client.account();
        let member = Member { client: person_in, slot, entry, account };
        self.members.insert(client.id, member);
        if let Some(account) = account {
            self.count_in(account);
            self.outlives = true;
        }
        self.empty_since = None;
        let ring = self.ring.get_or_insert_with(|| broadcast::Sender::new(RING));
        (entry, ring.subscribe())
    }

    /// Removes a member; `None` if it was none.
    pub(super) fn remove_member(&mut self, id: ClientId, now: Timestamp) -> Option<Member> {
        let member = self.members.swap_remove(&id)?;
        if let Some(account) = member.account {
            self.count_out(account);
        }
        if self.members.is_empty() {
            self.empty_since = Some(now);
            self.ring = None;
            self.members = IndexMap::new();
            self.devices = HashMap::new();
            self.doubles = 0;
        }
        Some(member)
    }

    fn count_in(&mut self, account: UserId) {
        let devices = self.devices.entry(account).or_default();
        self.doubles += usize::from(*devices > 0);
        *devices += 1;
    }

    fn count_out(&mut self, account: UserId) {
        if let Some(devices) = self.devices.get_mut(&account) {
            *devices -= 1;
            if *devices == 0 {
                self.devices.remove(&account);
            } else {
                self.doubles -= 1;
            }
        }
    }

    /// Notes that a member signed in.
    pub(super) fn signed_in(&mut self, id: ClientId, account: UserId) {
        if let Some(member) = self.members.get_mut(&id)
            && member.account.is_none()
        {
            member.account = Some(account);
            self.outlives = true;
            self.count_in(account);
        }
    }

    /// Whether any device of the account is a member.
    pub(super) fn holds_account(&self, account: UserId) -> bool {
        self.devices.contains_key(&account)
    }

    /// Whether the client or another device of its account is a member.
    pub(super) fn holds(&self, client: &Client) -> bool {
        self.members.contains_key(&client.id)
            || client.account().is_some_and(|account| self.holds_account(account))
    }

    /// Whether another device of the client's account is a member.
    pub(super) fn has_beside(&self, client: &Client) -> bool {
        client.account().is_some_and(|account| {
            let member = self.members.get(&client.id);
            let own = usize::from(member.is_some_and(|member| member.account == Some(account)));
            self.devices.get(&account).is_some_and(|devices| *devices > own)
        })
    }

    /// The number of members; devices of one account count once.
    pub(super) fn count(&self) -> usize {
        self.members.len() - self.doubles
    }

    /// Publishes consecutive messages. Their numbers are the ring's next.
    pub(super) fn publish_lines(&self, lines: Vec<SequencedEvent>) {
        let (Some(ring), Some(first)) = (&self.ring, lines.first()) else { return };
        let author = first.by.id;
        let alone = lines.iter().all(|line| line.by.id == author);
        for run in Delivery::runs(lines) {
            put(ring, run);
        }
        self.notify_members(alone.then_some(author));
    }

    /// Assigns a message its number.
    pub(super) fn line(
        &mut self,
        event: Event,
        by: Source,
        id: MessageId,
        correlation_id: u64,
    ) -> SequencedEvent {
        self.last_line = id;
        SequencedEvent {
            correlation_id,
            ..SequencedEvent::new(event, by, self.sequence.next(), id)
        }
    }

    /// Publishes an event.
    pub(super) fn publish(&self, event: Event, by: Source) {
        self.publish_once(event, by, None);
    }

    /// Publishes an event that reaches clients in several ways, all with this number.
    pub(super) fn publish_once(&self, event: Event, by: Source, once: Option<u64>) {
        let Some(ring) = &self.ring else { return };
        let sequenced = SequencedEvent::new(event, by, self.sequence.next(), self.last_line);
        put(ring, SequencedEvent { once, ..sequenced }.into());
        self.notify_members(None);
    }

    /// Marks the channel ready for its members; `author` is set if all messages are theirs.
    fn notify_members(&self, author: Option<ClientId>) {
        for (id, member) in &self.members {
            let ready = &member.client.ready;
            if author == Some(*id) {
                ready.notify_own(member.slot);
            } else {
                ready.notify(member.slot);
            }
        }
    }

    pub(super) fn role(&self, client: &Client) -> Role {
        Role { member: self.members.contains_key(&client.id), operator: self.is_operator(client) }
    }

    /// The facts about a client for a policy, perhaps with those about an action's target.
    pub(super) fn access<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &Client,
        who: &'a UserDetails,
        now: Timestamp,
        action: Option<&ModAction>,
    ) -> AccessContext<'a> {
        let Role { member, operator } = self.role(client);
        let find = |list| self.moderation.find(list, who, now);
        let is_for_operators = action.is_some() && member && !operator;
        let count = |list| self.moderation.list(list).len();
        AccessContext {
            channel,
            name: who.name.as_ref(),
            member,
            operator,
            authority: self.authority(client),
            // A member account that reconnects needs no invitation. For members it doesn't matter.
            invited: !member
                && (find(ListKind::Invitations).is_some()
                    || client.signed_in().is_some_and(|account| account.is_in(channel))),
            ban: find(ListKind::Bans).map(|list_entry| &list_entry.shown),
            mute: find(ListKind::Mutes).map(|list_entry| &list_entry.shown),
            settings: &self.moderation.settings,
            wait: self.moderation.wait(who, now),
            operators: if is_for_operators { self.operators_here() } else { Vec::new() },
            target: action.map(|action| self.target(action, client, now)).unwrap_or_default(),
            list_entries: [count(ListKind::Bans), count(ListKind::Mutes)],
            verdict: None,
        }
    }

    fn target(&self, action: &ModAction, by: &Client, now: Timestamp) -> TargetFacts {
        let Some(subject) = action.subject() else { return TargetFacts::default() };
        let client = subject.client.as_deref();
        let operator = self.is_operated_by(subject);
        let who = client.map(Client::who);
        let list_entry = action.list_entry(&subject.user, now);
        let is_same =
            |key: &str, list| self.moderation.list(list).iter().any(|other| other.key() == key);
        TargetFacts {
            // An account that is offline can become operator from anywhere.
            member: client.map_or(
                subject.account.is_some() && matches!(action.kind, ModActionKind::Op(_)),
                |client| self.holds(client),
            ),
            oneself: client.is_some_and(|client| client.id == by.id)
                || by.account().is_some_and(|own| subject.account == Some(own)),
            operator,
            registered: subject.account.is_some(),
            sole_operator: operator && self.operators.count() <= 1,
            many_operators: !operator && self.operators.count() >= MAX_OPERATORS,
            banned: who
                .is_some_and(|who| self.moderation.find(ListKind::Bans, &who, now).is_some()),
            listed: list_entry.is_some_and(|(list, list_entry)| is_same(list_entry.key(), list)),
        }
    }

    /// Whether the target of an action is an operator.
    pub(super) fn is_operated_by(&self, subject: &ActionTarget) -> bool {
        subject.client.as_ref().is_some_and(|client| self.is_operator(client))
            || subject.account.is_some_and(|account| self.operators.has_account(account))
    }

    /// Whether it is an operator whose right isn't inherited.
    pub(super) fn is_owned_by(&self, subject: &ActionTarget) -> bool {
        let right = |client: &Arc<Client>| self.operators.right(client);
        let of_account = |account| self.operators.account_right(account);
        subject.client.as_ref().and_then(right).or(subject.account.and_then(of_account))
            == Some(OperatorRight::Full)
    }

    /// The operators who are members, by name.
    pub(super) fn operators_here(&self) -> Vec<UserName> {
        let members = self.members.values().map(|member| &member.client);
        let operators = members.filter(|client| self.is_operator(client));
        let mut names: Vec<_> = operators.filter_map(|client| client.name()).collect();
        names.sort();
        names
    }

    /// Makes a client an operator. Returns the account whose right is to be stored.
    pub(super) fn grant_operator(
        &mut self,
        client: &Arc<Client>,
        name: &ChannelName,
        right: OperatorRight,
    ) -> Option<(UserId, OperatorRight)> {
        client.operates(name.clone());
        self.operators.add(client, right)
    }

    /// A client's authority over this channel.
    pub(super) fn authority(&self, client: &Client) -> Authority {
        let right = self.operators.right(client);
        let is_server_operator = client.is_server_operator();
        // A channel's own operator who is a server operator too acts as the former only as a
        // member.
        let acts_here = !is_server_operator || self.members.contains_key(&client.id);
        match right {
            Some(OperatorRight::Full) if client.account().is_some() && acts_here => Authority::Full,
            _ if is_server_operator => Authority::Server,
            Some(OperatorRight::Full) => Authority::Unregistered,
            Some(OperatorRight::Inherited) => Authority::Inherited,
            None if self.is_operator(client) => Authority::Inherited,
            None => Authority::None,
        }
    }

    /// Whether any message is stored.
    pub(super) fn has_lines(&self) -> bool {
        self.last_line > self.floor
    }

    /// An upper bound of its messages: hidden ones and those not kept count too.
    pub(super) fn line_count(&self) -> u64 {
        self.last_line.0.saturating_sub(self.floor.0)
    }

    /// A guest who left the system loses the right. If no operator is left, the member of longest
    /// standing has it.
    pub(super) fn is_operator(&self, client: &Client) -> bool {
        if self.operators.is_empty() {
            return self.oldest().is_some_and(|oldest| oldest.id == client.id);
        }
        self.operators.has(client)
    }

    fn oldest(&self) -> Option<&Arc<Client>> {
        let is_here = |member: &&Member| {
            let gone = |account: Arc<Account>| account.is_gone();
            !member.client.has_left() && !member.client.signed_in().is_some_and(gone)
        };
        let present = self.members.values().filter(is_here);
        present.min_by_key(|member| member.entry).map(|member| &member.client)
    }

    /// Makes an inherited right permanent after a join or leave, and notifies its new owner.
    /// Returns the account whose right is to be stored.
    pub(super) fn ensure_operator(
        &mut self,
        name: &ChannelName,
    ) -> Option<(UserId, OperatorRight)> {
        self.operators.forget_gone();
        if !self.operators.is_empty() {
            return None;
        }
        let client = self.oldest().map(Arc::clone)?;
        client.push(Notification::NowOperator { channel: name.clone() });
        self.grant_operator(&client, name, OperatorRight::Inherited)
    }

    /// The list entries that an action removes.
    pub(super) fn ended_by(&self, action: &ModAction) -> Option<(ListKind, Vec<String>)> {
        let list = match &action.kind {
            ModActionKind::Unban(_) => ListKind::Bans,
            ModActionKind::Unmute(_) => ListKind::Mutes,
            _ => return None,
        };
        let (target, who) = (action.target()?, action.subject().and_then(ActionTarget::who));
        let keys = |is_one: &dyn Fn(&ListEntry) -> bool| -> Vec<String> {
            let ones = self.moderation.list(list).iter().filter(|list_entry| is_one(list_entry));
            ones.map(|list_entry| list_entry.key().to_owned()).collect()
        };
        let mut meant = keys(&|list_entry| list_entry.is_meant(&target, who.as_ref()));
        // A user banned by a name that folds to the same can be unbanned by their own.
        if meant.is_empty() {
            meant = keys(&|list_entry| list_entry.is_alike(&target));
        }
        Some((list, meant))
    }

    /// What to store of an action.
    pub(super) fn record_of(
        &self,
        action: &ModAction,
        by: &UserName,
        time: Timestamp,
    ) -> ModActionRecord {
        let mut moderation = Vec::new();
        if let Some((list, list_entry)) = action.list_entry(by, time) {
            moderation.push(ModerationChange::Add(list, list_entry));
        }
        let mut changes = true;
        if let Some((list, keys)) = self.ended_by(action) {
            changes = !keys.is_empty();
            moderation.extend(keys.into_iter().map(|key| ModerationChange::Remove(list, key)));
        }
        let mut purged = None;
        match &action.kind {
            // With the action itself, so that after a crash the account is still out.
            ModActionKind::Kick(subject) | ModActionKind::Ban(BanSubject::User(subject), _) => {
                moderation.extend(subject.account.map(ModerationChange::RemoveMember));
            }
            ModActionKind::Op(subject) => {
                changes = !self.is_owned_by(subject);
                moderation.extend(
                    subject
                        .account
                        .map(|account| ModerationChange::Operator(account, OperatorRight::Full)),
                );
            }
            ModActionKind::Deop(subject) => {
                changes = self.is_operated_by(subject);
                moderation.extend(subject.account.map(ModerationChange::RemoveOperator));
            }
            ModActionKind::Set(setting) => {
                let mut settings = self.moderation.settings.clone();
                settings.set(setting);
                moderation.push(ModerationChange::Setting(
                    setting.name(),
                    settings.value(setting.name()),
                ));
            }
            ModActionKind::Purge(_, counted) => purged = Some(counted.clone()),
            ModActionKind::Drop => moderation.push(ModerationChange::DropChannel),
            _ => {}
        }
        let setting = match &action.kind {
            ModActionKind::Set(setting) => Some(Sentence::new(setting.to_string())),
            _ => None,
        };
        let logged = ModLogEntry {
            time,
            by: by.clone(),
            did: action.kind(),
            target: action.target(),
            term: action.term(time),
            setting,
            reason: action.reason.clone(),
        };
        ModActionRecord { moderation, purged, logged: changes.then_some(logged), recorded: None }
    }
}
