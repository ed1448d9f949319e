//! Requests and their answers, and events of the server.

use super::conversations::Conversations;
use super::{ClientSession, Exit, Mode, Now, PendingRequest, SessionAction, SessionStage};
use crate::input_line::InputLine;
use crate::mention::same_name;
use crate::render::OwnState;
use crate::server_event::{ChatMessage, CurrentChange, OkAnswer, ServerEvent};
use crate::show::DisplayItem;

/// Members of a channel up to which the client looks them up for completion; in a larger channel
/// only those who write are known.
const MAX_LOOKED_UP: u64 = 200;

impl ClientSession {
    pub(super) fn ask(&mut self, pending: PendingRequest, line: String, now: Now) {
        if self.pending.is_empty() {
            self.progress_at = now.instant;
        }
        self.pending.push_back(pending);
        self.actions.push(SessionAction::Send(line));
    }

    pub(super) fn send(&mut self, typed: InputLine, now: Now) {
        self.go_home(now);
        if self.options.mode == Mode::Terminal && typed.is_command() && !typed.secret {
            self.show(DisplayItem::Typed { line: typed.discreet() });
        }
        let line = typed.line.clone();
        self.ask(PendingRequest::Typed(typed), line, now);
        self.look_up_rest(now);
    }

    pub(super) fn answered(&mut self, answer: &OkAnswer, now: Now) {
        let Some(pending) = self.pending.pop_front() else { return };
        match pending {
            PendingRequest::Format | PendingRequest::Identity | PendingRequest::Goal(_)
                if self.is_leaving() =>
            {
                // History before the answer is shown, since the server marks it as read.
                self.show_past(&pending);
                self.renderer.forget();
            }
            PendingRequest::Format => self.take_name(now),
            PendingRequest::Identity => {
                self.show_past(&PendingRequest::Identity);
                self.named(answer, now);
            }
            PendingRequest::Goal(step) => {
                if answer.re != "history" {
                    self.show_answer(&step.line(), answer);
                }
                self.show_past(&PendingRequest::Goal(step.clone()));
                self.apply(answer, now);
                self.settle_last(answer, step.after().is_none());
                self.reached(&step, now);
            }
            PendingRequest::Typed(typed) => {
                // The closing line of a list follows it, the opening line of an entry precedes it.
                let closing = answer.re == "search";
                if answer.re == "login"
                    && answer.fields().has("name")
                    && matches!(self.stage, SessionStage::Ready { .. })
                {
                    // The private chats belong to another account.
                    self.conversations.forget_chats();
                }
                if closing {
                    self.show_past(&PendingRequest::Typed(typed.clone()));
                }
                self.show_answer(&typed.line, answer);
                if !closing {
                    self.show_past(&PendingRequest::Typed(typed.clone()));
                }
                self.apply(answer, now);
                self.settle_last(answer, !typed.line.to_lowercase().contains(" after "));
                self.show_own(&typed, answer, false, now);
                self.settle_account(&typed, answer, now);
                self.answer_asking(now);
            }
            PendingRequest::Lookup => self.renderer.forget(),
            PendingRequest::Fetch(fetch) => {
                self.show_past(&PendingRequest::Fetch(fetch.clone()));
                self.fetched(fetch, answer, now);
            }
            PendingRequest::Line => self.said(answer, now),
            PendingRequest::Ping | PendingRequest::Quit => {}
        }
    }

    pub(super) fn refused(&mut self, re: &str, code: String, text: String, now: Now) {
        self.forget_past();
        // A refusal ends the request for a password.
        if let Some(PendingRequest::Typed(typed)) = self.pending.front()
            && typed.is_about_password()
        {
            self.password_asked = false;
            self.passwords.clear();
        }
        match self.pending.pop_front() {
            Some(PendingRequest::Format | PendingRequest::Identity | PendingRequest::Goal(_))
                if self.is_leaving() =>
            {
                self.renderer.forget();
                // A script has to know that it didn't reach its destination.
                if self.options.mode == Mode::Pipe {
                    self.show_refusal(code, text);
                }
            }
            Some(PendingRequest::Format) => {
                let reason = format!("it doesn't know the JSON form ({code}: {text})");
                self.drop_link(&reason, now);
            }
            Some(PendingRequest::Identity) => self.name_refused(code, text, now),
            Some(PendingRequest::Goal(step)) => self.missed(&step, code, text, now),
            Some(PendingRequest::Typed(_))
                if self.options.mode == Mode::Pipe
                    && self.stage == SessionStage::Nameless
                    && matches!(re, "name" | "login") =>
            {
                self.name_refused(code, text, now);
            }
            Some(PendingRequest::Typed(_)) | None => self.show_refusal(code, text),
            Some(PendingRequest::Line) => self.on_refused(code, text, now),
            Some(PendingRequest::Fetch(fetch)) => self.not_fetched(&fetch, &code, &text),
            Some(PendingRequest::Lookup | PendingRequest::Ping | PendingRequest::Quit) => {
                self.renderer.forget();
            }
        }
    }

    pub(super) fn handle_event(&mut self, incoming: ServerEvent, now: Now) {
        self.note(&incoming);
        if let ServerEvent::Bye { reason } = &incoming {
            self.bye_reason = Some(reason.clone());
        }
        match incoming {
            ServerEvent::Message { channel, said } => {
                let own = self.is_me(&said.from);
                self.heard(channel, said, own);
            }
            ServerEvent::Private { to, said } => {
                let own = self.is_me(&said.from);
                let other = if own { &to } else { &said.from };
                self.heard(format!("@{other}"), said, own);
            }
            ServerEvent::Password => self.password_asked = true,
            ServerEvent::SignedOut { ref name, ref reason } => {
                self.track(&incoming);
                self.signed_out(name, reason, now);
            }
            ServerEvent::Reentered { channel, members, topic, last } if !self.is_signing_in() => {
                self.follow_in(&channel, members, topic.as_ref(), last);
            }
            ServerEvent::Left { channel, user, .. } if self.is_me(&user) => {
                self.follow_out(&channel);
            }
            ServerEvent::Missed { channel, after, .. } if self.conversations.is_in(&channel) => {
                self.missed_lines(&channel, after, now);
            }
            other => self.track(&other),
        }
    }

    /// Handles an event that isn't a message.
    fn track(&mut self, incoming: &ServerEvent) {
        self.note_absence(incoming);
        // Missed messages are shown themselves; waiting private messages have a heading.
        let shown_otherwise = self.options.mode == Mode::Terminal
            && match incoming {
                ServerEvent::Unread { channel, .. } | ServerEvent::Reentered { channel, .. } => {
                    self.is_coming_back() && self.conversations.is_in(channel)
                }
                ServerEvent::Waiting { count, newest } => self.is_coming_back() || newest == count,
                _ => false,
            };
        if shown_otherwise {
            return;
        }
        let own = Self::own(self.me.as_deref(), &self.conversations, self.options.mode);
        let shown = match incoming {
            ServerEvent::Bye { .. } if self.is_leaving() => Some(DisplayItem::sentence("Bye.")),
            // The loss of the connection is shown later, with this reason.
            ServerEvent::Bye { .. } if self.options.mode == Mode::Terminal => None,
            other => self.renderer.render(other, own),
        };
        if let ServerEvent::Kicked { channel, user, current, .. } = incoming
            && self.is_me(user)
        {
            self.is_out_of(channel);
            self.conversations.left(channel);
            self.set_current(current.clone());
        }
        if let ServerEvent::ServerModeration(row) = incoming
            && row.text("type").as_deref() == Some("killed")
        {
            self.ends_with = Some(Exit::Refused);
        }
        if let ServerEvent::Moderation(row) = incoming
            && row.text("type").as_deref() == Some("dropped")
        {
            let channel = row.text("channel").unwrap_or_default();
            self.is_out_of(&channel);
            self.conversations.left(&channel);
            self.set_current(row.change("current"));
        }
        // After a reconnection the main page would only push away what the user was reading.
        let is_new = matches!(incoming, ServerEvent::Unread { .. } | ServerEvent::Reentered { .. });
        let again = self.is_settled() && self.stage == SessionStage::Naming && !is_new;
        if let Some(shown) = shown.filter(|_| !again) {
            self.show(shown);
        }
    }

    pub(super) fn own<'a>(
        me: Option<&'a str>,
        conversations: &'a Conversations,
        mode: Mode,
    ) -> OwnState<'a> {
        OwnState { me, channels: conversations.channels(), marks: mode == Mode::Terminal }
    }

    /// Stores what completion and a later reconnection need.
    pub(super) fn note(&mut self, incoming: &ServerEvent) {
        match incoming {
            ServerEvent::Message { said, .. } => {
                self.with_known(|names| names.spoke(&said.from));
            }
            ServerEvent::Private { to, said } => {
                let mine = self.is_me(&said.from);
                if !mine && !said.past {
                    self.last_writer = Some(said.from.clone());
                }
                self.with_known(|names| names.spoke(if mine { to } else { &said.from }));
            }
            ServerEvent::Opened { with } => {
                self.conversations.opened(with);
                self.with_known(|names| names.spoke(with));
            }
            ServerEvent::Entered { user, .. } | ServerEvent::Left { user, .. } => {
                self.with_known(|names| names.saw(user));
            }
            ServerEvent::User(person) => self.with_known(|names| names.saw(&person.name)),
            ServerEvent::Gone { user, .. } => self.with_known(|names| names.gone(user)),
            ServerEvent::Channel { name, .. } => self.with_known(|names| names.channel(name)),
            ServerEvent::Renamed { from, to } => {
                self.with_known(|names| names.renamed(from, to));
                self.conversations.renamed(from, to);
                self.outbox.renamed(from, to);
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

    /// Applies the changes of an `ok` to the conversations and the name.
    pub(super) fn apply(&mut self, answer: &OkAnswer, now: Now) {
        let channel = answer.channel();
        match (answer.re.as_str(), channel) {
            ("enter" | "create", Some(channel)) => {
                self.with_known(|names| names.channel(&channel));
                self.conversations.entered(&channel);
                let members = answer.fields().number("members").unwrap_or(0);
                let by_itself = matches!(self.stage, SessionStage::Entering { .. });
                if by_itself && self.account.is_some() {
                    self.look_up_later(&channel, members);
                } else if Self::is_looked_up(members) && !(by_itself && self.is_settled()) {
                    self.look_up(format!("/users {channel}"), now);
                }
            }
            ("leave" | "drop", _) => self.conversations.left(&answer.place().unwrap_or_default()),
            ("private", _) => {
                if let Some(user) = answer.fields().text("with") {
                    self.conversations.opened(&user);
                }
                self.conversations.set_current(answer.place());
            }
            ("name" | "login", _) if self.me.is_some() => {
                self.me = answer.fields().text("name").or(self.me.take());
            }
            _ => {}
        }
        self.set_current(answer.fields().change("current"));
    }

    /// The read position is known once the conversation is entered: live messages come after
    /// `last`.
    fn settle_last(&mut self, answer: &OkAnswer, anew: bool) {
        let last = answer.fields().number("last");
        if let (Some(channel), "enter" | "create") = (answer.channel(), answer.re.as_str())
            && !self.waits_in(&channel)
        {
            if anew {
                self.conversations.set_last(&channel, last);
            } else {
                self.conversations.raise_last(&channel, last);
            }
        }
    }

    pub(super) fn is_looked_up(members: u64) -> bool {
        (2..=MAX_LOOKED_UP).contains(&members)
    }

    /// Looks up names for completion. A pipe doesn't need them.
    pub(super) fn look_up(&mut self, line: String, now: Now) {
        if self.options.mode == Mode::Terminal {
            self.ask(PendingRequest::Lookup, line, now);
        }
    }

    pub(super) fn set_current(&mut self, change: CurrentChange) {
        if let CurrentChange::Now(current) = change {
            self.conversations.set_current(current);
        }
    }

    pub(super) fn show_answer(&mut self, line: &str, answer: &OkAnswer) {
        let own = Self::own(self.me.as_deref(), &self.conversations, self.options.mode);
        for shown in self.renderer.answered(line, answer, own) {
            self.show(shown);
        }
    }

    /// Shows a message of this client, now that it has an id. With `again` the message was sent
    /// before, so its id may be lower than those of messages already shown. A pipe doesn't show the
    /// user's own messages, as in the text format.
    pub(super) fn show_own(&mut self, typed: &InputLine, answer: &OkAnswer, again: bool, now: Now) {
        let (Some(text), Some(id)) = (&typed.text, answer.fields().number("id")) else { return };
        let place = answer.place().or_else(|| self.conversations.current().map(ToOwned::to_owned));
        let Some(place) = place else { return };
        let said = ChatMessage {
            id: Some(id),
            time: answer.fields().time().or(Some(now.time)),
            from: self.me.clone().unwrap_or_default(),
            text: text.clone(),
            action: typed.is_action(),
            past: false,
        };
        let older = again && self.conversations.last(&place) >= Some(id);
        match self.options.mode {
            Mode::Terminal if older => self.show(DisplayItem::Said { place, said, own: true }),
            Mode::Terminal => self.heard(place, said, true),
            Mode::Pipe => self.conversations.set_last(&place, Some(id)),
        }
    }
}
