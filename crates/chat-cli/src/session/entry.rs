//! Entering: the name, then the channels.

use super::resume::{Detour, ResumeStep};
use super::{
    ClientSession, Exit, Identity, Mode, Now, PendingRequest, ServerContact, SessionStage,
};
use super::{devices, resume};
use crate::backoff::backoff;
use crate::server_event::OkAnswer;
use crate::show::DisplayItem;

/// How often the client retries a name that its own dead connection still holds: 95 s in all, after
/// which a server has dropped a connection that takes nothing.
pub(super) const MAX_NAME_TRIES: u32 = 14;

impl ClientSession {
    pub(super) fn take_name(&mut self, now: Now) {
        match self.identity.as_ref().map(Identity::line) {
            Some(line) => {
                self.stage = SessionStage::Naming;
                self.progress_at = now.instant;
                self.ask(PendingRequest::Identity, line, now);
            }
            None => self.stage = SessionStage::Nameless,
        }
    }

    /// The server has accepted the name in `identity`.
    pub(super) fn named(&mut self, answer: &OkAnswer, now: Now) {
        let asked_for = || self.identity.as_ref().map(|identity| identity.name().to_owned());
        let before = self.account.take();
        self.me = answer.fields().text("name").or_else(asked_for);
        let signs_in = matches!(answer.re.as_str(), "login" | "register");
        self.account = self.me.clone().filter(|_| signs_in);
        self.keep_token(answer);
        self.conversations.begin();
        let back = self.reenter();
        self.name_tries = 0;
        if self.is_settled() {
            self.show(DisplayItem::warning(format!(
                "Connected again to {}.",
                self.options.address
            )));
        }
        let same_account = before.is_some_and(|name| signs_in && self.is_me(&name));
        if self.is_settled() && same_account {
            self.leave_behind(&back);
        }
        let mut steps = if self.is_settled() {
            resume::steps(&self.conversations)
        } else {
            self.options.enter.iter().map(|channel| ResumeStep::enter(channel, None)).collect()
        };
        if self.is_settled() {
            self.back_at = Some(now.instant);
            // Live messages follow the missed ones.
            let chats: Vec<_> = self.conversations.chats().map(ToOwned::to_owned).collect();
            for chat in chats {
                self.wait_in(&chat);
            }
        }
        let home = self.conversations.take_current();
        let wished =
            self.options.enter.last().filter(|_| self.account.is_some() && !self.is_settled());
        let home = home.or_else(|| wished.cloned());
        if self.account.is_some() {
            let is_reached = |step: &ResumeStep| devices::is_reached(step, &back);
            let (reached, left): (Vec<_>, Vec<_>) = steps.into_iter().partition(is_reached);
            steps = left.into();
            for step in reached {
                // No messages were missed there.
                self.outbox.checked(&step.place());
                self.go_live(&step.place());
            }
        }
        self.count_new(&back);
        self.stage = SessionStage::Entering { steps, home };
        self.next_goal(now);
    }

    pub(super) fn name_refused(&mut self, code: String, text: String, now: Now) {
        let passing =
            matches!(code.as_str(), "name-taken" | "too-fast" | "server-full" | "unavailable");
        if self.is_settled() && passing && self.name_tries < MAX_NAME_TRIES {
            let until = now.instant + backoff(self.name_tries.min(3), now.jitter);
            if self.name_tries == 0 {
                self.show(DisplayItem::warning(format!(
                    "The name can't be had yet ({code}: {text}) It is asked for again by itself."
                )));
            }
            self.name_tries += 1;
            self.stage = SessionStage::NamePause { until };
        } else if code == "wrong-password" {
            self.credential_refused(code, text, now);
        } else if self.options.mode == Mode::Pipe {
            let needs_account = matches!(code.as_str(), "name-registered" | "not-signed-in");
            let exit = if needs_account { Exit::NotSignedIn } else { Exit::Refused };
            self.fail(format!("the name was refused: {code}: {text}"), exit);
        } else {
            self.name_tries = 0;
            self.identity = None;
            self.stage = SessionStage::Nameless;
            self.show_refusal(code, text);
        }
    }

    pub(super) fn next_goal(&mut self, now: Now) {
        let SessionStage::Entering { steps, .. } = &mut self.stage else { return };
        match steps.pop_front() {
            Some(step) => self.ask_for(step, now),
            None => self.ready(now),
        }
    }

    pub(super) fn ask_for(&mut self, step: ResumeStep, now: Now) {
        let line = step.line();
        self.ask(PendingRequest::Goal(step), line, now);
    }

    pub(super) fn reached(&mut self, step: &ResumeStep, now: Now) {
        step.reached(&mut self.conversations);
        self.step_stalls = 0;
        if step.after().is_some() {
            self.outbox.checked(&step.place());
        }
        self.go_live(&step.place());
        self.next_goal(now);
    }

    pub(super) fn missed(&mut self, step: &ResumeStep, code: String, text: String, now: Now) {
        match step.otherwise(&code) {
            Detour::Other(other) => return self.ask_for(other, now),
            Detour::Anew(other) => {
                let place = other.place();
                self.conversations.forget_last(&place);
                let id = step.after().unwrap_or(0);
                self.show(DisplayItem::warning(format!(
                    "The server doesn't have line {id} of {place} any more, up to which you had read; it may \
                     have been set back. What it has last follows, /history {place} shows more."
                )));
                return self.ask_for(other, now);
            }
            Detour::Later(other) if self.options.mode == Mode::Terminal => {
                let pause = backoff(self.step_stalls, now.jitter);
                if self.step_stalls == 0 {
                    self.show(DisplayItem::warning(format!(
                        "{} can't be gone back to yet ({code}: {text}) It is tried again by itself.",
                        other.place()
                    )));
                }
                self.step_stalls = self.step_stalls.saturating_add(1);
                self.step_at = Some((other, now.instant + pause));
                return;
            }
            Detour::Without => {
                self.go_live(&step.place());
                return self.next_goal(now);
            }
            Detour::Later(_) | Detour::None => {}
        }
        if self.options.mode == Mode::Pipe {
            return self
                .fail(format!("{} was refused: {code}: {text}", step.place()), Exit::Refused);
        }
        self.show_refusal(code, text);
        self.go_live(&step.place());
        if matches!(self.stage, SessionStage::Ready { .. }) {
            return self.conversations.followed_out(&step.place());
        }
        self.conversations.left(&step.place());
        self.next_goal(now);
    }

    pub(super) fn ready(&mut self, now: Now) {
        if let SessionStage::Entering { home, .. } = &self.stage {
            if self.account.is_some() {
                self.conversations.settle_in(home.clone());
            } else if self.conversations.current().is_none() && home.is_some() {
                self.conversations.set_current(home.clone());
            }
        }
        self.conversations.arrive();
        self.stage = SessionStage::Ready { since: now.instant };
        if !self.is_settled() {
            self.look_up("/channels".into(), now);
        }
        self.contact = ServerContact::Settled;
        self.retry_at = None;
        self.say_next(now);
    }
}
