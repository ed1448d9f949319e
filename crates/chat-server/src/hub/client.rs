//! One connection's place in the system: its name, the bell that wakes its task, and its notes.

pub(crate) mod account;
pub(crate) mod directory;
pub(in crate::hub) mod name_holds;
pub(crate) mod presence;
pub(crate) mod private;
pub(crate) mod throttle;

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, CloseReason, MessageStamp, OkReply, SignOutReason, Term};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;
use futures_util::task::AtomicWaker;
use tokio::sync::mpsc;

use crate::hub::channel::moderation::UserDetails;
use crate::hub::client::account::{Account, IgnoredUser};
use crate::hub::fanout::delivery::Delivery;
use crate::hub::fanout::sequence::Sequence;
use crate::hub::fanout::wake_batch;
use crate::hub::lock;
use crate::hub::ports::{QueryResult, auth};
use crate::util::clock::on_the_wall;
use crate::util::sync::{Rank, RankedMutex};

/// Tells people apart for as long as the server runs; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(crate) u64);

/// One side of private chats: somebody connected, and whoever goes on under their name after they were
/// cut off. Never given twice, also over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub(crate) u64);

/// Whose doing something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The connection, which has its own answer and isn't told.
    pub(crate) id: ClientId,
    /// Who they are now.
    pub(crate) user_id: UserId,
    /// Who they were until this: another one, if they have just signed in.
    pub(crate) was: UserId,
}

impl Source {
    /// Nobody's doing: told to everybody.
    pub(crate) const NOBODY: Self = Self { id: ClientId(0), user_id: UserId(0), was: UserId(0) };
}

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

/// A name, and the time for which somebody had it; without a bound, for all time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    pub(crate) name: UserName,
    pub(crate) from: Option<Timestamp>,
    pub(crate) upto: Option<Timestamp>,
}

/// Names of one person that are remembered, for those who run channels; past it the oldest is forgotten.
const MAX_NAMES_BEFORE: usize = 16;

/// The same for who they were.
const MAX_PARTIES_BEFORE: usize = 8;

/// What is told to one person alone, and isn't said in a conversation.
pub(crate) enum Notification {
    /// What became of a draft of this person's.
    Reply(Result<OkReply, Refusal>),
    /// The same of a line said in a channel, for an author who doesn't come to see it there.
    Sent { correlation_id: u64, to: Conversation, stamp: MessageStamp },
    /// What this person asked about the past.
    QueryResult(Result<QueryResult, Refusal>),
    /// Somebody began to write privately: their lines come out of this queue.
    PrivateQueue { lines: mpsc::Receiver<Arc<Delivery>> },
    /// Somebody opened a private chat and made it current on their side.
    PrivateOpened { with: UserName, by: UserId },
    /// Put out of a channel.
    Kicked(Kick),
    /// What was to become of their account is kept, or not.
    Committed(Result<(), Refusal>),
    /// What the vault found.
    Auth(auth::Answer),
    /// Another device of theirs has entered a channel, or left it for a reason.
    OtherDevice(ChannelName, Option<Text>),
    /// Another device of theirs has changed whom they hide.
    IgnoreList(IgnoreChange),
    /// Told to everybody.
    Broadcast(Arc<Delivery>),
    /// Their account is an operator of the server from now on, or isn't any more.
    Admin(bool),
    /// They are signed in no more.
    SignedOut(SignOutReason),
    /// Somebody lets this person into a channel.
    Invited { channel: ChannelName, user: UserName, by: UserId },
    /// An operator's right came to this person, because nobody else had it.
    NowOperator { channel: ChannelName },
    /// The server closes the connection.
    Closing(CloseReason),
}

/// An operator of the server has ended somebody's connection.
#[derive(Clone, Debug)]
pub(crate) struct KillNotice {
    /// `None` is whoever sat at the shell.
    pub(crate) by: Option<UserName>,
    pub(crate) reason: Option<Text>,
    /// They are kept out, too.
    pub(crate) ban: Option<Term>,
}

/// Somebody is hidden, or seen again.
#[derive(Clone, Debug)]
pub(crate) enum IgnoreChange {
    Added(IgnoredUser),
    Removed(UserName, Option<UserId>),
}

/// Somebody was put out of a channel.
pub(crate) struct Kick {
    pub(crate) channel: ChannelName,
    pub(crate) cause: KickCause,
    pub(crate) by: UserName,
    pub(crate) reason: Option<Text>,
    /// Out of the entry of this number.
    pub(crate) entry: u64,
    /// After this line.
    pub(crate) last_line: MessageId,
}

/// By what somebody is put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KickCause {
    Kick,
    Ban(Term),
    /// The channel ended.
    Drop,
    /// The same by oneself, whose answer tells it.
    OwnDrop,
}

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

/// Wakes one connection's task and tells it where something waits.
///
/// A bit for each source: whoever puts something there sets the bit, and wakes the task only if it isn't woken already, so a
/// reader that has much waiting isn't woken for each line. Nor is somebody for whom nothing depends on it: they find what
/// was put there when they are woken by anything else.
#[derive(Default)]
pub(crate) struct ReadySet {
    bits: AtomicU64,
    waker: AtomicWaker,
}

impl ReadySet {
    /// The bit of notes.
    pub(crate) const NOTES: u32 = 63;
    /// The bit of private lines.
    pub(crate) const PRIVATE: u32 = 62;
    /// The task was woken, and hasn't taken since.
    const WOKEN: u64 = 1 << 61;
    /// That something was said changes nothing for this person.
    const INDIFFERENT: u64 = 1 << 60;
    /// The bits below are the channels', by the slot that a session gave each.
    pub(crate) const CHANNEL_SLOTS: u32 = 60;

    pub(crate) fn notify(&self, bit: u32) {
        if self.bits.fetch_or(1 << bit | Self::WOKEN, Ordering::AcqRel) & Self::WOKEN == 0 {
            wake_batch::wake(&self.waker);
        }
    }

    /// The same for what tells a person nothing but that their own line was said, which many needn't be woken for.
    pub(crate) fn notify_own(&self, bit: u32) {
        let woken = |bits| if bits & Self::INDIFFERENT == 0 { Self::WOKEN } else { 0 };
        let set = |bits| Some(bits | 1 << bit | woken(bits));
        let before = self.bits.fetch_update(Ordering::AcqRel, Ordering::Acquire, set);
        if before.is_ok_and(|bits| bits & (Self::INDIFFERENT | Self::WOKEN) == 0) {
            wake_batch::wake(&self.waker);
        }
    }

    /// Takes all that was set.
    pub(crate) fn take(&self) -> u64 {
        if !self.is_ready() {
            return 0;
        }
        let taken = self.bits.fetch_and(Self::INDIFFERENT, Ordering::AcqRel);
        taken & !(Self::INDIFFERENT | Self::WOKEN)
    }

    /// Whether anything was set since it was taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.bits.load(Ordering::Acquire) & !Self::INDIFFERENT != 0
    }

    /// The task is woken the next time.
    pub(crate) fn watch(&self, cx: &mut Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// Ready when any bit is set. From now on the person is or isn't `indifferent` to what comes of their own lines.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, indifferent: bool) -> Poll<()> {
        if self.is_ready() {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        let before = if indifferent {
            self.bits.fetch_or(Self::INDIFFERENT, Ordering::AcqRel)
        } else {
            self.bits.fetch_and(!Self::INDIFFERENT, Ordering::AcqRel)
        };
        if before & !Self::INDIFFERENT == 0 { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Wake, Waker};
    use std::time::{Duration, Instant};

    const DEADLINE: Duration = Duration::from_mins(1);

    #[derive(Default)]
    struct Count(AtomicUsize);

    struct Unpark(std::thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_bell_keeps_what_was_rung_until_it_is_taken() {
        let ready = ReadySet::default();
        assert_eq!(ready.take(), 0);
        ready.notify(3);
        ready.notify(ReadySet::NOTES);
        ready.notify(3);
        assert_eq!(ready.take(), 1 << 3 | 1 << 63);
        assert_eq!(ready.take(), 0);
    }

    #[test]
    fn who_is_indifferent_is_not_woken_for_own_lines_and_for_all_else() {
        let ready = ReadySet::default();
        let count = Arc::new(Count::default());
        let own = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&own);
        let wakes = || count.0.load(Ordering::SeqCst);
        for (indifferent, woken) in [(false, 1), (true, 0), (false, 1)] {
            let before = wakes();
            assert!(ready.poll(&mut cx, indifferent).is_pending());
            ready.notify_own(3);
            assert_eq!(wakes() - before, woken, "{indifferent}");
            ready.notify_own(ReadySet::NOTES);
            assert_eq!(wakes() - before, woken, "{indifferent}");
            ready.notify(ReadySet::PRIVATE);
            assert_eq!(wakes() - before, 1, "{indifferent}");
            ready.notify(4);
            assert_eq!(wakes() - before, 1, "once is enough");
            assert!(ready.is_ready());
            assert_eq!(ready.take(), 1 << 3 | 1 << 4 | 1 << 62 | 1 << 63);
            assert!(!ready.is_ready() && ready.take() == 0);
        }
        // Whoever is about to sleep finds what was put there while they were indifferent.
        assert!(ready.poll(&mut cx, true).is_pending());
        ready.notify_own(3);
        assert!(ready.poll(&mut cx, false).is_ready());
        assert_eq!(ready.take(), 1 << 3);
    }

    #[test]
    fn nothing_is_lost_between_who_rings_and_who_is_about_to_sleep() {
        const ROUNDS: u64 = 100_000;
        let (ready, rung) = (Arc::new(ReadySet::default()), Arc::new(AtomicU64::new(0)));
        let ringing = std::thread::spawn({
            let (ready, rung) = (Arc::clone(&ready), Arc::clone(&rung));
            move || {
                for nth in 0..ROUNDS {
                    rung.store(nth + 1, Ordering::Release);
                    // The last is one that wakes.
                    if nth % 3 == 0 && nth + 1 < ROUNDS {
                        ready.notify_own(3);
                    } else {
                        ready.notify(4);
                    }
                }
            }
        });
        let own = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&own);
        let mut indifferent = false;
        let mut seen = 0;
        while seen < ROUNDS {
            // As a task sleeps; indifferent and not by turns.
            indifferent = !indifferent;
            while ready.poll(&mut cx, indifferent).is_pending() {
                let before = Instant::now();
                std::thread::park_timeout(DEADLINE);
                assert!(before.elapsed() < DEADLINE, "not woken, after {seen}");
            }
            ready.take();
            seen = rung.load(Ordering::Acquire);
        }
        ringing.join().unwrap();
    }

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
