//! Signing in and out, and the stored tokens.

use chat_proto::command::{Command, parse};
use chat_proto::secret as proto;

use super::{
    ClientSession, Exit, Mode, Now, PendingRequest, ServerContact, SessionAction, SessionStage,
};
use crate::identity::{Identity, SignInCredential};
use crate::input_line::{InputLine, command};
use crate::mention::same_name;
use crate::proto::Secret;
use crate::server_event::{OkAnswer, ServerEvent};
use crate::show::DisplayItem;

/// A channel that the sign-in has entered.
#[derive(Debug)]
pub(super) struct Reentered {
    pub(super) channel: String,
    /// The number of members.
    members: u64,
    /// The id of its last line.
    pub(super) last: Option<u64>,
    /// The client was not in it before.
    is_new: bool,
    /// The number of unread messages of others.
    count: u64,
    /// Some of them mention the user.
    calls: bool,
}

impl ClientSession {
    /// Takes the stored tokens, and sets the identity.
    pub(super) fn begin_with(&mut self, kept: Vec<Result<(String, Secret), String>>) {
        for kept in kept {
            match kept {
                Ok(kept) => self.kept.push(kept),
                Err(why) => self.warn(why),
            }
        }
        let given = std::mem::take(&mut self.options.credentials);
        if let Some(name) = self.options.name.clone() {
            // If a token was given, the stored one isn't used.
            let kept =
                self.kept_token(&name).filter(|_| !given.iter().any(SignInCredential::is_token));
            self.identity = Some(Identity::new(&name, kept.into_iter().chain(given)));
        }
    }

    fn kept_token(&self, account: &str) -> Option<SignInCredential> {
        let (_, secret) = self.kept.iter().find(|(own, _)| same_name(own, account))?;
        Some(SignInCredential::Token { secret: secret.clone(), kept: true })
    }

    /// The identity for this name, with the stored token if there is one.
    pub(super) fn identity_of(&self, name: &str) -> Identity {
        Identity::new(name, self.kept_token(name))
    }

    /// The identity of `/name alice`, if a token is stored for that account.
    pub(super) fn kept_name(&self, typed: &InputLine) -> Option<Identity> {
        let (_, name) = command(&typed.line).filter(|_| typed.spec == Some("name"))?;
        Some(Identity::new(name, [self.kept_token(name)?]))
    }

    /// Stores the token of the answer, if it has one.
    pub(super) fn keep_token(&mut self, answer: &OkAnswer) {
        let (Some(token), Some(identity)) = (answer.token(), &mut self.identity) else { return };
        let account = self.me.clone().unwrap_or_else(|| identity.name().to_owned());
        identity.rename(&account);
        identity.set_token(token.clone());
        self.kept.retain(|(own, _)| !same_name(own, &account));
        self.kept.push((account.clone(), token.clone()));
        self.actions.push(SessionAction::Keep(account, token));
    }

    fn forget_token(&mut self, account: &str, only: Option<Secret>) {
        self.kept.retain(|(own, token)| {
            !same_name(own, account) || only.as_ref().is_some_and(|only| only != token)
        });
        self.actions.push(SessionAction::Forget(account.to_owned(), only));
    }

    /// Applies the answer to a typed line to the identity.
    pub(super) fn settle_account(&mut self, typed: &InputLine, answer: &OkAnswer, now: Now) {
        let name = answer.fields().text("name");
        match (answer.re.as_str(), name) {
            // Without a name the answer only reports that the server asks for a password.
            ("name" | "login", Some(name)) => {
                let password = password_in(&typed.line).map(SignInCredential::Password);
                self.identity = Some(Identity::new(&name, password));
                if self.stage == SessionStage::Nameless {
                    self.named(answer, now);
                } else {
                    if answer.re == "login" {
                        self.account = Some(name.clone());
                        let back = self.reenter();
                        self.conversations.go_along();
                        self.count_new(&back);
                    }
                    self.me = Some(name);
                    self.keep_token(answer);
                }
            }
            ("register", Some(name)) => {
                let password = password_in(&typed.line).map(SignInCredential::Password);
                self.identity = Some(Identity::new(&name, password));
                if self.stage == SessionStage::Nameless {
                    self.named(answer, now);
                } else {
                    self.account = Some(name);
                    self.keep_token(answer);
                }
            }
            ("password", _) => self.keep_token(answer),
            ("logout" | "forget", Some(name)) => {
                self.forget_token(&name, None);
                let typed_ahead = self.sign_out();
                for typed in typed_ahead {
                    self.typed(&typed.line, now);
                }
            }
            _ => {}
        }
    }

    /// Events of a sign-in: the channels of the account, and their unread messages.
    pub(super) fn note_absence(&mut self, incoming: &ServerEvent) {
        match incoming {
            ServerEvent::Reentered { channel, members, last, .. } => {
                self.with_known(|names| names.channel(channel));
                let is_new = !self.conversations.is_in(channel);
                let missed = self.conversations.last(channel).is_some_and(|own| Some(own) != *last);
                if self.is_coming_back() && !is_new && missed {
                    // Live messages follow the missed ones.
                    self.wait_in(channel);
                }
                let channel = channel.clone();
                let (last, count, calls) = (*last, 0, false);
                self.reentered.push(Reentered {
                    channel,
                    members: *members,
                    last,
                    is_new,
                    count,
                    calls,
                });
            }
            ServerEvent::Unread { channel, count, mentions, .. } => {
                let mut reentered = self.reentered.iter_mut();
                if let Some(own) = reentered.find(|own| same_name(&own.channel, channel)) {
                    (own.count, own.calls) = (*count, *mentions > 0);
                }
            }
            _ => {}
        }
    }

    /// Whether this sign-in follows a lost connection.
    pub(super) fn is_coming_back(&self) -> bool {
        self.is_settled() && self.pending.front() == Some(&PendingRequest::Identity)
    }

    /// Enters the channels of the sign-in. The read position of a channel that the client was
    /// already in stays.
    pub(super) fn reenter(&mut self) -> Vec<Reentered> {
        let back = std::mem::take(&mut self.reentered);
        for Reentered { channel, members, last, is_new, .. } in &back {
            self.look_up_later(channel, *members);
            self.conversations.put_into(channel);
            if *is_new || self.conversations.last(channel).is_none() {
                self.conversations.set_last(channel, *last);
            }
        }
        back
    }

    /// Counts unread messages of channels that are new here; in the others the messages themselves
    /// are shown.
    pub(super) fn count_new(&mut self, back: &[Reentered]) {
        for own in back.iter().filter(|own| own.is_new && own.count > 0) {
            self.conversations.unseen(&own.channel, own.count, own.calls);
        }
    }

    /// Passwords for the next time that the server asks; it asks before it takes any.
    pub(crate) fn passwords_typed(&mut self, passwords: Vec<Secret>) {
        self.passwords = passwords.into();
    }

    /// Sends the password that the server asked for.
    pub(super) fn send_password(&mut self, password: &Secret, now: Now) {
        self.password_asked = false;
        self.send(InputLine::password(password), now);
    }

    /// Answers the server's request for a password, if one was typed ahead.
    pub(super) fn answer_asking(&mut self, now: Now) {
        if self.password_asked
            && let Some(password) = self.passwords.pop_front()
        {
            self.send_password(&password, now);
        }
    }

    /// The server has signed the client out, because of a command on another connection.
    pub(super) fn signed_out(&mut self, name: &str, reason: &str, now: Now) {
        let token =
            self.identity.as_ref().and_then(Identity::credential).and_then(|own| match own {
                SignInCredential::Token { secret, .. } => Some(secret.clone()),
                SignInCredential::Password(_) => None,
            });
        if token.is_some() {
            self.forget_token(name, token);
        }
        if self.options.mode == Mode::Pipe {
            return self.fail(format!("signed out of {name}: {reason}"), Exit::NotSignedIn);
        }
        // A message that was typed for others must not be sent as a name.
        let typed = self.sign_out();
        self.give_back("Not sent", &typed);
        self.say_next(now);
    }

    /// Resets the identity. Returns the typed lines that were not sent.
    fn sign_out(&mut self) -> Vec<InputLine> {
        let in_flight = usize::from(self.pending.contains(&PendingRequest::Line));
        let unsent = self.outbox.take_after(in_flight);
        self.me = None;
        self.identity = None;
        self.account = None;
        self.conversations.leave_all();
        self.to_look_up.clear();
        self.options.enter.clear();
        self.waiting.clear();
        self.step_at = None;
        self.retry_at = None;
        self.back_at = None;
        self.stage = SessionStage::Nameless;
        // The next sign-in isn't a reconnection.
        self.contact = ServerContact::Met;
        unsent
    }

    /// The credential is wrong or no longer valid.
    pub(super) fn credential_refused(&mut self, code: String, text: String, now: Now) {
        let Some(identity) = &mut self.identity else { return self.show_refusal(code, text) };
        let name = identity.name().to_owned();
        let (wrong, more) = identity.next();
        let kept = wrong.as_ref().is_some_and(SignInCredential::is_kept);
        if let Some(SignInCredential::Token { secret, kept: true }) = wrong {
            self.forget_token(&name, Some(secret));
        }
        if more {
            return self.take_name(now);
        }
        if self.options.mode == Mode::Pipe {
            let what =
                if kept { "the kept sign-in is not valid any more" } else { "not signed in" };
            return self.fail(format!("{what}: {code}: {text}"), Exit::NotSignedIn);
        }
        self.name_tries = 0;
        self.identity = None;
        self.stage = SessionStage::Nameless;
        if kept {
            self.show(DisplayItem::warning(format!(
                "The sign-in that was kept for {name} is not valid any more, and is deleted. /login {name} \
                 asks for the password."
            )));
        } else {
            self.show_refusal(code, text);
        }
    }
}

/// The password in the line of a command.
fn password_in(line: &str) -> Option<Secret> {
    match parse(line).command.ok()? {
        Command::Login(_, Some(proto::Credential::Password(password)))
        | Command::Register { password: Some(password), .. } => Some(password),
        _ => None,
    }
}
