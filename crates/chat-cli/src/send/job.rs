//! The state machine of `--send`, which sends each line exactly once. No IO, no clock.
//!
//! One request is in flight at a time, so at most one line is uncertain; the server recognizes it
//! by its key.

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use chat_proto::limits::MAX_LINE_BYTES;

use crate::backoff::backoff;
use crate::exit::{Exit, is_temporary_refusal};
use crate::identity::Identity;
use crate::input::{InvalidLine, InvalidReason, UserInput};
use crate::proto::{Secret, clean};
use crate::server_event::{OkAnswer, ServerEvent};
use crate::session::Now;

/// Lines that wait to be sent; when the queue is full the input isn't read.
const MAX_WAITING: usize = 64;
/// The server has this long to answer before the connection counts as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for the `bye`, after everything was sent.
const BYE_DEADLINE: Duration = Duration::from_secs(3);
/// For this long after a reconnection an absent user may still be reconnecting too.
const RETURNING: Duration = Duration::from_secs(15);
/// Lines before the first one in JSON; with more the server speaks another protocol.
const MAX_STRANGE: u32 = 50;

/// The options of a job.
#[derive(Clone, Debug)]
pub(crate) struct SendOptions {
    /// The address as shown in messages.
    pub(crate) address: String,
    pub(crate) identity: Identity,
    /// `#general` or `@bob`.
    pub(crate) to: String,
    /// Retries after lost connections and temporary refusals, so that each line is sent exactly
    /// once; otherwise each line is tried once.
    pub(crate) again: bool,
    /// The channel is made if it is absent.
    pub(crate) create: bool,
    /// How long one line may take, connecting included.
    pub(crate) timeout: Duration,
    /// The prefix of the lines' keys, which no other client uses.
    pub(crate) key: String,
}

/// The actions to perform, in order.
#[derive(Debug)]
pub(crate) enum SendAction {
    /// Connects; ends an earlier connection.
    Connect,
    /// A line for the server.
    Send(String),
    /// Ends the connection, or the attempt to connect.
    HangUp,
    /// A line for the error output.
    Complain(String),
    /// Stores the token of this account.
    Keep(String, Secret),
    /// This stored token of the account is invalid.
    Forget(String, Secret),
    /// Exits.
    Finish(Exit),
}

/// A line to send.
#[derive(Debug)]
struct QueuedLine {
    /// The number in the input, from 1.
    number: u64,
    text: String,
    key: String,
    /// Sent, without an answer yet.
    uncertain: bool,
}

/// A request to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SendRequest {
    Format,
    Identity,
    Enter,
    Create,
    /// The first line.
    Line,
    Quit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SendStage {
    /// No connection, and none is needed.
    Idle,
    Connecting,
    /// The request is sent; the deadline of its answer.
    Asked(SendRequest, Instant),
    /// Connected; no request is in flight.
    Ready,
    /// Connected; the request is repeated then.
    Pause(SendRequest, Instant),
    /// Reconnects then.
    Offline(Instant),
    Over,
}

/// See the module.
pub(crate) struct SendJob {
    order: SendOptions,
    stage: SendStage,
    lines: VecDeque<QueuedLine>,
    /// Lines read from the input.
    number: u64,
    /// The input has ended.
    ended: bool,
    said: u64,
    /// When the first line began to wait.
    since: Option<Instant>,
    /// The server has answered since then.
    reached: bool,
    /// The channel was entered on this connection.
    entered: bool,
    /// When the connection was lost last.
    lost_at: Option<Instant>,
    strange: u32,
    /// The reason with which the server closed the connection.
    bye_reason: Option<String>,
    attempt: u32,
    /// The last error.
    last_error: Option<String>,
    exit: Exit,
    steps: Vec<SendAction>,
}

impl SendJob {
    pub(crate) fn new(order: SendOptions) -> Self {
        Self {
            order,
            stage: SendStage::Idle,
            lines: VecDeque::new(),
            number: 0,
            ended: false,
            said: 0,
            since: None,
            reached: false,
            entered: false,
            lost_at: None,
            strange: 0,
            bye_reason: None,
            attempt: 0,
            last_error: None,
            exit: Exit::Done,
            steps: Vec::new(),
        }
    }

    /// The actions since the last call.
    pub(crate) fn steps(&mut self) -> Vec<SendAction> {
        mem::take(&mut self.steps)
    }

    /// Whether the queue can take a line of input.
    pub(crate) fn wants_input(&self) -> bool {
        !self.ended && self.stage != SendStage::Over && self.lines.len() < MAX_WAITING
    }

    /// The latest time for the next call of [`SendJob::on_time`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = match self.stage {
            SendStage::Idle | SendStage::Connecting | SendStage::Ready => None,
            SendStage::Over => return None,
            SendStage::Asked(SendRequest::Quit, since) => return Some(since + BYE_DEADLINE),
            SendStage::Asked(_, since) => Some(since + ANSWER_TIMEOUT),
            SendStage::Pause(_, until) | SendStage::Offline(until) => Some(until),
        };
        let whole = self.since.map(|since| since + self.order.timeout);
        [own, whole].into_iter().flatten().min()
    }

    /// To be called at the deadline; an early call is harmless.
    pub(crate) fn on_time(&mut self, now: Now) {
        if self.deadline().is_none_or(|deadline| now.instant < deadline) {
            return;
        }
        if self.stage != SendStage::Over
            && self.since.is_some_and(|since| since + self.order.timeout <= now.instant)
        {
            return self.time_is_up();
        }
        match self.stage {
            SendStage::Asked(SendRequest::Quit, _) => self.finish(),
            SendStage::Asked(..) => {
                self.steps.push(SendAction::HangUp);
                self.lost(&format!("no answer for {} s", ANSWER_TIMEOUT.as_secs()), now);
            }
            SendStage::Pause(ask, _) => self.ask(ask, now),
            SendStage::Offline(_) => self.connect(),
            SendStage::Idle | SendStage::Connecting | SendStage::Ready | SendStage::Over => {}
        }
    }

    /// Handles input.
    pub(crate) fn given(&mut self, input: UserInput, now: Now) {
        match input {
            UserInput::Line(text) => {
                self.number += 1;
                self.take(&text);
            }
            UserInput::Unfit(InvalidLine { number, why }) => {
                self.number = number;
                self.unfit(match why {
                    InvalidReason::NotUtf8 => "isn't UTF-8",
                    InvalidReason::TooLong => "is far too long. Cut it into several",
                });
            }
            UserInput::End => self.ended = true,
            // Only a terminal's editor sends these.
            UserInput::Asked(..) | UserInput::Begun | UserInput::Interrupt => {}
        }
        if self.since.is_none() && !self.lines.is_empty() {
            self.since = Some(now.instant);
            self.reached = false;
        }
        self.go_on(now);
    }

    fn take(&mut self, text: &str) {
        let text = clean(text);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let line = QueuedLine {
            number: self.number,
            text: text.to_owned(),
            key: format!("{}-{}", self.order.key, self.number),
            uncertain: false,
        };
        let over = self.request(&line).len().saturating_sub(MAX_LINE_BYTES);
        if over == 0 {
            return self.lines.push_back(line);
        }
        let most = text.len().saturating_sub(over);
        let bytes = if over == 1 { "byte" } else { "bytes" };
        self.unfit(&format!(
            "is {over} {bytes} too long, {most} fit into one said in {}. Cut it into several",
            self.order.to
        ));
    }

    fn unfit(&mut self, why: &str) {
        self.complain(format!("line {} of the input {why}. It was not sent.", self.number));
        if self.exit == Exit::Done {
            self.exit = Exit::BadInput;
        }
    }

    fn request(&self, line: &QueuedLine) -> String {
        format!("/once {} {} {}", line.key, self.order.to, line.text)
    }

    /// The connection is established.
    pub(crate) fn connected(&mut self, now: Now) {
        self.entered = false;
        self.strange = 0;
        self.bye_reason = None;
        self.ask(SendRequest::Format, now);
    }

    /// The connection failed or is lost.
    pub(crate) fn lost(&mut self, why: &str, now: Now) {
        let address = &self.order.address;
        let why = match self.stage {
            SendStage::Over => return,
            SendStage::Asked(SendRequest::Quit, _) => return self.finish(),
            SendStage::Connecting => format!("can't reach {address}: {why}"),
            // The refusal before the greeting is the better reason.
            SendStage::Asked(SendRequest::Format, _) if self.last_error.is_some() => {
                self.last_error.take().unwrap_or_default()
            }
            _ => match self.bye_reason.take() {
                Some(bye_reason) => format!("{address} closed the connection: {bye_reason}"),
                None => format!("lost {address}: {why}"),
            },
        };
        self.lost_at = Some(now.instant);
        if self.lines.is_empty() {
            self.stage = SendStage::Idle;
            return self.go_on(now);
        }
        if !self.order.again {
            return self.fail(&why, Exit::Lost);
        }
        self.last_error = Some(why);
        self.stage = SendStage::Offline(now.instant + self.next_pause(now));
    }

    /// Handles a line of the server.
    pub(crate) fn heard(&mut self, text: &str, now: Now) {
        let SendStage::Asked(ask, _) = self.stage else { return };
        match ServerEvent::read(text) {
            None if ask == SendRequest::Format => self.greeting(text, now),
            Some(ServerEvent::Ok(answer)) => {
                self.reached = true;
                self.answered(ask, &answer, now);
            }
            Some(ServerEvent::Error { code, text, .. }) => {
                self.reached = true;
                self.refused(ask, &code, &text, now);
            }
            Some(ServerEvent::Bye { reason }) => self.bye_reason = Some(reason),
            // Other events don't matter.
            None | Some(_) => {}
        }
    }

    fn greeting(&mut self, text: &str, now: Now) {
        let text = clean(text.trim_end());
        if let Some(refusal_line) = text.strip_prefix("! ") {
            let why = format!("{} refused: {refusal_line}", self.order.address);
            if !is_temporary_refusal(refusal_line) {
                return self.fail(&why, Exit::Refused);
            }
            self.last_error = Some(why);
        } else if !text.starts_with('*') {
            self.strange += 1;
            if self.strange > MAX_STRANGE {
                self.steps.push(SendAction::HangUp);
                self.lost("it doesn't speak the chat line protocol", now);
            }
        }
    }

    fn answered(&mut self, ask: SendRequest, answer: &OkAnswer, now: Now) {
        self.stage = SendStage::Ready;
        match ask {
            SendRequest::Format => self.ask(SendRequest::Identity, now),
            SendRequest::Identity => {
                if let Some(token) = answer.token() {
                    let name = self.order.identity.name().to_owned();
                    self.order.identity.set_token(token.clone());
                    self.steps.push(SendAction::Keep(name, token));
                }
                self.go_on(now);
            }
            SendRequest::Enter | SendRequest::Create => {
                self.entered = true;
                self.go_on(now);
            }
            SendRequest::Line => {
                self.said += 1;
                self.next_line(now);
            }
            SendRequest::Quit => self.finish(),
        }
    }

    /// Moves on to the next line.
    fn next_line(&mut self, now: Now) {
        self.lines.pop_front();
        self.attempt = 0;
        self.last_error = None;
        self.reached = true;
        self.since = (!self.lines.is_empty()).then_some(now.instant);
        self.go_on(now);
    }

    fn refused(&mut self, ask: SendRequest, code: &str, text: &str, now: Now) {
        self.stage = SendStage::Ready;
        // A refused line was not sent to the conversation.
        if let Some(line) = self.lines.front_mut().filter(|_| ask == SendRequest::Line) {
            line.uncertain = false;
        }
        let channel = self.order.to.starts_with('#');
        let returning = self.lost_at.is_some_and(|at| now.instant.duration_since(at) < RETURNING);
        let passes = match code {
            "unavailable" | "too-fast" | "user-busy" | "server-full" => ask != SendRequest::Quit,
            "name-taken" => ask == SendRequest::Identity,
            "no-such-user" => ask == SendRequest::Line && returning,
            _ => false,
        };
        match (ask, code) {
            _ if passes && self.order.again => {
                self.last_error = Some(format!("refused: {code}: {text}"));
                self.stage = SendStage::Pause(ask, now.instant + self.next_pause(now));
            }
            (SendRequest::Identity, "wrong-password") => self.wrong_credential(code, text, now),
            (SendRequest::Identity, "name-registered" | "not-signed-in") => self.fail(
                &format!(
                    "not signed in: {code}: {text} --token-file or --password-file says how to sign in"
                ),
                Exit::NotSignedIn,
            ),
            (SendRequest::Identity, _) => {
                self.fail(&format!("the name was refused: {code}: {text}"), Exit::Refused);
            }
            (SendRequest::Format, _) => {
                let why = format!("it doesn't know the JSON form ({code}: {text})");
                self.fail(&format!("lost {}: {why}", self.order.address), Exit::Lost);
            }
            (SendRequest::Line, "not-in-channel") if channel && !self.entered => self.ask(SendRequest::Enter, now),
            (SendRequest::Line | SendRequest::Enter, "no-such-channel") if self.order.create && !self.entered => {
                self.ask(SendRequest::Create, now);
            }
            (SendRequest::Create, "channel-exists") => self.ask(SendRequest::Enter, now),
            (SendRequest::Enter | SendRequest::Create, _)
            | (SendRequest::Line, "no-such-channel" | "not-in-channel" | "not-named" | "not-signed-in") => {
                self.fail(&format!("{} was refused: {code}: {text}", self.order.to), Exit::Refused);
            }
            (SendRequest::Line, _) => {
                if let Some(line) = self.lines.front() {
                    self.complain(format!("line {} was refused: {code}: {text}", line.number));
                }
                self.exit = Exit::Refused;
                self.next_line(now);
            }
            (SendRequest::Quit, _) => self.finish(),
        }
    }

    fn wrong_credential(&mut self, code: &str, text: &str, now: Now) {
        let name = self.order.identity.name().to_owned();
        let (wrong, more) = self.order.identity.next();
        let is_token = wrong.as_ref().is_some_and(crate::identity::SignInCredential::is_token);
        if let Some(crate::identity::SignInCredential::Token { secret, kept: true }) = wrong {
            self.steps.push(SendAction::Forget(name, secret));
        }
        if more {
            return self.ask(SendRequest::Identity, now);
        }
        let what = if is_token { "the token is not valid (any more)" } else { "not signed in" };
        self.fail(&format!("{what}: {code}: {text}"), Exit::NotSignedIn);
    }

    /// Sends the next line, or leaves, if either is due.
    fn go_on(&mut self, now: Now) {
        match (self.stage, self.lines.is_empty()) {
            (SendStage::Idle, false) => self.connect(),
            (SendStage::Ready, false) => self.ask(SendRequest::Line, now),
            (SendStage::Idle, true) if self.ended => self.finish(),
            (SendStage::Ready, true) if self.ended => self.ask(SendRequest::Quit, now),
            _ => {}
        }
    }

    fn connect(&mut self) {
        self.stage = SendStage::Connecting;
        self.steps.push(SendAction::Connect);
    }

    fn ask(&mut self, ask: SendRequest, now: Now) {
        let to = &self.order.to;
        let line = match ask {
            SendRequest::Format => "/format json".into(),
            SendRequest::Identity => self.order.identity.line(),
            SendRequest::Enter => format!("/enter {to}"),
            SendRequest::Create => format!("/create {to}"),
            SendRequest::Quit => "/quit".into(),
            SendRequest::Line => match self.lines.front_mut() {
                Some(line) => {
                    line.uncertain = true;
                    self.lines.front().map(|line| self.request(line)).unwrap_or_default()
                }
                None => return self.go_on(now),
            },
        };
        self.steps.push(SendAction::Send(line));
        self.stage = SendStage::Asked(ask, now.instant);
    }

    fn next_pause(&mut self, now: Now) -> Duration {
        let pause = backoff(self.attempt, now.jitter);
        self.attempt = self.attempt.saturating_add(1);
        pause
    }

    fn time_is_up(&mut self) {
        let last_error = self.last_error.take();
        let exit = if self.reached || last_error.is_none() { Exit::TimedOut } else { Exit::Lost };
        let secs = self.order.timeout.as_secs();
        let last_error =
            last_error.unwrap_or_else(|| format!("no answer from {}", self.order.address));
        self.fail(&format!("given up after {secs} s: {last_error}"), exit);
    }

    fn complain(&mut self, text: String) {
        self.steps.push(SendAction::Complain(text));
    }

    fn fail(&mut self, why: &str, exit: Exit) {
        let uncertain = self.lines.front().filter(|line| line.uncertain).map(|line| line.number);
        let outbox = self.lines.len() - usize::from(uncertain.is_some());
        let mut text = match outbox {
            0 => String::new(),
            1 => "1 line was not said".into(),
            more => format!("{more} lines were not said"),
        };
        if let Some(number) = uncertain {
            let and = if outbox > 0 { ", and " } else { "" };
            text = format!("{text}{and}line {number} may have been said or not");
        }
        if !self.ended {
            text.push_str("; the input may hold more");
        }
        self.complain(format!("{}. {text}.", why.trim_end_matches('.')));
        self.stage = SendStage::Over;
        self.steps.push(SendAction::HangUp);
        self.steps.push(SendAction::Finish(exit));
    }

    fn finish(&mut self) {
        self.stage = SendStage::Over;
        self.steps.push(SendAction::Finish(self.exit));
    }
}

#[cfg(test)]
mod tests;
