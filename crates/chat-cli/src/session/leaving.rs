//! Leaving, and losing the connection.

use std::mem;
use std::time::Duration;

use super::{
    ClientSession, Exit, Mode, Now, PendingRequest, ServerContact, SessionAction, SessionStage,
};
use crate::backoff::backoff;
use crate::exit::is_temporary_refusal;
use crate::input_line::InputLine;
use crate::show::DisplayItem;

/// Lines before the first one in JSON that are neither a greeting nor a refusal; with more the
/// server speaks another protocol.
pub(super) const MAX_STRANGE: usize = 50;
/// How long to wait for the `bye`.
pub(super) const BYE_DEADLINE: Duration = Duration::from_secs(3);
/// Longer than all deadlines of a pipe's lines.
const PIPE_PATIENCE: Duration = Duration::from_hours(24);
/// A connection that lasted this long resets the backoff.
pub(super) const STEADY: Duration = Duration::from_secs(10);
/// Failures that are shown one by one; after that the backoff has reached its maximum.
pub(super) const TOLD_FAILURES: u32 = 6;

impl ClientSession {
    /// The connection failed or is lost.
    pub(crate) fn lost(&mut self, reason: &str, now: Now) {
        let stage = mem::replace(&mut self.stage, SessionStage::Over);
        let was_connected = stage != SessionStage::Connecting;
        let was_refused = matches!(stage, SessionStage::Greeting { refusal: Some(_), .. });
        let address = &self.options.address;
        // The first is for a script's error output and names the server, the second for a user.
        let (named, short) = match &stage {
            SessionStage::Over => return,
            SessionStage::Leaving { .. } => return self.finish_left(),
            SessionStage::Connecting => {
                (format!("can't reach {address}: {reason}"), format!("No connection: {reason}"))
            }
            SessionStage::Greeting { refusal: Some(refusal), .. } => {
                (format!("{address} refused: {refusal}"), format!("The server refused: {refusal}"))
            }
            _ => match self.bye_reason.take() {
                Some(bye_reason) => (
                    format!("{address} closed the connection: {bye_reason}"),
                    format!("The server closed the connection: {bye_reason}"),
                ),
                None => (format!("lost {address}: {reason}"), format!("Connection lost: {reason}")),
            },
        };
        self.renderer.forget();
        self.forget_past();
        // They are requested again, after the last line shown.
        self.waiting.clear();
        self.step_at = None;
        self.retry_at = None;
        self.password_asked = false;
        self.passwords.clear();
        self.reentered.clear();
        self.to_look_up.clear();
        let unconfirmed: Vec<InputLine> = mem::take(&mut self.pending)
            .into_iter()
            .filter_map(|pending| match pending {
                PendingRequest::Typed(typed) => Some(typed),
                _ => None,
            })
            .collect();
        if self.options.mode == Mode::Pipe || self.contact == ServerContact::Stranger {
            let count = unconfirmed.len() + self.outbox.len();
            let lines = if count == 1 { "line was" } else { "lines were" };
            let more =
                if count > 0 { format!("; {count} {lines} not confirmed") } else { String::new() };
            let refused = was_refused.then_some(self.ends_with).flatten();
            return self.fail(named + &more, refused.unwrap_or(Exit::Lost));
        }
        if self.quit_at.is_some() {
            return self.finish_left();
        }
        self.give_back("Not confirmed", &unconfirmed);
        let back = self.outbox.given_back(!unconfirmed.is_empty());
        self.give_back("Not sent", &back);
        if let Some(exit) = self.ends_with {
            return self.fail(named, exit);
        }
        if let SessionStage::Ready { since } = stage
            && now.instant.duration_since(since) >= STEADY
        {
            self.failures = 0;
        }
        if let SessionStage::Entering { home, .. } = stage {
            self.conversations.stay_in(home);
            self.conversations.arrive();
        }
        let pause = backoff(self.failures, now.jitter);
        self.failures = self.failures.saturating_add(1);
        let secs = pause.as_secs();
        if self.failures < TOLD_FAILURES {
            self.show(DisplayItem::warning(format!("{short}. Trying again in {secs} s.")));
        } else if self.failures == TOLD_FAILURES {
            self.show(DisplayItem::warning(format!(
                "{short}. Trying again every {secs} s from now on; an empty line tries at once."
            )));
        }
        if was_connected {
            self.report_waiting();
        }
        self.stage = SessionStage::Offline { until: now.instant + pause };
    }

    /// Answers to the client's own requests have no effect any more.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.stage, SessionStage::Leaving { .. })
    }

    pub(super) fn quit(&mut self, line: String, now: Now) {
        match self.stage {
            SessionStage::Over | SessionStage::Leaving { .. } => {}
            SessionStage::Connecting | SessionStage::Offline { .. } => self.finish_left(),
            // The server would take the line as the password.
            _ if self.password_asked && self.options.mode == Mode::Pipe => {
                let why = "the input ended before the password that the server asked for";
                self.fail(why.into(), Exit::NotSignedIn);
            }
            _ if self.password_asked => self.finish_left(),
            // A second request to leave isn't deferred any longer.
            _ if self.quit_at.is_some() && self.options.mode == Mode::Terminal => {
                self.finish_left();
            }
            SessionStage::Ready { .. } if !self.outbox.is_empty() => {
                let patience = match self.options.mode {
                    Mode::Terminal => BYE_DEADLINE,
                    Mode::Pipe => PIPE_PATIENCE,
                };
                self.quit_at = Some((line, now.instant + patience));
            }
            _ => {
                self.step_at = None;
                self.ask(PendingRequest::Quit, line, now);
                self.stage = SessionStage::Leaving { until: now.instant + BYE_DEADLINE };
            }
        }
    }

    pub(super) fn quit_when_sent(&mut self, now: Now) {
        if self.outbox.is_empty()
            && matches!(self.stage, SessionStage::Ready { .. })
            && let Some((line, _)) = self.quit_at.take()
        {
            self.quit(line, now);
        }
    }

    pub(super) fn leave_when_all_is_answered(&mut self, now: Now) {
        let idle = matches!(self.stage, SessionStage::Ready { .. } | SessionStage::Nameless);
        if !(self.input_ended && idle && self.pending.is_empty() && self.outbox.is_empty()) {
            return;
        }
        if self.stage == SessionStage::Nameless && !self.options.enter.is_empty() {
            return self.fail("the input ended before a name was given".into(), Exit::Refused);
        }
        self.quit("/quit".into(), now);
    }

    pub(super) fn finish_left(&mut self) {
        let pending = self
            .pending
            .iter()
            .filter(|pending| matches!(pending, PendingRequest::Typed(_)))
            .count();
        let unanswered = pending + self.outbox.len();
        if unanswered > 0 && self.options.mode == Mode::Pipe {
            return self.fail(
                format!("left {} before {unanswered} answers came", self.options.address),
                Exit::Lost,
            );
        }
        self.quit_at = None;
        let outbox = self.outbox.take();
        self.report_unconfirmed(&outbox);
        self.stage = SessionStage::Over;
        // A user has seen the refusals; a script learns of them by the exit code.
        let refused = self.refused && self.options.mode == Mode::Pipe;
        let exit = if refused { Exit::Refused } else { Exit::Done };
        self.actions.push(SessionAction::Finish(exit));
    }

    pub(super) fn fail(&mut self, why: String, exit: Exit) {
        self.stage = SessionStage::Over;
        self.actions.push(SessionAction::Complain(why));
        self.actions.push(SessionAction::Finish(exit));
    }

    pub(super) fn connect(&mut self) {
        self.stage = SessionStage::Connecting;
        self.actions.push(SessionAction::Connect);
    }

    pub(super) fn drop_link(&mut self, reason: &str, now: Now) {
        self.actions.push(SessionAction::HangUp);
        self.lost(reason, now);
    }

    pub(super) fn greeting_line(&mut self, text: &str, now: Now) {
        let SessionStage::Greeting { strange, refusal } = &mut self.stage else { return };
        let text = crate::proto::clean(text.trim_end());
        if let Some(refusal_line) = text.strip_prefix("! ") {
            *refusal = Some(refusal_line.to_owned());
            if !is_temporary_refusal(refusal_line) {
                self.ends_with = Some(Exit::Refused);
                self.drop_link("it refused", now);
            }
        } else if text.starts_with('*') {
            // Scripts don't need the greeting, and it is shown only once; the hint how to begin is
            // only for a user without a name.
            let greets =
                self.options.mode == Mode::Terminal && self.contact == ServerContact::Stranger;
            let beginning = text.starts_with("* Type your name to begin");
            if greets && !(beginning && self.identity.is_some()) {
                self.show(DisplayItem::sentence(text.trim_start_matches(['*', ' ']).to_owned()));
            }
        } else {
            *strange += 1;
            if *strange > MAX_STRANGE {
                self.drop_link("it doesn't speak the chat line protocol", now);
            }
        }
    }

    /// Shows how many lines wait for the connection.
    fn report_waiting(&mut self) {
        let lines = match self.outbox.len() {
            0 => return,
            1 => "1 line isn't".to_owned(),
            count => format!("{count} lines aren't"),
        };
        self.show(DisplayItem::warning(format!(
            "{lines} said yet, as far as is known; what is missing goes once the connection is back."
        )));
    }

    /// Shows the unconfirmed lines at the end of the screen.
    fn report_unconfirmed(&mut self, outbox: &[InputLine]) {
        for typed in outbox {
            self.show(DisplayItem::warning(format!(
                "Left without knowing that it was said: {}",
                typed.discreet()
            )));
        }
    }
}
