//! Questions and their answers, and what the server tells by itself.

use super::place::Places;
use super::{Action, Asked, Exit, Mode, Now, Session, Stage};
use crate::incoming::{Answer, Change, Incoming, Said};
use crate::show::{Shown, same_name};
use crate::tell::Own;
use crate::typed::Typed;

/// People of a channel that are looked up for completion when it is entered; in a larger one those
/// who speak have to do.
const MAX_LOOKED_UP: u64 = 200;

impl Session {
    pub(super) fn ask(&mut self, asked: Asked, line: String, now: Now) {
        if self.asked.is_empty() {
            self.progress_at = now.instant;
        }
        self.asked.push_back(asked);
        self.actions.push(Action::Send(line));
    }

    pub(super) fn send(&mut self, typed: Typed, now: Now) {
        self.go_home(now);
        if self.wish.mode == Mode::Terminal && typed.is_command() && !typed.secret {
            self.show(Shown::Typed { line: typed.discreet() });
        }
        let line = typed.line.clone();
        self.ask(Asked::Typed(typed), line, now);
        self.look_up_rest(now);
    }

    pub(super) fn answered(&mut self, answer: &Answer, now: Now) {
        let Some(asked) = self.asked.pop_front() else { return };
        match asked {
            Asked::Format | Asked::Identity | Asked::Goal(_) if self.is_leaving() => {
                // What was told with it is read, as the server takes it.
                self.show_past(&asked);
                self.teller.forget();
            }
            Asked::Format => self.take_name(now),
            Asked::Identity => {
                self.show_past(&Asked::Identity);
                self.named(answer, now);
            }
            Asked::Goal(goal) => {
                if answer.re != "history" {
                    self.show_answer(&goal.line(), answer);
                }
                self.show_past(&Asked::Goal(goal.clone()));
                self.apply(answer, now);
                self.settle_last(answer, goal.after().is_none());
                self.reached(&goal, now);
            }
            Asked::Typed(typed) => {
                // A list has its closing line, an entry its opening one.
                let closing = answer.re == "search";
                if answer.re == "login"
                    && answer.fields().has("name")
                    && matches!(self.stage, Stage::Ready { .. })
                {
                    // They were another one's.
                    self.places.forget_chats();
                }
                if closing {
                    self.show_past(&Asked::Typed(typed.clone()));
                }
                self.show_answer(&typed.line, answer);
                if !closing {
                    self.show_past(&Asked::Typed(typed.clone()));
                }
                self.apply(answer, now);
                self.settle_last(answer, !typed.line.to_lowercase().contains(" after "));
                self.show_own(&typed, answer, false, now);
                self.settle_account(&typed, answer, now);
                self.answer_asking(now);
            }
            Asked::Lookup => self.teller.forget(),
            Asked::Fetch(fetch) => {
                self.show_past(&Asked::Fetch(fetch.clone()));
                self.fetched(fetch, answer, now);
            }
            Asked::Line => self.said(answer, now),
            Asked::Ping | Asked::Quit => {}
        }
    }

    pub(super) fn refused(&mut self, re: &str, code: String, text: String, now: Now) {
        self.forget_past();
        // A refusal ends the asking.
        if let Some(Asked::Typed(typed)) = self.asked.front()
            && typed.is_about_password()
        {
            self.password_asked = false;
            self.passwords.clear();
        }
        match self.asked.pop_front() {
            Some(Asked::Format | Asked::Identity | Asked::Goal(_)) if self.is_leaving() => {
                self.teller.forget();
                // A script has to know that it wasn't where it wanted to be.
                if self.wish.mode == Mode::Pipe {
                    self.show_refusal(code, text);
                }
            }
            Some(Asked::Format) => {
                let reason = format!("it doesn't know the JSON form ({code}: {text})");
                self.drop_link(&reason, now);
            }
            Some(Asked::Identity) => self.name_refused(code, text, now),
            Some(Asked::Goal(goal)) => self.missed(&goal, code, text, now),
            Some(Asked::Typed(_))
                if self.wish.mode == Mode::Pipe
                    && self.stage == Stage::Nameless
                    && matches!(re, "name" | "login") =>
            {
                self.name_refused(code, text, now);
            }
            Some(Asked::Typed(_)) | None => self.show_refusal(code, text),
            Some(Asked::Line) => self.not_said(code, text, now),
            Some(Asked::Fetch(fetch)) => self.not_fetched(&fetch, &code, &text),
            Some(Asked::Lookup | Asked::Ping | Asked::Quit) => self.teller.forget(),
        }
    }

    pub(super) fn told(&mut self, incoming: Incoming, now: Now) {
        self.note(&incoming);
        if let Incoming::Bye { reason } = &incoming {
            self.farewell = Some(reason.clone());
        }
        match incoming {
            Incoming::Message { channel, said } => {
                let own = self.is_me(&said.from);
                self.heard(channel, said, own);
            }
            Incoming::Private { to, said } => {
                let own = self.is_me(&said.from);
                let other = if own { &to } else { &said.from };
                self.heard(format!("@{other}"), said, own);
            }
            Incoming::Password => self.password_asked = true,
            Incoming::SignedOut { ref name, ref reason } => {
                self.told_more(&incoming);
                self.signed_out(name, reason, now);
            }
            Incoming::Reentered { channel, members, topic, last } if !self.is_signing_in() => {
                self.follow_in(&channel, members, topic.as_ref(), last);
            }
            Incoming::Left { channel, user, .. } if self.is_me(&user) => self.follow_out(&channel),
            Incoming::Missed { channel, after, .. } if self.places.is_in(&channel) => {
                self.missed_lines(&channel, after, now);
            }
            other => self.told_more(&other),
        }
    }

    /// What isn't something said.
    fn told_more(&mut self, incoming: &Incoming) {
        self.note_absence(incoming);
        // What was missed while the connection was lost is shown itself; what waited has a heading.
        let shown_otherwise = self.wish.mode == Mode::Terminal
            && match incoming {
                Incoming::Unread { channel, .. } | Incoming::Reentered { channel, .. } => {
                    self.is_coming_back() && self.places.is_in(channel)
                }
                Incoming::Waiting { count, told } => self.is_coming_back() || told == count,
                _ => false,
            };
        if shown_otherwise {
            return;
        }
        let own = Self::own(self.me.as_deref(), &self.places, self.wish.mode);
        let shown = match incoming {
            Incoming::Bye { .. } if self.is_leaving() => Some(Shown::told("Bye.")),
            // That the connection is lost will be told with the reason in it.
            Incoming::Bye { .. } if self.wish.mode == Mode::Terminal => None,
            other => self.teller.told(other, own),
        };
        if let Incoming::Kicked { channel, user, current, .. } = incoming
            && self.is_me(user)
        {
            self.is_out_of(channel);
            self.places.left(channel);
            self.set_current(current.clone());
        }
        if let Incoming::Govern(row) = incoming
            && row.text("type").as_deref() == Some("killed")
        {
            self.ends_with = Some(Exit::Refused);
        }
        if let Incoming::Run(row) = incoming
            && row.text("type").as_deref() == Some("dropped")
        {
            let channel = row.text("channel").unwrap_or_default();
            self.is_out_of(&channel);
            self.places.left(&channel);
            self.set_current(row.change("current"));
        }
        // After a reconnection the main page would only push away what one was reading.
        let is_new = matches!(incoming, Incoming::Unread { .. } | Incoming::Reentered { .. });
        let again = self.is_settled() && self.stage == Stage::Naming && !is_new;
        if let Some(shown) = shown.filter(|_| !again) {
            self.show(shown);
        }
    }

    pub(super) fn own<'a>(me: Option<&'a str>, places: &'a Places, mode: Mode) -> Own<'a> {
        Own { me, channels: places.channels(), marks: mode == Mode::Terminal }
    }

    /// Remembers what completion and a later reconnection need.
    pub(super) fn note(&mut self, incoming: &Incoming) {
        match incoming {
            Incoming::Message { said, .. } => {
                self.with_known(|known| known.spoke(&said.from));
            }
            Incoming::Private { to, said } => {
                let mine = self.is_me(&said.from);
                if !mine && !said.past {
                    self.last_writer = Some(said.from.clone());
                }
                self.with_known(|known| known.spoke(if mine { to } else { &said.from }));
            }
            Incoming::Opened { with } => {
                self.places.opened(with);
                self.with_known(|known| known.spoke(with));
            }
            Incoming::Entered { user, .. } | Incoming::Left { user, .. } => {
                self.with_known(|known| known.saw(user));
            }
            Incoming::User(person) => self.with_known(|known| known.saw(&person.name)),
            Incoming::Gone { user, .. } => self.with_known(|known| known.gone(user)),
            Incoming::Channel { name, .. } => self.with_known(|known| known.channel(name)),
            Incoming::Renamed { from, to } => {
                self.with_known(|known| known.renamed(from, to));
                self.places.renamed(from, to);
                self.unsaid.renamed(from, to);
                if self.last_writer.as_deref().is_some_and(|user| same_name(user, from)) {
                    self.last_writer = Some(to.clone());
                }
                if self.is_me(from) {
                    self.me = Some(to.clone());
                    if let Some(identity) = &mut self.identity {
                        identity.rename(to);
                    }
                }
            }
            _ => {}
        }
    }

    /// What an `ok` changes: where one is, and what one is called.
    pub(super) fn apply(&mut self, answer: &Answer, now: Now) {
        let channel = answer.channel();
        match (answer.re.as_str(), channel) {
            ("enter" | "create", Some(channel)) => {
                self.with_known(|known| known.channel(&channel));
                self.places.entered(&channel);
                let members = answer.fields().number("members").unwrap_or(0);
                let by_itself = matches!(self.stage, Stage::Entering { .. });
                if by_itself && self.account.is_some() {
                    self.look_up_later(&channel, members);
                } else if Self::is_looked_up(members) && !(by_itself && self.is_settled()) {
                    self.look_up(format!("/users {channel}"), now);
                }
            }
            ("leave" | "drop", _) => self.places.left(&answer.place().unwrap_or_default()),
            ("private", _) => {
                if let Some(user) = answer.fields().text("with") {
                    self.places.opened(&user);
                }
                self.places.set_current(answer.place());
            }
            ("name" | "login", _) if self.me.is_some() => {
                self.me = answer.fields().text("name").or(self.me.take());
            }
            _ => {}
        }
        self.set_current(answer.fields().change("current"));
    }

    /// How far one has read is known once the conversation is entered: what comes live comes after `last`.
    fn settle_last(&mut self, answer: &Answer, anew: bool) {
        let last = answer.fields().number("last");
        if let (Some(channel), "enter" | "create") = (answer.channel(), answer.re.as_str())
            && !self.waits_in(&channel)
        {
            if anew {
                self.places.set_last(&channel, last);
            } else {
                self.places.raise_last(&channel, last);
            }
        }
    }

    pub(super) fn is_looked_up(members: u64) -> bool {
        (2..=MAX_LOOKED_UP).contains(&members)
    }

    /// Asks for names that Tab may complete. A pipe has no use for them.
    pub(super) fn look_up(&mut self, line: String, now: Now) {
        if self.wish.mode == Mode::Terminal {
            self.ask(Asked::Lookup, line, now);
        }
    }

    pub(super) fn set_current(&mut self, change: Change) {
        if let Change::Now(current) = change {
            self.places.set_current(current);
        }
    }

    pub(super) fn show_answer(&mut self, line: &str, answer: &Answer) {
        let own = Self::own(self.me.as_deref(), &self.places, self.wish.mode);
        for shown in self.teller.answered(line, answer, own) {
            self.show(shown);
        }
    }

    /// Shows a line that one said oneself, now that it has its place; `again` if it was sent before, so that
    /// its place may be before others that were shown. In a pipe, as in the text form, who says something
    /// doesn't get it back.
    pub(super) fn show_own(&mut self, typed: &Typed, answer: &Answer, again: bool, now: Now) {
        let (Some(text), Some(id)) = (&typed.text, answer.fields().number("id")) else { return };
        let place = answer.place().or_else(|| self.places.current().map(ToOwned::to_owned));
        let Some(place) = place else { return };
        let said = Said {
            id: Some(id),
            time: answer.fields().time().or(Some(now.time)),
            from: self.me.clone().unwrap_or_default(),
            text: text.clone(),
            action: typed.is_action(),
            past: false,
        };
        let older = again && self.places.last(&place) >= Some(id);
        match self.wish.mode {
            Mode::Terminal if older => self.show(Shown::Said { place, said, own: true }),
            Mode::Terminal => self.heard(place, said, true),
            Mode::Pipe => self.places.set_last(&place, Some(id)),
        }
    }
}
