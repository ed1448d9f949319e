//! Sending messages: one at a time, so that at most one is uncertain and none overtakes another.

use std::time::Duration;

use super::outbox::{OutboxItem, PendingMessage, ResendDecision, SendRecord};
use super::{ClientSession, Mode, Now, PendingRequest, SessionStage};
use crate::backoff::backoff;
use crate::input_line::{InputLine, MessageTarget, holds_password};
use crate::proto::Secret;
use crate::server_event::OkAnswer;
use crate::show::DisplayItem;

/// Typed lines that may wait at a terminal: some screens of text, and less than a server's burst.
pub(crate) const MAX_OUTBOX: usize = 100;
/// How often a pipe sends a line that is refused temporarily: for half a minute in all.
pub(super) const MAX_PIPE_TRIES: u32 = 5;
/// For this long after a reconnection an absent user may still be reconnecting too. A client with
/// backoff has made three attempts by then.
const RETURNING: Duration = Duration::from_secs(15);
/// Lines that are given back one by one.
pub(super) const TOLD_UNSAID: usize = 10;

impl ClientSession {
    /// Queues a typed line that the client doesn't handle itself.
    pub(super) fn put(&mut self, typed: InputLine, now: Now) {
        if self.options.mode == Mode::Terminal && self.outbox.len() >= MAX_OUTBOX {
            let wait = format!("{MAX_OUTBOX} lines wait already");
            return self.show(DisplayItem::warning(format!("Not said, {wait}: {}", back(&typed))));
        }
        // The destination is fixed when the line is typed, unless a command before it may change
        // it.
        let early = !self.outbox.has_command() && !self.is_asked_by_person() && self.is_settled();
        let place = early.then(|| self.place_of_lines().map(ToOwned::to_owned)).flatten();
        let writer = self.last_writer.as_ref().filter(|_| early).map(|user| format!("@{user}"));
        self.keys += 1;
        self.outbox.push(typed, format!("{:x}-{}", self.options.seed, self.keys));
        if let Some(line) = self.outbox.last_line()
            && line.to.is_none()
        {
            line.to = if line.saying.aim == MessageTarget::Writer { writer } else { place };
        }
        self.say_next(now);
    }

    /// The current conversation, also during a reconnection.
    pub(super) fn place_of_lines(&self) -> Option<&str> {
        match &self.stage {
            SessionStage::Entering { home, .. } => home.as_deref(),
            _ => self.conversations.current(),
        }
    }

    fn is_asked_by_person(&self) -> bool {
        self.pending.iter().any(|pending| matches!(pending, PendingRequest::Typed(_)))
    }

    /// Sends the next typed line, if it is due.
    pub(super) fn say_next(&mut self, now: Now) {
        while matches!(self.stage, SessionStage::Ready { .. })
            && self.retry_at.is_none()
            && !self
                .pending
                .iter()
                .any(|pending| matches!(pending, PendingRequest::Typed(_) | PendingRequest::Line))
        {
            if self.password_asked {
                match self.outbox.pop() {
                    None => break,
                    Some(
                        OutboxItem::Command(typed) | OutboxItem::Line(PendingMessage { typed, .. }),
                    ) => {
                        self.send_password(&Secret::new(&typed.line), now);
                    }
                }
                continue;
            }
            match self.outbox.first() {
                None => break,
                Some(OutboxItem::Command(_)) => {
                    if let Some(OutboxItem::Command(typed)) = self.outbox.pop() {
                        self.send(typed, now);
                    }
                }
                Some(OutboxItem::Line(line)) => {
                    let line = line.clone();
                    self.say(line, now);
                }
            }
        }
        self.quit_when_sent(now);
    }

    fn say(&mut self, line: PendingMessage, now: Now) {
        let me = self.me.clone().unwrap_or_default();
        let to = line.to.clone().or_else(|| match line.saying.aim {
            MessageTarget::Writer => self.last_writer.as_ref().map(|user| format!("@{user}")),
            _ => self.conversations.current().map(ToOwned::to_owned),
        });
        let Some(to) = to else {
            // There is no destination; the server's error describes that best.
            self.outbox.pop();
            return self.send(line.typed, now);
        };
        match line.fate(&me) {
            ResendDecision::Send => {}
            ResendDecision::Said => {
                // It was already shown in its place.
                self.outbox.pop();
                return;
            }
            ResendDecision::Unknown => {
                self.outbox.pop();
                return self.show(DisplayItem::warning(format!(
                    "It can't be told whether this was said into {to}: {}. /history {to} shows it if it was.",
                    back(&line.typed)
                )));
            }
        }
        self.go_home(now);
        let Some(request) = line.request(&to, self.conversations.current()) else {
            self.outbox.pop();
            let text = back(&line.typed);
            return self
                .show(DisplayItem::warning(format!("Not said, you are not in {to} now: {text}")));
        };
        let after = self.conversations.last(&to).or_else(|| to.starts_with('#').then_some(0));
        if self.options.mode == Mode::Terminal && line.typed.is_command() && line.sent.is_none() {
            self.show(DisplayItem::Typed { line: line.typed.discreet() });
        }
        if let Some(line) = self.outbox.first_line() {
            line.to = Some(to);
            // A message with a key may be stored already, so the record of the first attempt stays.
            line.sent.get_or_insert(SendRecord {
                by: me,
                after,
                uncertain: false,
                checked: false,
                found: None,
            });
        }
        self.ask(PendingRequest::Line, request, now);
        self.look_up_rest(now);
    }

    /// The message is delivered.
    pub(super) fn said(&mut self, answer: &OkAnswer, now: Now) {
        let Some(OutboxItem::Line(line)) = self.outbox.pop() else { return };
        self.stalls = 0;
        let id = answer.fields().number("id");
        let found = line.sent.as_ref().and_then(|sent| sent.found);
        // It may have been shown among the missed messages.
        if id.is_none() || found != id {
            let again = line.sent.is_some_and(|sent| sent.uncertain);
            self.show_own(&line.typed, answer, again, now);
        }
    }

    /// The message is refused, temporarily or permanently.
    pub(super) fn on_refused(&mut self, code: String, text: String, now: Now) {
        let Some(line) = self.outbox.first_line() else { return };
        let to_person = line.to.as_deref().is_some_and(|to| to.starts_with('@'));
        let back_at = self.back_at.filter(|_| to_person && code == "no-such-user");
        let returning = back_at.is_some_and(|at| now.instant.duration_since(at) < RETURNING);
        let momentary = code == "unavailable" || returning;
        let out_of_patience = self.options.mode == Mode::Pipe && line.tries >= MAX_PIPE_TRIES;
        if momentary && !out_of_patience {
            line.tries += 1;
            let first = line.tries == 1;
            let said = line.saying.text.clone();
            let pause = backoff(self.stalls, now.jitter);
            self.stalls = self.stalls.saturating_add(1);
            self.retry_at = Some(now.instant + pause);
            if first {
                self.warn(format!(
                    "Not said yet: {said} ({text}) It is tried again by itself, first in {} s.",
                    pause.as_secs()
                ));
            }
            return;
        }
        let typed = line.typed.clone();
        self.outbox.pop();
        self.show_refusal(code, text);
        if self.options.mode == Mode::Terminal {
            self.show(DisplayItem::warning(format!("Not said: {}", back(&typed))));
        }
    }

    /// Shows a warning.
    pub(super) fn warn(&mut self, text: String) {
        match self.options.mode {
            Mode::Terminal => self.show(DisplayItem::warning(text)),
            Mode::Pipe => self.actions.push(super::SessionAction::Complain(text)),
        }
    }

    /// A line typed without a connection waits, and a warning says so.
    pub(super) fn put_offline(&mut self, typed: InputLine, now: Now) {
        let full = self.outbox.len() >= MAX_OUTBOX;
        if typed.saying().is_none() || (self.place_of_lines().is_none() && !typed.has_target()) {
            return self.show(DisplayItem::warning(format!(
                "Not sent, there is no connection: {}",
                back(&typed)
            )));
        }
        let text = typed.discreet();
        self.put(typed, now);
        if !full {
            let to = self.outbox.last_line().and_then(|line| line.to.clone());
            let into = to.map(|to| format!(" into {to}")).unwrap_or_default();
            self.show(DisplayItem::warning(format!(
                "Not said yet: {text} (it goes{into} once the connection is back)"
            )));
        }
    }

    /// Gives lines back to the user.
    pub(super) fn give_back(&mut self, why: &str, lines: &[InputLine]) {
        for typed in lines.iter().take(TOLD_UNSAID) {
            self.show(DisplayItem::warning(format!("{why}: {}", back(typed))));
        }
        if let Some(more) = lines.len().checked_sub(TOLD_UNSAID).filter(|more| *more > 0) {
            self.show(DisplayItem::warning(format!(
                "{why}: {more} more lines (Up brings them back)"
            )));
        }
    }
}

/// The line, with a hint how to recall it; a line with a password can't be recalled.
fn back(typed: &InputLine) -> String {
    let line = typed.discreet();
    if typed.secret || holds_password(&typed.line) {
        line
    } else {
        format!("{line} (Up brings it back)")
    }
}
