//! One connection: its names, account, ready set and notifications.

pub(crate) mod account;
pub(crate) mod directory;
pub(in crate::hub) mod membership_index;
pub(in crate::hub) mod name_holds;
pub(crate) mod notification;
pub(crate) mod private;
pub(crate) mod throttle;

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, MessageStamp, OkReply};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;

use crate::hub::client::account::Account;
use crate::hub::client::notification::KillNotice;
use crate::hub::client::notification::Notification;
use crate::hub::fanout::ready_set::ReadySet;
use crate::hub::fanout::sequence::Sequence;
use crate::hub::id::ClientId;
use crate::hub::id::NameRecord;
use crate::hub::id::Source;
use crate::hub::id::UserDetails;
use crate::hub::id::UserId;
use crate::util::clock::on_the_wall;
use crate::util::sync::lock;
use crate::util::sync::{Rank, RankedMutex};

/// A connected client, with or without a name.
pub struct Client {
    pub(crate) id: ClientId,
    /// The peer's address; none on the Unix socket.
    address: Option<IpAddr>,
    /// The [`UserId`]. The client's own number, unless it resumes an earlier identity or is signed
    /// in.
    user_id: AtomicU64,
    /// Marks the sources that have something for this client, and wakes its task.
    pub(crate) ready: ReadySet,
    /// When it connected.
    pub(crate) since: Timestamp,
    /// When its last line arrived, in milliseconds as in [`Timestamp`]. Written by its own task,
    /// read by `/whois`.
    pub(crate) last_line_at: AtomicI64,
    /// Private messages that are queued or have a permit. Senders increment it, the client's task
    /// decrements it.
    pub(crate) private_lines: AtomicUsize,
    /// A [`ClientKind`].
    kind: AtomicU8,
    /// The client has disconnected; its rights pass to others.
    left: AtomicBool,
    /// A private message didn't fit into this client's queues and went to its other devices only.
    missed_private: AtomicBool,
    /// Set once a server operator has killed the connection.
    ending: OnceLock<Box<KillNotice>>,
    profile: RankedMutex<{ Rank::Profile as u8 }, Profile>,
    /// With their sequence numbers, ascending.
    notes: RankedMutex<{ Rank::Notifications as u8 }, VecDeque<(u64, Notification)>>,
    sequence: Arc<Sequence>,
}

/// The kind of peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ClientKind {
    /// A terminal or a program that reads the text format.
    Text,
    /// A program that reads JSON.
    Json,
    Telnet,
    /// `chat-server admin`, which is no connection.
    Shell,
}

#[derive(Default)]
struct Profile {
    name: Option<UserName>,
    away: Option<Box<Away>>,
    /// The account that the client is signed in to.
    account: Option<Arc<Account>>,
    /// The channels of which the client was made an operator.
    #[expect(clippy::box_collection, reason = "most have none, and a vector is three words")]
    operates: Option<Box<Vec<ChannelName>>>,
    /// A name hold for this client is stored.
    held: bool,
    /// Since when it has the name; zero before the first.
    named_at: Timestamp,
    /// Boxed: few clients had another identity before.
    earlier: Option<Box<PreviousIdentities>>,
}

/// Earlier identities on the same connection.
#[derive(Default)]
struct PreviousIdentities {
    /// Earlier names, oldest first.
    names: Vec<NameRecord>,
    /// User ids before each sign-in and sign-out, oldest first.
    user_ids: Vec<UserId>,
}

/// Earlier names kept of one client, for moderation; beyond it the oldest is dropped.
const MAX_NAMES_BEFORE: usize = 16;

/// Earlier user ids kept of one client.
const MAX_PARTIES_BEFORE: usize = 8;

/// Notifications that may wait when another client sends one more; beyond it the sender gets
/// `user-busy`. The server's own are few by nature: one close, one reply for each pending proposal
/// and query, one kick for each channel.
const MAX_WAITING_NOTES: usize = 64 + MAX_DUE;

/// Replies that may be pending for one client: acks of lines sent together are kept together.
pub(crate) const MAX_DUE: usize = 64;

impl ClientKind {
    /// The word for it, as `/whois` shows it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Telnet => "telnet",
            Self::Shell => "shell",
        }
    }
}

impl Client {
    pub(crate) fn new(
        id: ClientId,
        address: Option<IpAddr>,
        now: Timestamp,
        sequence: Arc<Sequence>,
    ) -> Self {
        Self {
            id,
            address,
            user_id: AtomicU64::new(id.0),
            ready: ReadySet::default(),
            since: now,
            last_line_at: AtomicI64::new(now.0),
            private_lines: AtomicUsize::new(0),
            kind: AtomicU8::new(ClientKind::Text as u8),
            left: AtomicBool::new(false),
            missed_private: AtomicBool::new(false),
            ending: OnceLock::new(),
            profile: RankedMutex::default(),
            notes: RankedMutex::default(),
            sequence,
        }
    }

    /// The identity in private chats.
    pub(crate) fn user_id(&self) -> UserId {
        UserId(self.user_id.load(Ordering::Acquire))
    }

    /// The peer's address; none on the Unix socket.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The address without a port, for server operators and the log.
    pub(crate) fn shown_address(&self) -> String {
        self.address.map_or_else(|| "unix".to_owned(), |address| address.to_string())
    }

    /// This client as the source of an event.
    pub(crate) fn by(&self) -> Source {
        let user_id = self.user_id();
        Source { id: self.id, user_id, was: user_id }
    }

    /// The account that the client is signed in to.
    pub(crate) fn signed_in(&self) -> Option<Arc<Account>> {
        lock(&self.profile).account.clone()
    }

    /// The kind of peer.
    pub(crate) fn kind(&self) -> ClientKind {
        match self.kind.load(Ordering::Relaxed) {
            kind if kind == ClientKind::Json as u8 => ClientKind::Json,
            kind if kind == ClientKind::Telnet as u8 => ClientKind::Telnet,
            kind if kind == ClientKind::Shell as u8 => ClientKind::Shell,
            _ => ClientKind::Text,
        }
    }

    pub(crate) fn set_kind(&self, kind: ClientKind) {
        self.kind.store(kind as u8, Ordering::Relaxed);
    }

    /// Whether this is `chat-server admin`.
    pub(crate) fn is_shell(&self) -> bool {
        self.kind() == ClientKind::Shell
    }

    /// Whether it is a server operator.
    pub(crate) fn is_server_operator(&self) -> bool {
        self.is_shell()
            || lock(&self.profile).account.as_ref().is_some_and(|account| account.is_admin())
    }

    /// The user id of the account that the client is signed in to.
    pub(crate) fn account(&self) -> Option<UserId> {
        lock(&self.profile).account.as_ref().map(|account| account.user_id)
    }

    /// Signs in, or with `None` out. `user_id` is the identity from now on.
    pub(super) fn set_account(&self, account: Option<Arc<Account>>, user_id: UserId) {
        let mut profile = lock(&self.profile);
        profile.held = false;
        profile.account = account;
        let was = UserId(self.user_id.swap(user_id.0, Ordering::AcqRel));
        if was == user_id {
            return;
        }
        let user_ids = &mut profile.earlier.get_or_insert_default().user_ids;
        if !user_ids.contains(&was) {
            if user_ids.len() == MAX_PARTIES_BEFORE {
                user_ids.remove(0);
            }
            user_ids.push(was);
        }
    }

    /// Drops the name.
    pub(super) fn lose_name(&self) {
        let mut profile = lock(&self.profile);
        profile.name = None;
        profile.away = None;
    }

    /// What moderation matches.
    pub(crate) fn who(&self) -> UserDetails {
        let profile = lock(&self.profile);
        let account = profile.account.as_ref().map(|account| account.user_id);
        let name = profile.name.clone();
        let before = profile.earlier.as_ref().map(|earlier| earlier.user_ids.clone());
        let before = before.unwrap_or_default();
        UserDetails { name, user_id: self.user_id(), account, address: self.address, before }
    }

    /// Resumes the identity of a client that lost its connection; its name hold is stored.
    pub(super) fn resume_as(&self, user_id: UserId) {
        self.user_id.store(user_id.0, Ordering::Release);
        lock(&self.profile).held = true;
    }

    /// The name, if its hold is not stored yet. It counts as stored afterwards.
    pub(super) fn claim_hold(&self) -> Option<UserName> {
        let mut profile = lock(&self.profile);
        let name = profile.name.clone().filter(|_| !profile.held && profile.account.is_none())?;
        profile.held = true;
        Some(name)
    }

    /// Whether the name hold is stored.
    pub(super) fn holds_name(&self) -> bool {
        lock(&self.profile).held
    }

    /// The name, once there is one.
    pub(crate) fn name(&self) -> Option<UserName> {
        lock(&self.profile).name.clone()
    }

    pub(crate) fn set_name(&self, name: UserName) {
        lock(&self.profile).name = Some(name);
    }

    /// Notes when the present name was taken, and the one `before`.
    pub(super) fn record_rename(&self, before: Option<&UserName>, now: Timestamp) {
        // It is compared with the times of messages.
        let now = on_the_wall(now);
        let mut profile = lock(&self.profile);
        let from = std::mem::replace(&mut profile.named_at, now);
        let from = (from != Timestamp::default()).then_some(from);
        if let Some(name) = before.filter(|before| profile.name.as_ref() != Some(*before)) {
            let names = &mut profile.earlier.get_or_insert_default().names;
            if names.len() == MAX_NAMES_BEFORE {
                names.remove(0);
            }
            names.push(NameRecord { name: name.clone(), from, upto: Some(now) });
        }
    }

    /// The earlier names.
    pub(super) fn previous_names(&self) -> Vec<NameRecord> {
        let profile = lock(&self.profile);
        profile.earlier.as_ref().map(|earlier| earlier.names.clone()).unwrap_or_default()
    }

    pub(crate) fn away(&self) -> Option<Away> {
        lock(&self.profile).away.as_deref().cloned()
    }

    pub(crate) fn set_away(&self, away: Option<Away>) {
        lock(&self.profile).away = away.map(Box::new);
    }

    /// Queues a notification of the server's own, which always fits.
    pub(crate) fn push(&self, note: Notification) {
        self.insert_notification(None, note);
        self.ready.notify(ReadySet::NOTES);
    }

    /// Queues a reply that was decided at a sequence number.
    pub(super) fn push_reply_at(&self, number: Option<u64>, answer: Result<OkReply, Refusal>) {
        self.insert_notification(number, Notification::Reply(answer));
        self.ready.notify(ReadySet::NOTES);
    }

    /// Queues the ack of a private message.
    pub(super) fn push_sent(&self, to: Conversation, stamp: MessageStamp) {
        self.insert_notification(None, Notification::Reply(Ok(OkReply::Said { to, stamp })));
        self.ready.notify_own(ReadySet::NOTES);
    }

    /// Queues the ack of a channel message that was published at this number.
    pub(super) fn push_sent_at(
        &self,
        number: u64,
        correlation_id: u64,
        to: Conversation,
        stamp: MessageStamp,
    ) {
        self.insert_notification(Some(number), Notification::Sent { correlation_id, to, stamp });
        self.ready.notify_own(ReadySet::NOTES);
    }

    /// Inserts by sequence number, or at the end with the next one.
    fn insert_notification(&self, number: Option<u64>, note: Notification) {
        let mut notes = lock(&self.notes);
        if notes.is_empty() {
            // Usually it is the only one.
            notes.reserve_exact(1);
        }
        let number = number.unwrap_or_else(|| self.sequence.next());
        let at = notes.partition_point(|(other, _)| *other <= number);
        notes.insert(at, (number, note));
    }

    /// Queues a notification caused by another client; `false` if too many wait.
    pub(crate) fn try_push(&self, note: Notification) -> bool {
        {
            let mut notes = lock(&self.notes);
            if notes.len() >= MAX_WAITING_NOTES {
                return false;
            }
            notes.push_back((self.sequence.next(), note));
        }
        self.ready.notify(ReadySet::NOTES);
        true
    }

    /// The sequence number of the oldest notification.
    pub(crate) fn oldest_notification(&self) -> Option<u64> {
        lock(&self.notes).front().map(|(number, _)| *number)
    }

    /// Takes the result that other notifications may have to wait for, with its number.
    pub(crate) fn pop_awaited(&self) -> Option<(u64, Notification)> {
        let mut notes = lock(&self.notes);
        let is_awaited = |(_, note): &(u64, Notification)| {
            matches!(note, Notification::QueryResult(_) | Notification::Committed(_))
        };
        let at = notes.iter().position(is_awaited)?;
        notes.remove(at)
    }

    /// Takes the oldest notification.
    pub(crate) fn pop_notification(&self) -> Option<Notification> {
        let mut notes = lock(&self.notes);
        let note = notes.pop_front().map(|(_, note)| note);
        if notes.is_empty() {
            // An idle connection owns no buffer.
            *notes = VecDeque::new();
        }
        note
    }

    /// Notes that the client was made an operator of a channel.
    pub(crate) fn operates(&self, channel: ChannelName) {
        let mut profile = lock(&self.profile);
        let operates = profile.operates.get_or_insert_default();
        if !operates.contains(&channel) {
            operates.push(channel);
        }
    }

    /// The channels of which the client was made an operator.
    pub(crate) fn take_operated(&self) -> Vec<ChannelName> {
        lock(&self.profile).operates.take().map(|operates| *operates).unwrap_or_default()
    }

    /// Kills the connection, even if the client drains nothing from its inbox.
    pub(super) fn end(&self, ending: KillNotice) {
        let _ = self.ending.set(Box::new(ending));
        self.ready.notify(ReadySet::NOTES);
        self.ready.waker.wake();
    }

    pub(crate) fn kill_notice(&self) -> Option<&KillNotice> {
        self.ending.get().map(|ending| &**ending)
    }

    pub(super) fn mark_missed_private(&self) {
        self.missed_private.store(true, Ordering::Release);
    }

    /// Whether this client missed private messages since the last call.
    pub(crate) fn has_missed_private_lines(&self) -> bool {
        self.missed_private.load(Ordering::Relaxed)
            && self.missed_private.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn mark_left(&self) {
        self.left.store(true, Ordering::Release);
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn touch(&self, now: Timestamp) {
        self.last_line_at.store(now.0, Ordering::Relaxed);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::event::CloseReason;

    #[test]
    fn notifications_of_others_are_bounded_and_those_of_the_server_always_fit() {
        let client = Client::new(ClientId(1), None, Timestamp(0), Arc::default());
        let bob = UserName::new("bob").unwrap();
        let opened = || Notification::PrivateOpened { with: bob.clone(), by: UserId(2) };
        let taken = (0..1000).filter(|_| client.try_push(opened())).count();
        assert_eq!(taken, MAX_WAITING_NOTES);
        client.push(Notification::Closing(CloseReason::Shutdown));
        let waiting = std::iter::from_fn(|| client.pop_notification()).count();
        assert_eq!(waiting, MAX_WAITING_NOTES + 1);
    }
}
