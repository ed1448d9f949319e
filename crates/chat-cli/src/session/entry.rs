//! The way in: the name, then the channels.

use super::devices;
use super::goal::{Detour, Goal};
use super::{Asked, Exit, Identity, Mode, Now, Session, Stage, Standing};
use crate::incoming::Answer;
use crate::pause::pause;
use crate::show::Shown;

/// How often a name that is still held by one's own dead connection is asked for again.
/// 95 s in all, by when a server has given up a connection that takes nothing.
pub(super) const MAX_NAME_TRIES: u32 = 14;

impl Session {
    pub(super) fn take_name(&mut self, now: Now) {
        match self.identity.as_ref().map(Identity::line) {
            Some(line) => {
                self.stage = Stage::Naming;
                self.progress_at = now.instant;
                self.ask(Asked::Identity, line, now);
            }
            None => self.stage = Stage::Nameless,
        }
    }

    /// The server has agreed to the name in `identity`.
    pub(super) fn named(&mut self, answer: &Answer, now: Now) {
        let asked_for = || self.identity.as_ref().map(|identity| identity.name().to_owned());
        let before = self.account.take();
        self.me = answer.fields().text("name").or_else(asked_for);
        let signs_in = matches!(answer.re.as_str(), "login" | "register");
        self.account = self.me.clone().filter(|_| signs_in);
        self.keep_token(answer);
        self.places.begin();
        let back = self.reenter();
        self.name_tries = 0;
        if self.is_settled() {
            self.show(Shown::warning(format!("Connected again to {}.", self.wish.address)));
        }
        let same_account = before.is_some_and(|name| signs_in && self.is_me(&name));
        if self.is_settled() && same_account {
            self.leave_behind(&back);
        }
        let mut goals = if self.is_settled() {
            self.places.goals()
        } else {
            self.wish.enter.iter().map(|channel| Goal::enter(channel, None)).collect()
        };
        if self.is_settled() {
            self.back_at = Some(now.instant);
            // What is said there from now on comes after what was said meanwhile.
            let chats: Vec<_> = self.places.chats().map(ToOwned::to_owned).collect();
            for chat in chats {
                self.wait_in(&chat);
            }
        }
        let home = self.places.take_current();
        let wished =
            self.wish.enter.last().filter(|_| self.account.is_some() && !self.is_settled());
        let home = home.or_else(|| wished.cloned());
        if self.account.is_some() {
            let is_reached = |goal: &Goal| devices::is_reached(goal, &back);
            let (reached, left): (Vec<_>, Vec<_>) = goals.into_iter().partition(is_reached);
            goals = left.into();
            for goal in reached {
                // Nothing was said there since.
                self.unsaid.checked(&goal.place());
                self.go_live(&goal.place());
            }
        }
        self.count_new(&back);
        self.stage = Stage::Entering { goals, home };
        self.next_goal(now);
    }

    pub(super) fn name_refused(&mut self, code: String, text: String, now: Now) {
        let passing =
            matches!(code.as_str(), "name-taken" | "too-fast" | "server-full" | "unavailable");
        if self.is_settled() && passing && self.name_tries < MAX_NAME_TRIES {
            let until = now.instant + pause(self.name_tries.min(3), now.luck);
            if self.name_tries == 0 {
                self.show(Shown::warning(format!(
                    "The name can't be had yet ({code}: {text}) It is asked for again by itself."
                )));
            }
            self.name_tries += 1;
            self.stage = Stage::NamePause { until };
        } else if code == "wrong-password" {
            self.credential_refused(code, text, now);
        } else if self.wish.mode == Mode::Pipe {
            let needs_account = matches!(code.as_str(), "name-registered" | "not-signed-in");
            let exit = if needs_account { Exit::NotSignedIn } else { Exit::Refused };
            self.fail(format!("the name was refused: {code}: {text}"), exit);
        } else {
            self.name_tries = 0;
            self.identity = None;
            self.stage = Stage::Nameless;
            self.show_refusal(code, text);
        }
    }

    pub(super) fn next_goal(&mut self, now: Now) {
        let Stage::Entering { goals, .. } = &mut self.stage else { return };
        match goals.pop_front() {
            Some(goal) => self.ask_for(goal, now),
            None => self.ready(now),
        }
    }

    pub(super) fn ask_for(&mut self, goal: Goal, now: Now) {
        let line = goal.line();
        self.ask(Asked::Goal(goal), line, now);
    }

    pub(super) fn reached(&mut self, goal: &Goal, now: Now) {
        goal.reached(&mut self.places);
        self.goal_stalls = 0;
        if goal.after().is_some() {
            self.unsaid.checked(&goal.place());
        }
        self.go_live(&goal.place());
        self.next_goal(now);
    }

    pub(super) fn missed(&mut self, goal: &Goal, code: String, text: String, now: Now) {
        match goal.otherwise(&code) {
            Detour::Other(other) => return self.ask_for(other, now),
            Detour::Anew(other) => {
                let place = other.place();
                self.places.forget_last(&place);
                let id = goal.after().unwrap_or(0);
                self.show(Shown::warning(format!(
                    "The server doesn't have line {id} of {place} any more, up to which you had read; it may \
                     have been set back. What it has last follows, /history {place} shows more."
                )));
                return self.ask_for(other, now);
            }
            Detour::Later(other) if self.wish.mode == Mode::Terminal => {
                let pause = pause(self.goal_stalls, now.luck);
                if self.goal_stalls == 0 {
                    self.show(Shown::warning(format!(
                        "{} can't be gone back to yet ({code}: {text}) It is tried again by itself.",
                        other.place()
                    )));
                }
                self.goal_stalls = self.goal_stalls.saturating_add(1);
                self.goal_at = Some((other, now.instant + pause));
                return;
            }
            Detour::Without => {
                self.go_live(&goal.place());
                return self.next_goal(now);
            }
            Detour::Later(_) | Detour::None => {}
        }
        if self.wish.mode == Mode::Pipe {
            return self
                .fail(format!("{} was refused: {code}: {text}", goal.place()), Exit::Refused);
        }
        self.show_refusal(code, text);
        self.go_live(&goal.place());
        if matches!(self.stage, Stage::Ready { .. }) {
            return self.places.followed_out(&goal.place());
        }
        self.places.left(&goal.place());
        self.next_goal(now);
    }

    pub(super) fn ready(&mut self, now: Now) {
        if let Stage::Entering { home, .. } = &self.stage {
            if self.account.is_some() {
                self.places.settle_in(home.clone());
            } else if self.places.current().is_none() && home.is_some() {
                self.places.set_current(home.clone());
            }
        }
        self.places.arrive();
        self.stage = Stage::Ready { since: now.instant };
        if !self.is_settled() {
            self.look_up("/channels".into(), now);
        }
        self.standing = Standing::Settled;
        self.retry_at = None;
        self.say_next(now);
    }
}
