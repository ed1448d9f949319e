//! Accounts: signing in and out, registration, passwords, erasure.
//!
//! Each operation takes several steps: prompting for a password, hashing it on another thread,
//! committing the result. Until it is complete, the session runs no line except the password, so
//! each step finds the state that the one before left.

use std::iter;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::command_table::{self, CommandKind};
use chat_proto::event::{Event, OkReply, PasswordPurpose, SignOutReason};
use chat_proto::id::MessageId;
use chat_proto::limits::MAX_DEVICES;
use chat_proto::line::LineItem;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::{Code, Refusal};
use chat_proto::secret::{Credential, Secret, check_password};
use chat_proto::time::Timestamp;
use zeroize::Zeroizing;

use super::{Re, Session};
use crate::commands::{AccountEffect, connection::help};
use crate::hub::client::account::Account;
use crate::hub::client::notification::Kick;
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::TokenHash;
use crate::hub::proposal::AccountUpdate;
use crate::hub::query::{AuthReply, AuthRequest};

/// Printed before the reply to a sign-in whose token can't be stored.
const WITHOUT_TOKEN: &str = "The server can't store anything at the moment, so this sign-in has no token. Sign in with your password \
                             again next time.";

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

/// An entry whose record is being committed.
pub(super) struct PendingEntry {
    pub(super) done: OkReply,
    pub(super) channel: ChannelName,
    /// Messages after this one are replayed.
    pub(super) after: Option<MessageId>,
    pub(super) last: MessageId,
    /// A kick during the entry, with its sequence number.
    pub(super) kick: Option<(u64, Kick)>,
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

    /// Continues after a password was verified or hashed.
    pub(super) fn on_auth_answer(&mut self, answer: AuthReply, out: &mut BytesMut) {
        let Some(auth_flow) = self.auth_flow.take() else { return };
        let AuthFlow { re, intent, now, .. } = *auth_flow;
        if let (AuthIntent::SignIn { name, .. }, AuthReply::Wrong | AuthReply::TooSoon(_)) =
            (&intent, &answer)
        {
            self.log_failed_sign_in(name);
        }
        let done = match answer {
            AuthReply::Right { rehashed } => {
                self.on_verified(re.clone(), intent, rehashed, now, out)
            }
            AuthReply::Hashed(hash) => self.on_hashed(re.clone(), intent, hash, now),
            AuthReply::Wrong => Err(match &intent {
                AuthIntent::SignIn { name, .. } => Refusal::wrong_password(name),
                _ => {
                    self.state.name.as_ref().map_or_else(Refusal::internal, Refusal::wrong_password)
                }
            }),
            AuthReply::TooSoon(seconds) => Err(Refusal::login_too_soon(seconds)),
            AuthReply::Busy => Err(Refusal::hashing_busy()),
            AuthReply::Failed => Err(Refusal::internal()),
        };
        self.refuse_unless(done, re, out);
    }

    fn on_verified(
        &mut self,
        re: Re,
        intent: AuthIntent,
        rehashed: Option<Box<str>>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        match intent {
            AuthIntent::SignIn { ref name, account: Some(ref account) } => {
                let stores = self.state.dialect.stores_tokens();
                let token = stores.then(|| self.hub.auth.new_token()).flatten();
                if token.is_none() && rehashed.is_none() {
                    let account = Arc::clone(account);
                    return self.complete_sign_in(re, &account, None, now, out);
                }
                // Checked before anything is stored.
                self.hub.may_be_called(name, Some(account), now)?;
                if self.hub.device_count(name) >= MAX_DEVICES {
                    return Err(Refusal::too_many_devices(MAX_DEVICES));
                }
                let user_id = account.user_id;
                let surplus = token.as_ref().and_then(|_| self.hub.surplus_token(user_id));
                let hash = token.as_ref().map(|(_, hash)| *hash);
                let update = AccountUpdate::SignIn { user_id, token: hash, surplus, rehashed, now };
                self.submit(re, intent, update, token, now)
            }
            AuthIntent::SignIn { name, account: None } => {
                self.log_failed_sign_in(&name);
                Err(Refusal::wrong_password(&name))
            }
            AuthIntent::ChangePassword { new: Some(new) } => {
                self.hash(new);
                let intent = AuthIntent::ChangePassword { new: None };
                self.auth_flow = Some(AuthFlow::new(re, intent, AuthStep::Hashing, now));
                Ok(())
            }
            AuthIntent::ChangePassword { new: None } => {
                self.prompt_password(re, intent, PasswordPurpose::New, now, out);
                Ok(())
            }
            AuthIntent::Forget => {
                let user_id = self.own_account(CommandKind::Forget)?.user_id;
                self.submit(re, intent, AccountUpdate::Forget { user_id }, None, now)
            }
            AuthIntent::Register { .. } | AuthIntent::SignOut | AuthIntent::Enter(_) => {
                Err(Refusal::internal())
            }
        }
    }

    fn on_hashed(
        &mut self,
        re: Re,
        intent: AuthIntent,
        password: Box<str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (shown, hash) = self.hub.auth.new_token().ok_or_else(Refusal::internal)?;
        let token = Some(hash);
        let update = match &intent {
            AuthIntent::Register { name, invite } => {
                if self.state.name.is_none() {
                    // Where only accounts have names, the name is claimed with the account.
                    self.hub.take_name(&self.client, name, iter::empty(), now)?;
                }
                let (name, invite, user_id) = (name.clone(), *invite, self.client.user_id());
                let (ignored, away) = (self.state.hidden(), self.client.away());
                AccountUpdate::Register {
                    user_id,
                    name,
                    password,
                    token,
                    invite,
                    ignored,
                    away,
                    now,
                }
            }
            AuthIntent::ChangePassword { .. } => {
                let user_id = self.own_account(CommandKind::Password)?.user_id;
                AccountUpdate::Password { user_id, password, token, now }
            }
            _ => return Err(Refusal::internal()),
        };
        self.submit(re, intent, update, Some((shown, hash)), now)
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

    /// Records the entry into a channel. Live messages wait until the commit and the replay are
    /// done.
    pub(super) fn store_entry(
        &mut self,
        re: Re,
        entry: PendingEntry,
        update: AccountUpdate,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.inbox.hold(&entry.channel);
        self.submit(re, AuthIntent::Enter(Box::new(entry)), update, None, now)
    }

    /// The entry into this channel whose record is being committed.
    pub(super) fn entry_under_way(&mut self, channel: &ChannelName) -> Option<&mut PendingEntry> {
        match &mut self.auth_flow.as_mut()?.intent {
            AuthIntent::Enter(entry) if entry.channel == *channel => Some(entry),
            _ => None,
        }
    }

    /// Continues after the commit.
    pub(super) fn on_committed(&mut self, kept: Result<(), Refusal>, out: &mut BytesMut) {
        let Some(auth_flow) = self.auth_flow.take() else { return };
        let AuthFlow { re, intent, step, now } = *auth_flow;
        if let AuthIntent::Enter(entry) = intent {
            if let (Some(account), Some(_)) = (self.client.signed_in(), &entry.kick) {
                self.hub.ensure_left(&account, &entry.channel);
            }
            // The client is in the channel even if the record isn't stored.
            self.replay_entry(re, *entry, out);
            self.refuse_unless(Ok(()), Re::default(), out);
            return;
        }
        let mut token = if let AuthStep::Storing(token) = step { token } else { None };
        let is_sign_in = matches!(intent, AuthIntent::SignIn { account: Some(_), .. });
        let kept = match kept {
            // The password is right; only the token or the new hash isn't stored.
            Err(refusal) if is_sign_in && refusal.code() == Code::Unavailable => {
                if token.take().is_some() {
                    self.notice(WITHOUT_TOKEN, out);
                }
                Ok(())
            }
            kept => kept,
        };
        if kept.is_err() {
            self.release_name();
        }
        let done = kept.and_then(|()| self.on_stored(re.clone(), intent, token, now, out));
        self.refuse_unless(done, re, out);
    }

    fn on_stored(
        &mut self,
        re: Re,
        intent: AuthIntent,
        token: Option<(Secret, TokenHash)>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let done = match (intent, token) {
            (AuthIntent::SignIn { account: Some(account), .. }, token) => {
                return self.complete_sign_in(re, &account, token, now, out);
            }
            (AuthIntent::Register { name, .. }, Some((token, hash))) => {
                self.hub.registered(&self.client, self.inbox.channels(), now);
                let is_new = self.state.register(name.clone());
                tracing::info!(address = %self.client.shown_address(), %name, "registered");
                self.token = Some(Box::new(hash));
                let done = OkReply::Registered { name: name.clone(), token };
                if is_new {
                    self.welcome(re, done, &name, out);
                    return Ok(());
                }
                done
            }
            (AuthIntent::ChangePassword { .. }, Some((token, hash))) => {
                self.token = Some(Box::new(hash));
                OkReply::PasswordChanged { token }
            }
            (AuthIntent::SignOut, _) => OkReply::SignedOut { name: self.sign_out(now, out)? },
            (AuthIntent::Forget, _) => OkReply::Forgotten { name: self.sign_out(now, out)? },
            _ => return Err(Refusal::internal()),
        };
        self.reply(re, done, out);
        Ok(())
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

    fn open_by_token(
        &mut self,
        re: Re,
        name: &UserName,
        token: &Secret,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let hash = self.hub.auth.hash_of(token).ok_or_else(|| Refusal::bad_token(name));
        let opened = hash.and_then(|hash| Ok((hash, self.hub.open_account(name, &hash, now)?)));
        let (hash, account) = opened.inspect_err(|_| self.log_failed_sign_in(name))?;
        self.complete_sign_in(re, &account, None, now, out)?;
        self.token = Some(Box::new(hash));
        Ok(())
    }

    /// Adds this device to the account.
    fn complete_sign_in(
        &mut self,
        re: Re,
        account: &Arc<Account>,
        token: Option<(Secret, TokenHash)>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        self.may_be_renamed(&account.name, now)?;
        let before = self.hub.sign_in(&self.client, account, self.inbox.channels(), now)?;
        self.state.sign_in(account);
        tracing::info!(address = %self.client.shown_address(), name = %account.name, "signed in");
        self.hub.eject_where_banned(&self.client, self.inbox.channels(), now);
        let (token, hash) = token.unzip();
        self.token = hash.map(Box::new);
        let name = account.name.clone();
        let mut done = Some(OkReply::SignedIn { name: name.clone(), token });
        if self.state.dialect.reply_first()
            && let Some(done) = done.take()
        {
            self.reply(re.clone(), done, out);
        }
        if before.is_none() {
            self.show_main_page(&name, out);
        }
        for channel in self.inbox.channels() {
            self.hub.notify_other_devices(account, &self.client, &channel.name, None);
        }
        self.rejoin_channels(account, now, out);
        self.show_unread(re, done);
        Ok(())
    }

    fn show_main_page(&self, name: &UserName, out: &mut BytesMut) {
        for line in help::main_page(&self.hub, name) {
            self.notice(line, out);
        }
    }

    /// Replies to a command that gave the client a name, with the main page.
    fn welcome(&mut self, re: Re, done: OkReply, name: &UserName, out: &mut BytesMut) {
        if self.state.dialect.reply_first() {
            self.reply(re, done, out);
            self.show_main_page(name, out);
        } else {
            self.show_main_page(name, out);
            self.reply(re, done, out);
        }
    }

    /// docs/operating.md has a pattern for this line.
    fn log_failed_sign_in(&self, name: &UserName) {
        tracing::info!(address = %self.client.shown_address(), %name, "sign-in failed");
    }

    fn begin_sign_out(&mut self, re: Re, now: Timestamp) -> Result<(), Refusal> {
        let user_id = self.own_account(CommandKind::Logout)?.user_id;
        let update = AccountUpdate::SignOut { user_id, token: self.token.as_deref().copied(), now };
        self.submit(re, AuthIntent::SignOut, update, None, now)
    }

    /// Leaves all conversations and releases the name. Returns the name.
    fn sign_out(&mut self, now: Timestamp, out: &mut BytesMut) -> Result<UserName, Refusal> {
        let name = self.state.name.clone().ok_or_else(|| Refusal::not_named(None))?;
        self.token = None;
        self.hub.sign_out(&self.client, self.inbox.channels(), now);
        self.inbox.leave_all();
        self.state.sign_out();
        if let Some(cold) = &mut self.cold {
            cold.replayed = Vec::new();
            cold.private_deliveries = Vec::new();
        }
        self.cancel_query(out);
        Ok(name)
    }

    /// Signs out after another device has changed the password or erased the account.
    pub(super) fn on_signed_out(&mut self, by: SignOutReason, out: &mut BytesMut) {
        let is_auth_busy =
            self.auth_flow.as_ref().is_some_and(|auth_flow| !auth_flow.awaits_password());
        if is_auth_busy || self.has_submitted() {
            // Done after the operation in progress.
            self.signed_out = Some(by);
            return;
        }
        let now = self.last_line_at();
        if let Ok(name) = self.sign_out(now, out) {
            self.show(&Event::SignedOut { name, by }, out);
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
