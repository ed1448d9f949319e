//! Accounts: signing in and out, registration, passwords, erasure.
//!
//! Each operation takes several steps: prompting for a password, hashing it on another thread,
//! committing the result. Until it is complete, the session runs no line except the password, so
//! each step finds the state that the one before left.

mod entry;
mod results;
mod sign_in;

use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::command_table::{self, CommandKind};
use chat_proto::event::{Event, OkReply, PasswordPurpose};
use chat_proto::line::LineItem;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::secret::{Credential, Secret, check_password};
use chat_proto::time::Timestamp;
use zeroize::Zeroizing;

pub(super) use self::entry::PendingEntry;
use super::{Re, Session};
use crate::commands::AccountEffect;
use crate::hub::client::account::Account;
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::TokenHash;
use crate::hub::proposal::AccountUpdate;
use crate::hub::query::AuthRequest;

/// An account operation in progress.
pub(super) struct AuthFlow {
    re: Re,
    intent: AuthIntent,
    step: AuthStep,
    /// When its last line came.
    now: Timestamp,
}

/// What the operation is for.
enum AuthIntent {
    Register {
        name: UserName,
        invite: Option<TokenHash>,
    },
    /// Checks the password of the account of this name, if there is one.
    SignIn {
        name: UserName,
        account: Option<Arc<Account>>,
    },
    SignOut,
    /// With the new password once it is known.
    ChangePassword {
        new: Option<Secret>,
    },
    Forget,
    /// Records the entry into a channel, which the client is in already, and replies.
    Enter(Box<PendingEntry>),
}

/// The step that the operation waits for.
enum AuthStep {
    /// The next line is a password.
    AwaitingPassword(PasswordPurpose),
    /// The auth service verifies a password.
    Verifying,
    /// The auth service hashes a password.
    Hashing,
    /// The result is being committed. A new token is printed afterwards.
    Storing(Option<(Secret, TokenHash)>),
}

impl AuthFlow {
    fn new(re: Re, intent: AuthIntent, step: AuthStep, now: Timestamp) -> Box<Self> {
        Box::new(Self { re, intent, step, now })
    }

    /// Whether the next line is the password.
    pub(super) fn awaits_password(&self) -> bool {
        matches!(self.step, AuthStep::AwaitingPassword(_))
    }
}

impl Session {
    /// Whether an operation is in progress that no command may run beside.
    pub(super) fn is_auth_busy(&self) -> bool {
        self.auth_flow.as_ref().is_some_and(|auth_flow| !auth_flow.awaits_password())
    }

    /// Whether the password of a sign-in is being verified. This changes no state.
    pub(super) fn is_verifying(&self) -> bool {
        self.auth_flow.as_ref().is_some_and(|auth_flow| {
            matches!(
                (&auth_flow.intent, &auth_flow.step),
                (AuthIntent::SignIn { .. }, AuthStep::Verifying)
            )
        })
    }

    /// Whether the next line is a password.
    pub(super) fn awaits_password(&self) -> bool {
        self.auth_flow.as_ref().is_some_and(|auth_flow| auth_flow.awaits_password())
    }

    /// Whether input must not be echoed: it is a password, or may be one in a moment.
    pub(crate) fn hides_typing(&self) -> bool {
        self.auth_flow.as_ref().is_some_and(|auth_flow| {
            let asks_once_more =
                matches!(auth_flow.intent, AuthIntent::ChangePassword { new: None })
                    && matches!(auth_flow.step, AuthStep::Verifying);
            auth_flow.awaits_password() || asks_once_more
        })
    }

    /// Cancels a password prompt on an interrupt. Returns whether there was one.
    pub(crate) fn cancel_password_prompt(&mut self, out: &mut BytesMut) -> bool {
        let asks = self.awaits_password();
        if asks {
            self.auth_flow = None;
            self.notice("No password is asked for any more; nothing was done.", out);
        }
        asks
    }

    /// Starts an account operation that its command has allowed.
    pub(super) fn start_auth(
        &mut self,
        change: AccountEffect,
        re: Re,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        match change {
            AccountEffect::Register { name, invite, password } => {
                let intent = AuthIntent::Register { name, invite };
                self.begin(
                    re,
                    intent,
                    PasswordPurpose::New,
                    password.map(Credential::Password),
                    now,
                    out,
                )
            }
            AccountEffect::SignIn(name, credential) => {
                let account = self.hub.account(&name);
                if let Some(account) = &account {
                    self.may_be_renamed(&account.name, now)?;
                }
                let intent = AuthIntent::SignIn { name, account };
                self.begin(re, intent, PasswordPurpose::Login, credential, now, out)
            }
            AccountEffect::Password(None) => self.begin(
                re,
                AuthIntent::ChangePassword { new: None },
                PasswordPurpose::Old,
                None,
                now,
                out,
            ),
            AccountEffect::Password(Some((old, new))) => {
                let old = Some(Credential::Password(old));
                self.begin(
                    re,
                    AuthIntent::ChangePassword { new: Some(new) },
                    PasswordPurpose::Old,
                    old,
                    now,
                    out,
                )
            }
            AccountEffect::Forget(password) => {
                let password = password.map(Credential::Password);
                self.begin(re, AuthIntent::Forget, PasswordPurpose::Forget, password, now, out)
            }
            AccountEffect::SignOut => self.begin_sign_out(re, now),
        }
    }

    /// Continues with the password, or prompts for it.
    fn begin(
        &mut self,
        re: Re,
        intent: AuthIntent,
        what: PasswordPurpose,
        credential: Option<Credential>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        if let Some(credential) = credential {
            return self.go_on_with(re, intent, what, credential, now, out);
        }
        self.prompt_password(re, intent, what, now, out);
        Ok(())
    }

    fn prompt_password(
        &mut self,
        re: Re,
        intent: AuthIntent,
        what: PasswordPurpose,
        now: Timestamp,
        out: &mut BytesMut,
    ) {
        let name = match &intent {
            AuthIntent::SignIn { name, .. } | AuthIntent::Register { name, .. } => {
                Some(name.clone())
            }
            _ => self.state.name.clone(),
        };
        if let Some(name) = name {
            self.show(&Event::PasswordAsked { what, name }, out);
        }
        self.reply(re.clone(), OkReply::Told, out);
        self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::AwaitingPassword(what), now));
    }

    /// Reads the line after a password prompt.
    pub(super) fn on_password(&mut self, line: LineItem, now: Timestamp, out: &mut BytesMut) {
        let Some(auth_flow) = self.auth_flow.take() else { return };
        let AuthFlow { re, intent, step, .. } = *auth_flow;
        let AuthStep::AwaitingPassword(what) = step else { return };
        let credential = match line {
            LineItem::Line(line) => {
                let line = Zeroizing::new(line);
                match (Credential::typed(&line), what) {
                    (Some(Credential::Token(token)), PasswordPurpose::Login) => {
                        Ok(Credential::Token(token))
                    }
                    (Some(_), _) => Secret::typed(&line)
                        .map(Credential::Password)
                        .ok_or_else(|| Refusal::password_expected(intent.spec())),
                    (None, _) => Err(Refusal::password_expected(intent.spec())),
                }
            }
            LineItem::TooLong { over } => Err(Refusal::line_too_long(over)),
            LineItem::NotUtf8 => Err(Refusal::not_utf8()),
        };
        let done = credential
            .and_then(|credential| self.go_on_with(re.clone(), intent, what, credential, now, out));
        if let Err(refusal) = done {
            self.refuse(re, refusal, out);
        }
    }

    /// Continues with the password or token.
    fn go_on_with(
        &mut self,
        re: Re,
        mut intent: AuthIntent,
        what: PasswordPurpose,
        credential: Credential,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let secret = match credential {
            Credential::Token(token) => match intent {
                AuthIntent::SignIn { name, .. } => {
                    return self.open_by_token(re, &name, &token, now, out);
                }
                _ => token,
            },
            Credential::Password(password) => password,
        };
        match &mut intent {
            AuthIntent::SignIn { name, account } => {
                let known = account.as_ref().map(|account| account.password());
                let name = name.clone();
                self.verify(name, secret, known);
                self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::Verifying, now));
            }
            AuthIntent::Register { .. } => {
                check_password(secret.expose()).map_err(Refusal::bad_password)?;
                self.hub.has_room_for_account()?;
                self.hub.throttle(&self.client, ThrottledOp::Register, now)?;
                self.hash(secret);
                self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::Hashing, now));
            }
            AuthIntent::ChangePassword { new } if what == PasswordPurpose::New => {
                self.own_account(CommandKind::Password)?;
                check_password(secret.expose()).map_err(Refusal::bad_password)?;
                *new = None;
                self.hash(secret);
                self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::Hashing, now));
            }
            AuthIntent::ChangePassword { new } => {
                if let Some(new) = new {
                    check_password(new.expose()).map_err(Refusal::bad_password)?;
                }
                self.verify_own(secret, CommandKind::Password)?;
                self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::Verifying, now));
            }
            AuthIntent::Forget => {
                self.verify_own(secret, CommandKind::Forget)?;
                self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::Verifying, now));
            }
            AuthIntent::SignOut | AuthIntent::Enter(_) => {}
        }
        Ok(())
    }

    fn own_account(&self, kind: CommandKind) -> Result<Arc<Account>, Refusal> {
        self.client.signed_in().ok_or_else(|| Refusal::not_signed_in(kind.spec()))
    }

    fn verify_own(&self, secret: Secret, kind: CommandKind) -> Result<(), Refusal> {
        let account = self.own_account(kind)?;
        self.verify(account.name.clone(), secret, Some(account.password()));
        Ok(())
    }

    fn verify(&self, name: UserName, secret: Secret, known: Option<Arc<str>>) {
        let address = self.client.address();
        self.hub.auth.ask(AuthRequest::Verify { name, address, secret, known }, &self.client);
    }

    fn hash(&self, secret: Secret) {
        self.hub.auth.ask(AuthRequest::Hash(secret), &self.client);
    }

    fn submit(
        &mut self,
        re: Re,
        intent: AuthIntent,
        update: AccountUpdate,
        token: Option<(Secret, TokenHash)>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::Storing(token), now));
        let kept = self.hub.submit_account_update(&self.client, update, None);
        if kept.is_err() {
            self.auth_flow = None;
            self.release_name();
        }
        kept
    }

    /// Releases a name that was claimed for an account that isn't stored.
    fn release_name(&self) {
        if self.state.name.is_none() {
            self.hub.give_up_name(&self.client);
        }
    }

    fn refuse_unless(&mut self, done: Result<(), Refusal>, re: Re, out: &mut BytesMut) {
        if let Err(refusal) = done {
            self.auth_flow = None;
            self.refuse(re, refusal, out);
        }
        if self.auth_flow.is_none()
            && let Some(by) = self.signed_out.take()
        {
            self.on_signed_out(by, out);
        }
    }
}

impl AuthIntent {
    fn spec(&self) -> &'static command_table::CommandSpec {
        match self {
            Self::Register { .. } => CommandKind::Register,
            Self::SignIn { .. } => CommandKind::Login,
            Self::SignOut => CommandKind::Logout,
            Self::ChangePassword { .. } => CommandKind::Password,
            Self::Forget => CommandKind::Forget,
            Self::Enter(_) => CommandKind::Enter,
        }
        .spec()
    }
}
