//! One person's state machine: a line comes in, bytes for them go out.
//!
//! Nothing in it waits: it never sees a socket, never awaits, and reads no clock. A line goes to its
//! handler, which reads and asks; what the handler wants changed is carried out here, through the
//! hub; what the hub and other people tell comes back through the inbox.
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

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// As they are shown to themselves and in the log.
    pub shown: String,
    /// From where they are connected, if that is over a network.
    pub address: Option<IpAddr>,
}

impl PeerInfo {
    /// Somebody who isn't connected over a network.
    pub fn local(shown: &str) -> Self {
        Self { shown: shown.to_owned(), address: None }
    }
}

/// One connected person.
pub(crate) struct Session {
    hub: Arc<Hub>,
    client: Arc<Client>,
    state: ClientState,
    inbox: Inbox,
    /// Answers that are due, oldest first: of lines that are being kept, and those that come after them.
    pending: VecDeque<PendingReply>,
    /// What was said and waits for its answer, in bytes.
    pending_bytes: u32,
    /// What the last command has cost beside its line, in lines.
    cost: u16,
    /// A command that is carried out when no answer is due any more.
    parked: Option<Box<(ParsedLine, Timestamp)>>,
    /// A question about the past.
    query: Option<Box<ActiveQuery>>,
    /// Something about their account.
    auth_flow: Option<Box<AuthFlow>>,
    /// The token that this connection was given, or has used.
    token: Option<Box<TokenHash>>,
    /// Who has none of it takes no room for it.
    cold: Option<Box<Cold>>,
    /// Another device has signed them out, in the midst of dealing.
    signed_out: Option<SignOutReason>,
    /// How it ends, once that is known.
    leaving: Option<Box<Leaving>>,
}

/// How a connection ends.
#[derive(Default)]
struct Leaving {
    /// Set when the connection is to end, once everything with a lower number is told.
    farewell: Option<(CloseReason, u64)>,
    /// The words of `/quit`, or why somebody is gone.
    reason: Option<Text>,
}

/// What many never have.
#[derive(Default)]
struct Cold {
    /// Channels that another device has entered, or left for a reason, and this one has not yet.
    followed: Vec<(ChannelName, Option<Text>)>,
    /// What was told of private chats since they were last heard of.
    private_deliveries: Vec<(UserId, MessageId)>,
    /// Private lines that may come once more.
    replayed: Vec<ReplayedRange>,
    /// The number at which a line was found to have no addressee; whether it was said before isn't known yet. What
    /// happened later is told after the answer.
    no_addressee: Option<u64>,
}

/// An answer that is due.
enum PendingReply {
    /// Of a line, or a topic, that is being kept.
    Submitted {
        /// The command.
        re: Cow<'static, str>,
        /// By which the answer to a line is known.
        correlation_id: u64,
        /// Of what was said.
        bytes: u16,
        /// The private chat that was opened with it.
        opened: Option<UserName>,
        /// What is told before it if it was said.
        notice: Option<Sentence>,
    },
    /// It is known, and waits for those before it.
    Ready(Event),
}

impl PendingReply {
    /// Of what isn't a line.
    fn submitted(re: Cow<'static, str>) -> Self {
        Self::Submitted { re, correlation_id: 0, bytes: 0, opened: None, notice: None }
    }
}

/// Of that somebody's own lines were said, so many may be there without their being woken for it.
const MAX_SILENT_ACKS: usize = 4;

/// Of what waits for such answers, so many bytes; one line may go past it.
const MAX_PENDING_BYTES: u32 = 64 * 1024;

/// Milliseconds after which a connection looks again whether its address has lines left, at least.
const SHORTEST_WAIT: u64 = 250;

/// A connection of this age goes on at its own pace whatever others at its address do.
const SETTLED_SECS: u64 = 10;

/// Entries that are looked at for a list and cost as much as a line.
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

    /// The peer's address, as it is shown.
    pub(crate) fn address(&self) -> &str {
        &self.state.address
    }

    pub(crate) fn is_named(&self) -> bool {
        self.state.name.is_some()
    }

    /// Whether anything that was asked has no answer yet.
    pub(crate) fn awaits_answer(&self) -> bool {
        !self.pending.is_empty()
            || self.parked.is_some()
            || self.query.is_some()
            || self.is_auth_busy()
    }

    /// Whether a question is under way, which changes nothing.
    pub(crate) fn is_asking(&self) -> bool {
        self.query.is_some() || self.is_verifying()
    }

    /// Whether what is under way changes something, also for a peer that is gone.
    pub(crate) fn awaits_effect(&self) -> bool {
        !self.pending.is_empty()
            || self.parked.is_some()
            || (self.is_auth_busy() && !self.is_verifying())
    }

    /// Whether anything of this person's is being kept, and isn't told yet.
    pub(crate) fn has_submitted(&self) -> bool {
        self.pending.iter().any(|waiting| matches!(waiting, PendingReply::Submitted { .. }))
    }

    /// Takes what lines count of what the person's account and address have.
    ///
    /// # Errors
    ///
    /// The time to wait. Those who wait don't come all at once.
    pub(crate) fn take_share(&self, amount: u32, now: Timestamp) -> Result<(), Duration> {
        self.hub.throttle_lines(&self.client, amount, now).map_err(|wait| {
            let apart = SHORTEST_WAIT + self.client.id.0 % SHORTEST_WAIT;
            Duration::from_millis(wait.millis().max(apart))
        })
    }

    /// Whether the connection is there for some time already.
    pub(crate) fn is_settled(&self, now: Timestamp) -> bool {
        now.seconds_since(self.client.since) >= SETTLED_SECS
    }

    /// What the last command has cost beside its line, as the bytes of lines count.
    pub(crate) fn take_cost(&mut self) -> u32 {
        u32::from(std::mem::take(&mut self.cost)) * LINE
    }

    /// Whether the next line can be taken.
    pub(crate) fn takes_lines(&self) -> bool {
        self.pending.len() < MAX_DUE
            && self.pending_bytes < MAX_PENDING_BYTES
            && self.parked.is_none()
            && self.query.is_none()
            && !self.is_auth_busy()
    }

    /// Whether it makes no difference when it is learnt that something was said: its `ok` shows nothing, and nothing was put
    /// off until then. What isn't learnt yet is kept, so it isn't much.
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

    /// Whether a command waits no more for the answers before it.
    pub(crate) fn can_resume(&self) -> bool {
        self.parked.is_some() && self.pending.is_empty()
    }

    /// Carries out the command that has waited.
    pub(crate) fn resume(&mut self, out: &mut BytesMut) {
        if let Some(parked) = self.parked.take() {
            let (asked, now) = *parked;
            self.run_command(asked, now, out);
        }
    }

    /// Why the connection is to end, if it is.
    pub(crate) fn farewell(&self) -> Option<CloseReason> {
        self.closing_position().map(|(farewell, _)| farewell)
    }

    /// The same with the number below which everything is still told.
    fn closing_position(&self) -> Option<(CloseReason, u64)> {
        self.leaving.as_ref()?.farewell
    }

    /// Greets whoever has just connected.
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

    /// Carries one line out.
    pub(crate) fn on_line(&mut self, line: LineItem, now: Timestamp, out: &mut BytesMut) {
        self.client.touch(now);
        if self.asks_secret() {
            let is_nothing = matches!(&line, LineItem::Line(line) if clean(line).is_empty());
            if !is_nothing {
                self.on_secret(line, now, out);
            }
            return;
        }
        let asked = match line {
            // Nothing is left of it once control characters are removed: an empty line.
            LineItem::Line(line) if clean(&line).is_empty() => return,
            LineItem::Line(mut line) => {
                let asked = self.understand(&line);
                // It may have a password, unless it is for others to read.
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
            // It may depend on what was said before, and its answer comes after theirs.
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
        // An answer that is due comes first, and by then it may be decided otherwise.
        let again = command.as_ref().ok().filter(|_| !self.pending.is_empty()).cloned();
        match command.and_then(|command| self.ask(command, now)) {
            Ok(Response::Answer(rows, done)) => {
                for row in &rows {
                    self.show(row, out);
                }
                self.done(re, done, out);
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

    /// Refuses, or asks once more when no answer is due any more: so a refusal is told before all that happens after it
    /// was decided.
    fn refuse_in_turn(
        &mut self,
        re: Cow<'static, str>,
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

    /// The number from which on nothing is told before an answer.
    fn held_from(&self) -> Option<u64> {
        let number = self.cold.as_ref()?.no_addressee?;
        Some(number.saturating_add(1))
    }

    /// Answers with a refusal, after the answers that are due.
    fn refuse(&mut self, re: Cow<'static, str>, refusal: Refusal, out: &mut BytesMut) {
        let event = Event::Refused { re, refusal };
        if self.pending.is_empty() {
            self.show(&event, out);
        } else {
            self.pending.push_back(PendingReply::Ready(event));
        }
    }

    /// Before a name is given, a plain line is the name.
    fn understand(&self, line: &str) -> ParsedLine {
        match parse(line) {
            ParsedLine { command: Ok(Command::Say(None, text)), .. } if !self.is_named() => {
                let name = UserName::new(text.as_str().trim());
                let command = name.map(Command::Name).map_err(|error| Refusal::bad_name(&error));
                ParsedLine { re: "name".into(), command }
            }
            asked => asked,
        }
    }

    fn ask(&self, command: Command, now: Timestamp) -> Result<Response, Refusal> {
        let Self { state, inbox, hub, client, .. } = self;
        let context = CommandContext { state, inbox, hub, client, user_id: client.user_id(), now };
        commands::handle(&context, command)
    }

    /// The answer to a peer that interrupts, at a terminal by Ctrl-C.
    pub(crate) fn show_quit_hint(&self, out: &mut BytesMut) {
        self.notice("Type /quit to leave.", out);
    }

    /// The peer speaks telnet, which only shows in the text form.
    pub(crate) fn speaks_telnet(&self) {
        self.client.set_kind(self.state.dialect.telnet_kind());
    }

    /// The answer to a telnet peer that asks whether anybody is there.
    pub(crate) fn show_presence(&self, out: &mut BytesMut) {
        self.notice("Still here.", out);
    }

    /// The connection is to end for a reason that isn't the person's own.
    pub(crate) fn end(&mut self, farewell: CloseReason) {
        let number = self.hub.now_number();
        self.leaving.get_or_insert_default().farewell.get_or_insert((farewell, number));
    }

    /// The last line.
    pub(crate) fn say_farewell(&self, farewell: CloseReason, out: &mut BytesMut) {
        self.show(&Event::Bye(farewell), out);
    }

    /// Whether an operator of the server has ended the connection; then that is told.
    pub(crate) fn is_killed(&mut self, out: &mut BytesMut) -> bool {
        let Some(ending) = self.client.kill_notice().cloned() else { return false };
        self.lost(&in_words(&ending));
        self.end(CloseReason::Killed);
        let KillNotice { by, reason, ban } = ending;
        self.show(&Event::Killed { by, reason, ban }, out);
        true
    }

    /// Leaves the system; whoever shared a conversation is told once.
    pub(crate) fn depart(&mut self, now: Timestamp) {
        if !self.client.has_left() {
            let channels = self.inbox.channels();
            let left = matches!(
                self.farewell(),
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

    /// Why the person left, if they didn't say so themselves.
    pub(crate) fn lost(&mut self, reason: &str) {
        let leaving = self.leaving.get_or_insert_default();
        leaving.reason = leaving.reason.take().or_else(|| Text::new(reason));
    }

    /// When the last line came from this person.
    fn last_line_at(&self) -> Timestamp {
        Timestamp(self.client.last_line_at.load(Ordering::Relaxed))
    }

    fn show(&self, event: &Event, out: &mut BytesMut) {
        self.state.dialect.encode(event, out);
    }

    fn notice(&self, text: impl AsRef<str>, out: &mut BytesMut) {
        self.show(&Event::Notice(Sentence::new(text)), out);
    }

    fn done(&self, re: Cow<'static, str>, done: OkReply, out: &mut BytesMut) {
        self.show(&Event::Ok { re, reply: done }, out);
    }
}

impl Drop for Session {
    /// However a connection ends, its person is here no more.
    fn drop(&mut self) {
        self.depart(self.last_line_at());
    }
}

/// What others are told of somebody whose connection was ended.
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
    use crate::dialect::Dialect;
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
    fn who_waits_for_an_answer_that_matters_is_not_indifferent() {
        let mut session = session();
        session.pending.push_back(line(1));
        assert!(session.has_silent_acks_only());
        // A device that follows another one was not woken once its own line was said, and stayed where it was.
        let channel = ChannelName::new("dev").unwrap();
        session.follow_later(channel, None);
        assert!(!session.has_silent_acks_only());
        session.cold = None;
        assert!(session.has_silent_acks_only());

        session.state.dialect = Dialect::chat(Format::Json);
        assert!(!session.has_silent_acks_only(), "the ok is shown");
        session.state.dialect = Dialect::default();
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
    fn lines_under_way_are_bounded_in_number_and_in_bytes() {
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
