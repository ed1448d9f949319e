//! The state machine of the client: events in, actions out. No IO, no clock.
//!
//! Every line for the server goes through [`ClientSession::ask`] and waits in `pending` until its
//! `ok` or `error` has come. Answers come in the order of the requests, so each one belongs to
//! the first pending request.
//!
//! Typed lines wait in `outbox`: each is sent exactly once, in order, across lost connections.
//! Messages of others are shown once: `conversations` stores the read position of each
//! conversation.

mod account;
mod answers;
mod conversations;
mod devices;
mod entry;
mod history;
mod leaving;
mod outbox;
mod resume;
mod sending;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::completions::KnownNames;
use crate::exit::Exit;
use crate::identity::{Identity, SignInCredential};
use crate::input::{InvalidLine, InvalidReason};
use crate::input_line::InputLine;
use crate::mention::same_name;
use crate::output_queue::UnreadMarker;
use crate::proto::{Secret, clean};
use crate::render::Renderer;
use crate::server_event::ServerEvent;
use crate::show::DisplayItem;
use account::Reentered;
use conversations::Conversations;
use history::{HeldMessages, HistoryBuffer, MissedFetch};
use outbox::Outbox;
use resume::ResumeStep;
pub(crate) use sending::MAX_OUTBOX;

/// Unanswered lines above which a pipe isn't read.
const MAX_ASKED: usize = 256;
/// The server has this long to greet, and a pipe waits this long for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long without a line from the server the client sends a `/ping` …
const SILENCE: Duration = Duration::from_mins(1);
/// … and after this long the connection counts as lost.
const LONGEST_SILENCE: Duration = Duration::from_secs(80);

/// The prompt while the client asks for a name.
pub(crate) const NAME_PROMPT: &str = "name> ";

/// Whether the client is interactive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A user with an editor: a refused name is asked for again, and a lost server is reconnected
    /// to.
    Terminal,
    /// A script or a plain terminal: an error ends the client, and the exit code reports it.
    Pipe,
}

/// The actions to perform, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SessionAction {
    /// A line for the server, without its ending.
    Send(String),
    /// A line for the user.
    Show(DisplayItem),
    /// A line for the error output.
    Complain(String),
    /// Connects; ends an earlier connection.
    Connect,
    /// Ends the connection.
    HangUp,
    /// Stores the token of this account.
    Keep(String, Secret),
    /// The stored token of this account is no longer valid, if it is this one.
    Forget(String, Option<Secret>),
    /// Exits.
    Finish(Exit),
}

/// The current time, by both clocks, and unpredictable jitter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) time: Timestamp,
    pub(crate) jitter: u8,
}

/// The options of a session.
#[derive(Clone, Debug)]
pub(crate) struct SessionOptions {
    pub(crate) mode: Mode,
    /// The address as shown in messages.
    pub(crate) address: String,
    pub(crate) name: Option<String>,
    /// The credentials for that name, best first.
    pub(crate) credentials: Vec<SignInCredential>,
    /// The stored accounts with their tokens, or why one can't be used.
    pub(crate) kept: Vec<Result<(String, Secret), String>>,
    /// Channels, with their `#`.
    pub(crate) enter: Vec<String>,
    /// A number that no other client has: the prefix of this client's keys.
    pub(crate) seed: u128,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SessionStage {
    /// The connection is being established.
    Connecting,
    /// Connected; `/format json` isn't answered yet.
    Greeting { strange: usize, refusal: Option<String> },
    /// The client waits for the answer to its name.
    Naming,
    /// The lost connection still holds the name.
    NamePause { until: Instant },
    /// The server waits for a name, and the client for a line with one.
    Nameless,
    /// The channels are being entered; `home` is the current conversation afterwards.
    Entering { steps: VecDeque<ResumeStep>, home: Option<String> },
    /// Lines are sent to the server.
    Ready { since: Instant },
    /// No connection.
    Offline { until: Instant },
    /// `/quit` is sent.
    Leaving { until: Instant },
    /// The session is over.
    Over,
}

/// How far contact with the server got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ServerContact {
    /// No line of the protocol was received.
    Stranger,
    /// It spoke JSON.
    Met,
    /// Everything requested was reached once; another connection is a reconnection.
    Settled,
}

/// A line that was sent, without an answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PendingRequest {
    Format,
    /// The name, or the sign-in.
    Identity,
    Goal(ResumeStep),
    /// A list for completion, which isn't shown.
    Lookup,
    /// Lines that were missed.
    Fetch(MissedFetch),
    /// The first of `outbox`.
    Line,
    Ping,
    Quit,
    Typed(InputLine),
}

/// The state machine; see the module.
pub(crate) struct ClientSession {
    options: SessionOptions,
    stage: SessionStage,
    pending: VecDeque<PendingRequest>,
    outbox: Outbox,
    /// Keys assigned to lines so far.
    keys: u64,
    /// Nothing is sent before this: the server couldn't take the first of `outbox`.
    retry_at: Option<Instant>,
    /// How many times in a row it couldn't.
    stalls: u32,
    /// The step that is repeated then.
    step_at: Option<(ResumeStep, Instant)>,
    step_stalls: u32,
    /// When the connection came back.
    back_at: Option<Instant>,
    /// `/quit`, which waits for the outbox to drain, and its deadline.
    quit_at: Option<(String, Instant)>,
    /// The server takes the next line as a password.
    password_asked: bool,
    /// Passwords typed before the server asked for them.
    passwords: VecDeque<Secret>,
    gathered: HistoryBuffer,
    history_place: Option<String>,
    waiting: Vec<HeldMessages>,
    /// The sender of the last private message.
    last_writer: Option<String>,
    actions: Vec<SessionAction>,
    renderer: Renderer,
    /// Shared with completion, which reads it when Tab is pressed; locked for single calls.
    names: Arc<Mutex<KnownNames>>,
    me: Option<String>,
    identity: Option<Identity>,
    kept: Vec<(String, Secret)>,
    conversations: Conversations,
    /// Channels that the sign-in has entered; they count once it is answered.
    reentered: Vec<Reentered>,
    /// The account that the client is signed in to.
    account: Option<String>,
    /// Channels whose members completion needs, once the user types something.
    to_look_up: Vec<String>,
    refused: bool,
    input_ended: bool,
    contact: ServerContact,
    bye_reason: Option<String>,
    /// An operator of the server has ended the connection, or it is refused permanently: the client
    /// doesn't reconnect, and exits with this.
    ends_with: Option<Exit>,
    failures: u32,
    name_tries: u32,
    heard_at: Instant,
    progress_at: Instant,
}

impl ClientSession {
    /// The caller has to connect at once.
    pub(crate) fn new(
        mut options: SessionOptions,
        names: Arc<Mutex<KnownNames>>,
        now: Now,
    ) -> Self {
        let kept = mem::take(&mut options.kept);
        let mut session = Self {
            identity: None,
            kept: Vec::new(),
            conversations: Conversations::default(),
            options,
            stage: SessionStage::Connecting,
            pending: VecDeque::new(),
            outbox: Outbox::default(),
            keys: 0,
            retry_at: None,
            stalls: 0,
            step_at: None,
            step_stalls: 0,
            back_at: None,
            quit_at: None,
            password_asked: false,
            reentered: Vec::new(),
            account: None,
            to_look_up: Vec::new(),
            passwords: VecDeque::new(),
            gathered: HistoryBuffer::default(),
            history_place: None,
            waiting: Vec::new(),
            last_writer: None,
            actions: Vec::new(),
            renderer: Renderer::default(),
            names,
            me: None,
            refused: false,
            input_ended: false,
            contact: ServerContact::Stranger,
            bye_reason: None,
            ends_with: None,
            failures: 0,
            name_tries: 0,
            heard_at: now.instant,
            progress_at: now.instant,
        };
        session.begin_with(kept);
        session
    }

    /// The actions since the last call.
    pub(crate) fn actions(&mut self) -> Vec<SessionAction> {
        mem::take(&mut self.actions)
    }

    /// The client's name, once the server has accepted it.
    pub(crate) fn me(&self) -> Option<&str> {
        self.me.as_deref()
    }

    /// The prompt: the destination of a line.
    pub(crate) fn prompt(&self) -> String {
        let current = match &self.stage {
            SessionStage::Entering { home, .. } => home.as_deref(),
            _ => self.conversations.current(),
        };
        let place = current.unwrap_or("(nowhere)");
        match &self.stage {
            SessionStage::Nameless => NAME_PROMPT.into(),
            SessionStage::Ready { .. } => format!("{place}> "),
            SessionStage::Offline { .. } => format!("(offline) {place}> "),
            SessionStage::Leaving { .. } | SessionStage::Over => "(leaving)> ".into(),
            _ if self.is_settled() => format!("(connecting) {place}> "),
            _ => "(connecting)> ".into(),
        }
    }

    /// Unread messages of conversations other than the current one.
    pub(crate) fn unread(&self) -> &[UnreadMarker] {
        self.conversations.unread()
    }

    /// The number of typed lines without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.outbox.len()
    }

    /// Whether lines can be sent.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.stage, SessionStage::Ready { .. } | SessionStage::Nameless)
    }

    /// Whether a line of input is accepted now. A terminal's always is; a pipe's waits until it can
    /// be sent, so that the pipe blocks instead of the client's memory growing.
    pub(crate) fn wants_input(&self) -> bool {
        match (self.options.mode, &self.stage) {
            (Mode::Terminal, stage) => *stage != SessionStage::Over,
            (Mode::Pipe, SessionStage::Ready { .. }) => {
                self.quit_at.is_none() && self.pending.len() + self.outbox.len() < MAX_ASKED
            }
            (Mode::Pipe, SessionStage::Nameless) => self.pending.is_empty(),
            (Mode::Pipe, _) => false,
        }
    }

    /// The latest time for the next call of [`ClientSession::on_time`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let answer = (!self.pending.is_empty() && self.options.mode == Mode::Pipe)
            .then_some(self.progress_at + ANSWER_TIMEOUT);
        match &self.stage {
            SessionStage::Connecting | SessionStage::Over => None,
            SessionStage::Greeting { .. } | SessionStage::Naming => {
                Some(self.progress_at + ANSWER_TIMEOUT)
            }
            SessionStage::NamePause { until }
            | SessionStage::Offline { until }
            | SessionStage::Leaving { until } => Some(*until),
            SessionStage::Nameless | SessionStage::Entering { .. } | SessionStage::Ready { .. } => {
                let silence = if self.pending.contains(&PendingRequest::Ping) {
                    self.heard_at + LONGEST_SILENCE
                } else {
                    self.heard_at + SILENCE
                };
                let step = self.step_at.as_ref().map(|(_, at)| *at);
                let quit = self.quit_at.as_ref().map(|(_, at)| *at);
                [answer, Some(silence), self.retry_at, step, quit].into_iter().flatten().min()
            }
        }
    }

    /// To be called at the deadline; an early call is harmless.
    pub(crate) fn on_time(&mut self, now: Now) {
        if self.deadline().is_none_or(|deadline| now.instant < deadline) {
            return;
        }
        if self.has_waited_enough(now) {
            return;
        }
        let silent = now.instant.duration_since(self.heard_at);
        match self.stage {
            SessionStage::Offline { .. } => self.connect(),
            SessionStage::NamePause { .. } => self.take_name(now),
            SessionStage::Leaving { .. } => self.finish_left(),
            SessionStage::Greeting { .. } | SessionStage::Naming => {
                self.drop_link(&format!("no answer for {} s", ANSWER_TIMEOUT.as_secs()), now);
            }
            _ if silent >= LONGEST_SILENCE => {
                self.drop_link(&format!("no word for {} s", LONGEST_SILENCE.as_secs()), now);
            }
            _ if silent >= SILENCE && !self.pending.contains(&PendingRequest::Ping) => {
                self.ask(PendingRequest::Ping, "/ping".into(), now);
            }
            _ => self.drop_link(&format!("no answer for {} s", ANSWER_TIMEOUT.as_secs()), now),
        }
    }

    /// Resumes what was deferred until now, if there is anything.
    fn has_waited_enough(&mut self, now: Now) -> bool {
        let due = |at: Instant| at <= now.instant;
        if self.quit_at.as_ref().is_some_and(|(_, at)| due(*at)) {
            self.finish_left();
        } else if self.step_at.as_ref().is_some_and(|(_, at)| due(*at)) {
            if let Some((step, _)) = self.step_at.take() {
                self.ask_for(step, now);
            }
        } else if self.retry_at.is_some_and(due) {
            self.retry_at = None;
            self.say_next(now);
        } else {
            return false;
        }
        true
    }

    /// The output can't be written now, so the socket isn't read: the silence is the client's own,
    /// and no reason to drop the connection.
    pub(crate) fn wait_for_output(&mut self, now: Now) {
        self.heard_at = now.instant;
        self.progress_at = now.instant;
    }

    /// The connection is established.
    pub(crate) fn connected(&mut self, now: Now) {
        self.stage = SessionStage::Greeting { strange: 0, refusal: None };
        self.bye_reason = None;
        self.heard_at = now.instant;
        self.progress_at = now.instant;
        self.ask(PendingRequest::Format, "/format json".into(), now);
    }

    /// Handles a line of the server.
    pub(crate) fn line(&mut self, text: &str, now: Now) {
        self.heard_at = now.instant;
        if matches!(
            self.stage,
            SessionStage::Over | SessionStage::Offline { .. } | SessionStage::Connecting
        ) {
            return;
        }
        let Some(incoming) = ServerEvent::read(text) else { return self.greeting_line(text, now) };
        self.contact = self.contact.max(ServerContact::Met);
        match incoming {
            ServerEvent::Ok(answer) => {
                self.progress_at = now.instant;
                self.answered(&answer, now);
            }
            ServerEvent::Error { re, code, text } => {
                self.progress_at = now.instant;
                self.refused(&re, code, text, now);
            }
            other => self.handle_event(other, now),
        }
        self.say_next(now);
        self.leave_when_all_is_answered(now);
    }

    /// Handles a line of input, without its ending.
    pub(crate) fn typed(&mut self, line: &str, now: Now) {
        if self.password_asked && self.stage == SessionStage::Nameless {
            return self.send_password(&Secret::new(&clean(line)), now);
        }
        let Some(typed) = InputLine::read(line) else {
            if matches!(self.stage, SessionStage::Offline { .. }) {
                self.connect();
            }
            return;
        };
        if typed.spec == Some("quit") {
            return self.quit(typed.line, now);
        }
        if typed.spec == Some("format") {
            let text = "chat-cli needs the JSON form and shows it as text.".to_owned();
            return self.show_refusal("bad-argument".into(), text);
        }
        if let Some([open, say]) =
            typed.opening().filter(|_| matches!(self.stage, SessionStage::Ready { .. }))
        {
            self.put(open, now);
            return self.put(say, now);
        }
        match &self.stage {
            // A message that waits for the server to recover doesn't block commands.
            SessionStage::Ready { .. }
                if self.retry_at.is_some()
                    && typed.saying().is_none()
                    && self.options.mode == Mode::Terminal =>
            {
                self.send(typed, now);
            }
            SessionStage::Ready { .. } => self.put(typed, now),
            SessionStage::Nameless if typed.is_command() => match self.kept_name(&typed) {
                Some(identity) => {
                    self.identity = Some(identity);
                    self.take_name(now);
                }
                None => self.send(typed, now),
            },
            SessionStage::Nameless => {
                self.identity = Some(self.identity_of(typed.line.trim()));
                self.take_name(now);
            }
            SessionStage::Greeting { .. }
            | SessionStage::Naming
            | SessionStage::Entering { .. }
            | SessionStage::Connecting
                if !self.is_settled() =>
            {
                self.put(typed, now);
            }
            SessionStage::Over | SessionStage::Leaving { .. } => {}
            _ => self.put_offline(typed, now),
        }
    }

    /// A line of a pipe that can't be sent.
    pub(crate) fn typed_unfit(&mut self, unfit: InvalidLine) {
        let InvalidLine { number, .. } = unfit;
        let (code, text) = match unfit.why {
            InvalidReason::NotUtf8 => {
                ("bad-line", format!("Line {number} of the input isn't UTF-8."))
            }
            InvalidReason::TooLong => {
                ("line-too-long", format!("Line {number} of the input is far too long."))
            }
        };
        self.show_refusal(code.into(), text + " It was not sent.");
    }

    /// Ctrl-C on an empty line.
    pub(crate) fn interrupted(&mut self) {
        self.show(DisplayItem::sentence("/quit or Ctrl-D leaves."));
    }

    /// The user has begun to type, or asks for a completion.
    pub(crate) fn begun(&mut self, now: Now) {
        if self.wants_beginning() {
            self.go_home(now);
            self.look_up_rest(now);
        }
    }

    /// Whether [`ClientSession::begun`] would look something up.
    pub(crate) fn wants_beginning(&self) -> bool {
        matches!(self.stage, SessionStage::Ready { .. })
            && self.options.mode == Mode::Terminal
            && !self.to_look_up.is_empty()
    }

    /// The rest of the input isn't read: not all of it is sent.
    pub(crate) fn input_cut_off(&mut self) {
        self.refused = true;
    }

    /// The input has ended: the user wants to leave, or the pipe is closed.
    pub(crate) fn input_ended(&mut self, now: Now) {
        self.input_ended = true;
        match self.options.mode {
            Mode::Terminal => self.quit("/quit".into(), now),
            Mode::Pipe => self.leave_when_all_is_answered(now),
        }
    }

    fn show(&mut self, shown: DisplayItem) {
        self.actions.push(SessionAction::Show(shown));
    }

    fn show_refusal(&mut self, code: String, text: String) {
        self.refused = true;
        match self.options.mode {
            Mode::Terminal => self.show(DisplayItem::Refused { code, text }),
            Mode::Pipe => {
                self.actions.push(SessionAction::Complain(format!("refused: {code}: {text}")));
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.contact == ServerContact::Settled
    }

    fn is_me(&self, name: &str) -> bool {
        self.me.as_deref().is_some_and(|me| same_name(me, name))
    }

    fn with_known(&self, change: impl FnOnce(&mut KnownNames)) {
        change(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
