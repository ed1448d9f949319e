//! The state machine of one client: a line comes in, bytes for the client go out.
//!
//! It is synchronous: no sockets, no awaits, no clock. A command reads the state, checks the policy
//! and returns an effect, which the session executes through the hub. Events of other clients and
//! replies of the hub come in through the inbox.
//!
//! * [`deliver`]: what the client sees of events.
//! * [`execute`]: effects of commands.
//! * [`history`]: long answers: history, searches, lists.
//! * [`account`]: signing in and out.
//! * [`read_marker`]: what the client has read.
//! * [`resume`]: channels and unread messages of an account.

mod account;
mod deliver;
mod execute;
mod history;
mod read_marker;
mod resume;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use chat_proto::command::{Command, ParsedLine, parse};
use chat_proto::command_table::CommandKind;
use chat_proto::event::{CloseReason, Event, OkReply, Sentence, SignOutReason};
use chat_proto::id::MessageId;
use chat_proto::line::LineItem;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::{Text, clean};
use chat_proto::time::Timestamp;

use zeroize::Zeroize as _;

use self::account::AuthFlow;
use self::history::{ActiveQuery, ReplayedRange};
use crate::client_state::ClientState;
use crate::commands::{self, CommandContext, Response};
use crate::hub::Hub;
use crate::hub::client::notification::KillNotice;
use crate::hub::client::{Client, MAX_DUE};
use crate::hub::id::TokenHash;
use crate::hub::id::UserId;
use crate::hub::limits::LINE;
use crate::inbox::Inbox;

/// The word of a command, which its reply repeats.
type Re = Cow<'static, str>;

/// The peer of a connection.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// The address as displayed to the client and in the log.
    pub shown: String,
    /// The IP address; none for a local peer.
    pub address: Option<IpAddr>,
}

impl PeerInfo {
    /// A peer that isn't connected over a network.
    pub fn local(shown: &str) -> Self {
        Self { shown: shown.to_owned(), address: None }
    }
}

/// The session of one client.
pub(crate) struct Session {
    hub: Arc<Hub>,
    client: Arc<Client>,
    state: ClientState,
    inbox: Inbox,
    /// Replies that are due, oldest first: of proposals that are being committed, and those after
    /// them.
    pending: VecDeque<PendingReply>,
    /// Bytes of the messages in `pending`.
    pending_bytes: u32,
    /// Cost of the last command in addition to its line, in lines.
    cost: u16,
    /// A command that waits until `pending` is empty.
    parked: Option<Box<(ParsedLine, Timestamp)>>,
    /// The query or list that is being answered.
    query: Option<Box<ActiveQuery>>,
    /// The account operation in progress.
    auth_flow: Option<Box<AuthFlow>>,
    /// The token that this connection was issued or signed in with.
    token: Option<Box<TokenHash>>,
    /// Rare fields, boxed so that an idle session is small.
    cold: Option<Box<Cold>>,
    /// A sign-out by another device that came during an account operation.
    signed_out: Option<SignOutReason>,
    /// How the session ends, once that is decided.
    leaving: Option<Box<Leaving>>,
}

/// How a session ends.
#[derive(Default)]
struct Leaving {
    /// The reason, and the sequence number below which events are still delivered.
    close_reason: Option<(CloseReason, u64)>,
    /// The reason of `/quit`, or of a lost connection.
    reason: Option<Text>,
}

/// Fields that most sessions never use.
#[derive(Default)]
struct Cold {
    /// Channels that another device has entered or left, with the reason; this session follows
    /// later.
    followed: Vec<(ChannelName, Option<Text>)>,
    /// The newest delivered message of each private chat since the last input.
    private_deliveries: Vec<(UserId, MessageId)>,
    /// Private messages from history that may arrive live as well.
    replayed: Vec<ReplayedRange>,
    /// The sequence number at which a message had no recipient. `/once` may still find that the
    /// message was sent earlier, so later events are delivered after the reply.
    no_recipient: Option<u64>,
}

/// A reply that is due.
enum PendingReply {
    /// The reply to a proposal that is being committed.
    Submitted {
        /// The word of the command.
        re: Re,
        /// Matches an ack with its message; 0 for anything but a message.
        correlation_id: u64,
        /// Length of the message.
        bytes: u16,
        /// The user with whom the command opens a private chat.
        opened: Option<UserName>,
        /// A notice to print before an `ok`.
        notice: Option<Sentence>,
    },
    /// A reply that waits for those before it.
    Ready(Event),
}

impl PendingReply {
    /// The reply to a proposal that isn't a message.
    fn submitted(re: Re) -> Self {
        Self::Submitted { re, correlation_id: 0, bytes: 0, opened: None, notice: None }
    }
}

/// Upper bound on undelivered acks before the session is woken for them.
const MAX_SILENT_ACKS: usize = 4;

/// Upper bound on the bytes of messages in `pending`; one message may exceed it.
const MAX_PENDING_BYTES: u32 = 64 * 1024;

/// Minimum wait in milliseconds before a throttled connection tries again.
const SHORTEST_WAIT: u64 = 250;

/// Age from which a connection isn't delayed by others at its address.
const SETTLED_SECS: u64 = 10;

/// Entries examined for a list that cost as much as a line.
const ENTRIES_A_LINE: usize = 256;

impl Session {
    pub(crate) fn new(hub: Arc<Hub>, peer: PeerInfo, now: Timestamp) -> Self {
        let client = hub.arrive(peer.address, now);
        Self {
            hub,
            client,
            state: ClientState::new(peer.shown.into()),
            inbox: Inbox::default(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            cost: 0,
            parked: None,
            query: None,
            auth_flow: None,
            token: None,
            cold: None,
            signed_out: None,
            leaving: None,
        }
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The peer's address as displayed.
    pub(crate) fn address(&self) -> &str {
        &self.state.address
    }

    pub(crate) fn is_named(&self) -> bool {
        self.state.name.is_some()
    }

    /// Whether any command has no reply yet.
    pub(crate) fn awaits_reply(&self) -> bool {
        !self.pending.is_empty()
            || self.parked.is_some()
            || self.query.is_some()
            || self.is_auth_busy()
    }

    /// Whether a read-only operation is in progress.
    pub(crate) fn is_asking(&self) -> bool {
        self.query.is_some() || self.is_verifying()
    }

    /// Whether the operation in progress changes state. It is completed even if the peer is gone.
    pub(crate) fn awaits_effect(&self) -> bool {
        !self.pending.is_empty()
            || self.parked.is_some()
            || (self.is_auth_busy() && !self.is_verifying())
    }

    /// Whether a proposal of this client is being committed.
    pub(crate) fn has_submitted(&self) -> bool {
        self.pending.iter().any(|waiting| matches!(waiting, PendingReply::Submitted { .. }))
    }

    /// Takes `amount` from the shares of the client's account and address.
    ///
    /// # Errors
    ///
    /// The time to wait. It is spread over the waiting connections.
    pub(crate) fn take_share(&self, amount: u32, now: Timestamp) -> Result<(), Duration> {
        self.hub.throttle_lines(&self.client, amount, now).map_err(|wait| {
            let apart = SHORTEST_WAIT + self.client.id.0 % SHORTEST_WAIT;
            Duration::from_millis(wait.millis().max(apart))
        })
    }

    /// Whether the connection has existed for [`SETTLED_SECS`].
    pub(crate) fn is_settled(&self, now: Timestamp) -> bool {
        now.seconds_since(self.client.since) >= SETTLED_SECS
    }

    /// Returns and resets the cost of the last command, in bytes of input.
    pub(crate) fn take_cost(&mut self) -> u32 {
        u32::from(std::mem::take(&mut self.cost)) * LINE
    }

    /// Whether the session accepts the next line.
    pub(crate) fn takes_lines(&self) -> bool {
        self.pending.len() < MAX_DUE
            && self.pending_bytes < MAX_PENDING_BYTES
            && self.parked.is_none()
            && self.query.is_none()
            && !self.is_auth_busy()
    }

    /// Whether all due replies are acks that print nothing, and nothing else waits for them. The
    /// session isn't woken for these. They are held in memory until then, so their number is
    /// bounded.
    pub(crate) fn has_silent_acks_only(&self) -> bool {
        let shows_nothing = |waiting: &PendingReply| {
            matches!(
                waiting,
                PendingReply::Submitted { correlation_id: 1.., opened: None, notice: None, .. }
            )
        };
        !self.state.dialect.shows_acks()
            && self.pending.len() <= MAX_SILENT_ACKS
            && self.takes_lines()
            && self.pending.iter().all(shows_nothing)
            && self.cold.as_ref().is_none_or(|cold| cold.followed.is_empty())
    }

    /// Whether the parked command can run.
    pub(crate) fn can_resume(&self) -> bool {
        self.parked.is_some() && self.pending.is_empty()
    }

    /// Runs the parked command.
    pub(crate) fn resume(&mut self, out: &mut BytesMut) {
        if let Some(parked) = self.parked.take() {
            let (asked, now) = *parked;
            self.run_command(asked, now, out);
        }
    }

    /// The close reason, if the session is ending.
    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.closing_position().map(|(close_reason, _)| close_reason)
    }

    /// The close reason, and the sequence number below which events are still delivered.
    fn closing_position(&self) -> Option<(CloseReason, u64)> {
        self.leaving.as_ref()?.close_reason
    }

    /// Prints the greeting.
    pub(crate) fn greet(&self, out: &mut BytesMut) {
        self.notice(format!("Welcome to {}.", self.hub.server_name), out);
        for line in &self.hub.motd {
            self.notice(line, out);
        }
        if self.hub.bounds.accounts_required {
            self.notice("Only accounts get in here: /login NAME signs in.", out);
        }
        self.notice("Type your name to begin, or /help for the menu.", out);
    }

    /// Runs one line of input.
    pub(crate) fn on_line(&mut self, line: LineItem, now: Timestamp, out: &mut BytesMut) {
        self.client.touch(now);
        if self.awaits_password() {
            let is_nothing = matches!(&line, LineItem::Line(line) if clean(line).is_empty());
            if !is_nothing {
                self.on_password(line, now, out);
            }
            return;
        }
        let asked = match line {
            // Nothing but control characters: an empty line.
            LineItem::Line(line) if clean(&line).is_empty() => return,
            LineItem::Line(mut line) => {
                let asked = self.parse_line(&line);
                // The line may contain a password, unless it is a message.
                if !asked.command.as_ref().is_ok_and(Command::says) {
                    line.zeroize();
                }
                asked
            }
            LineItem::TooLong { over } => refused("line", Refusal::line_too_long(over)),
            LineItem::NotUtf8 => refused("line", Refusal::not_utf8()),
        };
        let says = asked.command.as_ref().map_or(true, Command::says);
        if says || self.pending.is_empty() {
            self.run_command(asked, now, out);
        } else {
            // The command may depend on the proposals before it, and its reply comes after theirs.
            self.parked = Some(Box::new((asked, now)));
        }
    }

    fn run_command(&mut self, asked: ParsedLine, now: Timestamp, out: &mut BytesMut) {
        let ParsedLine { re, command } = asked;
        if let Ok(command) = &command
            && !matches!(
                command.kind(),
                CommandKind::Ping | CommandKind::Format | CommandKind::Channels
            )
        {
            self.record_read();
        }
        // If replies are due, a refused command is checked again after them.
        let again = command.as_ref().ok().filter(|_| !self.pending.is_empty()).cloned();
        match command.and_then(|command| self.dispatch(command, now)) {
            Ok(Response::Answer(rows, done)) => {
                for row in &rows {
                    self.show(row, out);
                }
                self.reply(re, done, out);
            }
            Ok(Response::List { rows, looked_at, done }) => {
                self.cost = u16::try_from(looked_at / ENTRIES_A_LINE).unwrap_or(u16::MAX);
                self.show_list(re, rows, done, out);
            }
            Ok(Response::Effect(change)) => {
                if let Err(refusal) = self.execute(change, re.clone(), now, out) {
                    self.refuse_in_turn(re, refusal, again, now, out);
                }
            }
            Err(refusal) => self.refuse_in_turn(re, refusal, again, now, out),
        }
    }

    /// Refuses a command. If replies are due, the command runs again after them instead: so the
    /// refusal comes before all events after the decision.
    fn refuse_in_turn(
        &mut self,
        re: Re,
        refusal: Refusal,
        again: Option<Command>,
        now: Timestamp,
        out: &mut BytesMut,
    ) {
        match again {
            Some(command) if !self.pending.is_empty() => {
                self.parked = Some(Box::new((ParsedLine { re, command: Ok(command) }, now)));
            }
            _ => self.refuse(re, refusal, out),
        }
    }

    /// The sequence number from which events wait for a due reply.
    fn held_from(&self) -> Option<u64> {
        let number = self.cold.as_ref()?.no_recipient?;
        Some(number.saturating_add(1))
    }

    /// Refuses a command, after the replies that are due.
    fn refuse(&mut self, re: Re, refusal: Refusal, out: &mut BytesMut) {
        let event = Event::Refused { re, refusal };
        if self.pending.is_empty() {
            self.show(&event, out);
        } else {
            self.pending.push_back(PendingReply::Ready(event));
        }
    }

    /// Parses a line. Before the client has a name, a plain line is the name.
    fn parse_line(&self, line: &str) -> ParsedLine {
        match parse(line) {
            ParsedLine { command: Ok(Command::Say(None, text)), .. } if !self.is_named() => {
                let name = UserName::new(text.as_str().trim());
                let command = name.map(Command::Name).map_err(|error| Refusal::bad_name(&error));
                ParsedLine { re: "name".into(), command }
            }
            asked => asked,
        }
    }

    fn dispatch(&self, command: Command, now: Timestamp) -> Result<Response, Refusal> {
        let Self { state, inbox, hub, client, .. } = self;
        let context = CommandContext { state, inbox, hub, client, user_id: client.user_id(), now };
        commands::handle(&context, command)
    }

    /// The reply to an interrupt, which is Ctrl-C at a terminal.
    pub(crate) fn show_quit_hint(&self, out: &mut BytesMut) {
        self.notice("Type /quit to leave.", out);
    }

    /// Records that the peer speaks telnet.
    pub(crate) fn speaks_telnet(&self) {
        self.client.set_kind(self.state.dialect.telnet_kind());
    }

    /// The reply to telnet's Are You There.
    pub(crate) fn show_presence(&self, out: &mut BytesMut) {
        self.notice("Still here.", out);
    }

    /// Ends the session for a reason other than `/quit`.
    pub(crate) fn end(&mut self, close_reason: CloseReason) {
        let number = self.hub.now_number();
        self.leaving.get_or_insert_default().close_reason.get_or_insert((close_reason, number));
    }

    /// Prints the last line.
    pub(crate) fn show_close_reason(&self, close_reason: CloseReason, out: &mut BytesMut) {
        self.show(&Event::Bye(close_reason), out);
    }

    /// Whether a server operator has killed the connection. Prints the reason if so.
    pub(crate) fn is_killed(&mut self, out: &mut BytesMut) -> bool {
        let Some(ending) = self.client.kill_notice().cloned() else { return false };
        self.lost(&in_words(&ending));
        self.end(CloseReason::Killed);
        let KillNotice { by, reason, ban } = ending;
        self.show(&Event::Killed { by, reason, ban }, out);
        true
    }

    /// Leaves the system. Each user who shares a conversation is notified once.
    pub(crate) fn depart(&mut self, now: Timestamp) {
        if !self.client.has_left() {
            let channels = self.inbox.channels();
            let left = matches!(
                self.close_reason(),
                Some(
                    CloseReason::Quit
                        | CloseReason::EndOfInput
                        | CloseReason::NoName
                        | CloseReason::Killed
                )
            );
            let reason = self.leaving.as_ref().and_then(|leaving| leaving.reason.as_ref());
            self.hub.depart(&self.client, channels, reason, now, !left);
        }
    }

    /// Sets the reason of the departure unless the user gave one.
    pub(crate) fn lost(&mut self, reason: &str) {
        let leaving = self.leaving.get_or_insert_default();
        leaving.reason = leaving.reason.take().or_else(|| Text::new(reason));
    }

    /// The time of the last input.
    fn last_line_at(&self) -> Timestamp {
        Timestamp(self.client.last_line_at.load(Ordering::Relaxed))
    }

    fn show(&self, event: &Event, out: &mut BytesMut) {
        self.state.dialect.encode(event, out);
    }

    fn notice(&self, text: impl AsRef<str>, out: &mut BytesMut) {
        self.show(&Event::Notice(Sentence::new(text)), out);
    }

    fn reply(&self, re: Re, done: OkReply, out: &mut BytesMut) {
        self.show(&Event::Ok { re, reply: done }, out);
    }
}

impl Drop for Session {
    /// The client leaves the system however its task ends.
    fn drop(&mut self) {
        self.depart(self.last_line_at());
    }
}

/// The reason of a kill as other users see it.
fn in_words(ending: &KillNotice) -> String {
    let by = ending.by.as_ref().map_or("the server's operator", UserName::as_str);
    let did = if ending.ban.is_some() { "banned" } else { "killed" };
    match &ending.reason {
        Some(reason) => format!("{did} by {by} ({reason})"),
        None => format!("{did} by {by}"),
    }
}

fn refused(re: &'static str, refusal: Refusal) -> ParsedLine {
    ParsedLine { re: re.into(), command: Err(refusal) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::ClientDialect;
    use crate::hub::limits::Limits;
    use crate::util::clock::steady_clock;
    use chat_proto::format::Format;

    fn session() -> Session {
        Session::new(Hub::in_memory(Limits::small()), PeerInfo::local("a test"), steady_clock())
    }

    fn line(correlation_id: u64) -> PendingReply {
        PendingReply::Submitted {
            re: "say".into(),
            correlation_id,
            bytes: 5,
            opened: None,
            notice: None,
        }
    }

    #[test]
    fn a_session_with_a_printed_reply_due_is_not_indifferent() {
        let mut session = session();
        session.pending.push_back(line(1));
        assert!(session.has_silent_acks_only());
        // Regression: a device that follows another wasn't woken after the ack of its own message.
        let channel = ChannelName::new("dev").unwrap();
        session.follow_later(channel, None);
        assert!(!session.has_silent_acks_only());
        session.cold = None;
        assert!(session.has_silent_acks_only());

        session.state.dialect = ClientDialect::chat(Format::Json);
        assert!(!session.has_silent_acks_only(), "the ok is shown");
        session.state.dialect = ClientDialect::default();
        let asked = parse("/info");
        session.parked = Some(Box::new((asked, steady_clock())));
        assert!(!session.has_silent_acks_only(), "a command waits");
        session.parked = None;
        let bob = UserName::new("bob").unwrap();
        for waiting in [
            PendingReply::submitted("topic".into()),
            PendingReply::Ready(Event::Refused { re: "x".into(), refusal: Refusal::blank_line() }),
            PendingReply::Submitted {
                re: "private".into(),
                correlation_id: 2,
                bytes: 1,
                opened: Some(bob),
                notice: None,
            },
            PendingReply::Submitted {
                re: "msg".into(),
                correlation_id: 2,
                bytes: 1,
                opened: None,
                notice: Some(Sentence::new("away")),
            },
        ] {
            session.pending.push_back(waiting);
            assert!(!session.has_silent_acks_only());
            session.pending.pop_back();
        }
        assert!(session.has_silent_acks_only());
        for correlation_id in 2..=MAX_SILENT_ACKS as u64 {
            session.pending.push_back(line(correlation_id));
        }
        assert!(session.has_silent_acks_only());
        session.pending.push_back(line(9));
        assert!(!session.has_silent_acks_only(), "too much would be kept");
    }

    #[test]
    fn pending_messages_are_bounded_in_number_and_in_bytes() {
        let mut session = session();
        for correlation_id in 0..MAX_DUE as u64 {
            assert!(session.takes_lines());
            session.pending.push_back(line(correlation_id));
        }
        assert!(!session.takes_lines());
        session.pending.clear();
        assert!(session.takes_lines());
        session.pending_bytes = MAX_PENDING_BYTES;
        assert!(!session.takes_lines());
    }
}
