//! One connection's place in the system: its name, the bell that wakes its task, and its notes.

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

/// Somebody connected, with or without a name yet.
pub struct Client {
    pub(crate) id: ClientId,
    /// From where they are connected; none for those on this machine's Unix socket.
    address: Option<IpAddr>,
    /// A [`UserId`]; one of their own, unless they go on for somebody who was cut off, or are signed in.
    user_id: AtomicU64,
    /// Rung by whoever has something for this person.
    pub(crate) ready: ReadySet,
    /// Since when connected.
    pub(crate) since: Timestamp,
    /// When the last line came from this person, in milliseconds as in [`Timestamp`]. Written by its
    /// own task, read by `/whois`.
    pub(crate) last_line_at: AtomicI64,
    /// Private lines for which room was taken and that were not read yet. Counted up by those who write,
    /// down by this person's own task.
    pub(crate) private_lines: AtomicUsize,
    /// What is at the other end, as [`ClientKind`].
    kind: AtomicU8,
    /// Has left the system; what was theirs goes to others.
    left: AtomicBool,
    /// Lines found no room in their queues, and went to their other devices only.
    missed_private: AtomicBool,
    /// Set once an operator of the server has ended the connection.
    ending: OnceLock<Box<KillNotice>>,
    profile: RankedMutex<{ Rank::Profile as u8 }, Profile>,
    /// With their numbers, which grow.
    notes: RankedMutex<{ Rank::Notifications as u8 }, VecDeque<(u64, Notification)>>,
    sequence: Arc<Sequence>,
}

/// What is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ClientKind {
    /// A terminal or a program that reads the text form.
    Text,
    /// A program that reads JSON.
    Json,
    Telnet,
    /// No connection: `chat-server admin`.
    Shell,
}

#[derive(Default)]
struct Profile {
    name: Option<UserName>,
    away: Option<Box<Away>>,
    /// The account that they are signed in to.
    account: Option<Arc<Account>>,
    /// The channels of which this person was made an operator.
    #[expect(clippy::box_collection, reason = "most have none, and a vector is three words")]
    operates: Option<Box<Vec<ChannelName>>>,
    /// It is remembered that the name stands for this person.
    held: bool,
    /// Since when they have the name; at the beginning of time they had none.
    named_at: Timestamp,
    /// Few were ever somebody else.
    earlier: Option<Box<PreviousIdentities>>,
}

/// Who somebody was earlier on the same connection.
#[derive(Default)]
struct PreviousIdentities {
    /// The names that they had, the oldest first.
    names: Vec<NameRecord>,
    /// Who they were before they signed in or out, the oldest first.
    user_ids: Vec<UserId>,
}

/// Names of one person that are remembered, for those who run channels; past it the oldest is forgotten.
const MAX_NAMES_BEFORE: usize = 16;

/// The same for who they were.
const MAX_PARTIES_BEFORE: usize = 8;

/// Notes that may wait for one person when another one of others' doing comes; past it the others are told `user-busy`.
/// Notes of the server's own are few by their nature: one farewell, one answer for each draft
/// that isn't settled and each question, one kick for each channel.
const MAX_WAITING_NOTES: usize = 64 + MAX_DUE;

/// Answers that may be due to one person: lines said after each other are kept together.
pub(crate) const MAX_DUE: usize = 64;

impl ClientKind {
    /// The word for it.
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

    /// Which side of their private chats they are.
    pub(crate) fn user_id(&self) -> UserId {
        UserId(self.user_id.load(Ordering::Acquire))
    }

    /// From where they are connected, if that is over a network.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The same without a port, as operators of the server and the log have it.
    pub(crate) fn shown_address(&self) -> String {
        self.address.map_or_else(|| "unix".to_owned(), |address| address.to_string())
    }

    /// Whose doing something is that this person does.
    pub(crate) fn by(&self) -> Source {
        let user_id = self.user_id();
        Source { id: self.id, user_id, was: user_id }
    }

    /// The account that they are signed in to.
    pub(crate) fn signed_in(&self) -> Option<Arc<Account>> {
        lock(&self.profile).account.clone()
    }

    /// What is at the other end.
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

    /// Whether this is no connection but the shell of the server's machine.
    pub(crate) fn is_shell(&self) -> bool {
        self.kind() == ClientKind::Shell
    }

    /// Whether they run the server.
    pub(crate) fn is_server_operator(&self) -> bool {
        self.is_shell()
            || lock(&self.profile).account.as_ref().is_some_and(|account| account.is_admin())
    }

    /// The same as who they are in the system: an account is a party.
    pub(crate) fn account(&self) -> Option<UserId> {
        lock(&self.profile).account.as_ref().map(|account| account.user_id)
    }

    /// Is signed in from now on, or with `None` signed out. `party` is who they are from now on.
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

    /// Has no name from now on.
    pub(super) fn lose_name(&self) {
        let mut profile = lock(&self.profile);
        profile.name = None;
        profile.away = None;
    }

    /// By what they are known to those who run a channel.
    pub(crate) fn who(&self) -> UserDetails {
        let profile = lock(&self.profile);
        let account = profile.account.as_ref().map(|account| account.user_id);
        let name = profile.name.clone();
        let before = profile.earlier.as_ref().map(|earlier| earlier.user_ids.clone());
        let before = before.unwrap_or_default();
        UserDetails { name, user_id: self.user_id(), account, address: self.address, before }
    }

    /// Goes on for somebody who was cut off, whose name is remembered as held.
    pub(super) fn resume_as(&self, user_id: UserId) {
        self.user_id.store(user_id.0, Ordering::Release);
        lock(&self.profile).held = true;
    }

    /// The name, if it isn't remembered yet that it stands for this person; from now on it is.
    pub(super) fn claim_hold(&self) -> Option<UserName> {
        let mut profile = lock(&self.profile);
        let name = profile.name.clone().filter(|_| !profile.held && profile.account.is_none())?;
        profile.held = true;
        Some(name)
    }

    /// Whether it is remembered that the name stands for this person.
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

    /// They have their name from this moment on, and had another one `before`.
    pub(super) fn record_rename(&self, before: Option<&UserName>, now: Timestamp) {
        // It is held against the times of lines.
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

    /// The names that they had before.
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

    /// Leaves a note of the server's own, which always finds room.
    pub(crate) fn push(&self, note: Notification) {
        self.insert_notification(None, note);
        self.ready.notify(ReadySet::NOTES);
    }

    /// The same for an answer that was decided at a number.
    pub(super) fn push_reply_at(&self, number: Option<u64>, answer: Result<OkReply, Refusal>) {
        self.insert_notification(number, Notification::Reply(answer));
        self.ready.notify(ReadySet::NOTES);
    }

    /// The same for the answer that a line of theirs was said.
    pub(super) fn push_sent(&self, to: Conversation, stamp: MessageStamp) {
        self.insert_notification(None, Notification::Reply(Ok(OkReply::Said { to, stamp })));
        self.ready.notify_own(ReadySet::NOTES);
    }

    /// The same for a line that was told already, at this number.
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

    /// Puts a note where its number belongs, or at the end with the next one.
    fn insert_notification(&self, number: Option<u64>, note: Notification) {
        let mut notes = lock(&self.notes);
        if notes.is_empty() {
            // Mostly it is the only one.
            notes.reserve_exact(1);
        }
        let number = number.unwrap_or_else(|| self.sequence.next());
        let at = notes.partition_point(|(other, _)| *other <= number);
        notes.insert(at, (number, note));
    }

    /// Leaves a note of somebody else's doing; `false` if too many wait already.
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

    /// The number of the oldest note.
    pub(crate) fn oldest_notification(&self) -> Option<u64> {
        lock(&self.notes).front().map(|(number, _)| *number)
    }

    /// Takes the answer to a question that other notes may have to wait for, with its number.
    pub(crate) fn pop_awaited(&self) -> Option<(u64, Notification)> {
        let mut notes = lock(&self.notes);
        let is_awaited = |(_, note): &(u64, Notification)| {
            matches!(note, Notification::QueryResult(_) | Notification::Committed(_))
        };
        let at = notes.iter().position(is_awaited)?;
        notes.remove(at)
    }

    /// Takes the oldest note.
    pub(crate) fn pop_notification(&self) -> Option<Notification> {
        let mut notes = lock(&self.notes);
        let note = notes.pop_front().map(|(_, note)| note);
        if notes.is_empty() {
            // An idle connection owns no buffer.
            *notes = VecDeque::new();
        }
        note
    }

    /// Notes that the person was made an operator of a channel.
    pub(crate) fn operates(&self, channel: ChannelName) {
        let mut profile = lock(&self.profile);
        let operates = profile.operates.get_or_insert_default();
        if !operates.contains(&channel) {
            operates.push(channel);
        }
    }

    /// The channels of which the person was made an operator, for them to pass the right on.
    pub(crate) fn take_operated(&self) -> Vec<ChannelName> {
        lock(&self.profile).operates.take().map(|operates| *operates).unwrap_or_default()
    }

    /// Ends the connection, also one that takes nothing out of its inbox.
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

    /// Whether private lines were missed since this was last asked.
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
    fn others_notes_are_bounded_and_the_servers_own_find_room() {
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
