//! Signing in and out, and what becomes of accounts.
//!
//! Each takes several steps: a password may have to be asked for, it is hashed elsewhere, and what is to last is
//! stored first. Meanwhile no line is carried out but the password that is asked for, so each step finds the
//! person as the one before has left them.

use std::borrow::Cow;
use std::iter;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::command_table::{self, CommandKind};
use chat_proto::event::{Event, OkReply, PasswordPurpose, SignOutReason};
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::limits::MAX_DEVICES;
use chat_proto::line::LineItem;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::{Code, Refusal};
use chat_proto::secret::{Credential, Secret, check_password};
use chat_proto::time::Timestamp;
use zeroize::Zeroizing;

use super::Session;
use crate::commands::{AccountChange, connection::help};
use crate::hub::client::account::Account;
use crate::hub::client::notification::Kick;
use crate::hub::client::throttle::ThrottledOp;
use crate::hub::id::TokenHash;
use crate::hub::proposal::AccountUpdate;
use crate::hub::query::{AuthReply, AuthRequest};

type Re = Cow<'static, str>;

/// What comes before the answer to a sign-in whose token can't be stored.
const WITHOUT_TOKEN: &str = "The server can't store anything at the moment, so this sign-in has no token. Sign in with your password \
                             again next time.";

/// Something about an account that is under way.
pub(super) struct Dealing {
    re: Re,
    goal: Goal,
    stage: Stage,
    /// When its last line came.
    now: Timestamp,
}

/// What is wanted.
enum Goal {
    Register {
        name: UserName,
        invite: Option<TokenHash>,
    },
    /// By the password of an account, if there is one of this name.
    SignIn {
        name: UserName,
        account: Option<Arc<Account>>,
    },
    SignOut,
    /// The new password, once it is known.
    Change {
        new: Option<Secret>,
    },
    Forget,
    /// To be remembered as in a channel, which is entered already; what is told then.
    Enter(Box<Entry>),
}

/// A channel that was entered.
pub(super) struct Entry {
    pub(super) done: OkReply,
    pub(super) channel: ChannelName,
    /// Lines after this one are told first.
    pub(super) after: Option<MessageId>,
    pub(super) last: MessageId,
    /// They were put out meanwhile.
    pub(super) kick: Option<(u64, Kick)>,
}

/// How far it is.
enum Stage {
    /// The next line is a password.
    Asked(PasswordPurpose),
    /// The vault looks at a password.
    Verifying,
    /// The vault hashes a password.
    Hashing,
    /// It is being stored; with the token that is told afterwards.
    Keeping(Option<(Secret, TokenHash)>),
}

impl Dealing {
    fn new(re: Re, goal: Goal, stage: Stage, now: Timestamp) -> Box<Self> {
        Box::new(Self { re, goal, stage, now })
    }

    /// Whether the next line is the password.
    pub(super) fn asks(&self) -> bool {
        matches!(self.stage, Stage::Asked(_))
    }
}

impl Session {
    /// Whether something is under way that no line can be carried out beside.
    pub(super) fn is_dealing(&self) -> bool {
        self.dealing.as_ref().is_some_and(|dealing| !dealing.asks())
    }

    /// Whether the password of an account is looked at, of which nothing but a sign-in comes.
    pub(super) fn is_verifying(&self) -> bool {
        self.dealing.as_ref().is_some_and(|dealing| {
            matches!((&dealing.goal, &dealing.stage), (Goal::SignIn { .. }, Stage::Verifying))
        })
    }

    /// Whether the next line is a password.
    pub(super) fn asks_secret(&self) -> bool {
        self.dealing.as_ref().is_some_and(|dealing| dealing.asks())
    }

    /// Whether what is typed is a password, or may be one in a moment: not to be seen.
    pub(crate) fn hides_typing(&self) -> bool {
        self.dealing.as_ref().is_some_and(|dealing| {
            let asks_once_more = matches!(dealing.goal, Goal::Change { new: None })
                && matches!(dealing.stage, Stage::Verifying);
            dealing.asks() || asks_once_more
        })
    }

    /// The peer interrupts instead of giving the password. Tells whether one was asked for.
    pub(crate) fn give_up_asking(&mut self, out: &mut BytesMut) -> bool {
        let asks = self.asks_secret();
        if asks {
            self.dealing = None;
            self.notice("No password is asked for any more; nothing was done.", out);
        }
        asks
    }

    /// Begins what a handler allowed.
    pub(super) fn deal(
        &mut self,
        change: AccountChange,
        re: Re,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        match change {
            AccountChange::Register { name, invite, password } => {
                let goal = Goal::Register { name, invite };
                self.begin(
                    re,
                    goal,
                    PasswordPurpose::New,
                    password.map(Credential::Password),
                    now,
                    out,
                )
            }
            AccountChange::SignIn(name, credential) => {
                let account = self.hub.account(&name);
                if let Some(account) = &account {
                    self.may_be_renamed(&account.name, now)?;
                }
                let goal = Goal::SignIn { name, account };
                self.begin(re, goal, PasswordPurpose::Login, credential, now, out)
            }
            AccountChange::Password(None) => {
                self.begin(re, Goal::Change { new: None }, PasswordPurpose::Old, None, now, out)
            }
            AccountChange::Password(Some((old, new))) => {
                let old = Some(Credential::Password(old));
                self.begin(re, Goal::Change { new: Some(new) }, PasswordPurpose::Old, old, now, out)
            }
            AccountChange::Forget(password) => {
                let password = password.map(Credential::Password);
                self.begin(re, Goal::Forget, PasswordPurpose::Forget, password, now, out)
            }
            AccountChange::SignOut => self.begin_sign_out(re, now),
        }
    }

    /// Asks for the password if there is none.
    fn begin(
        &mut self,
        re: Re,
        goal: Goal,
        what: PasswordPurpose,
        credential: Option<Credential>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        if let Some(credential) = credential {
            return self.go_on_with(re, goal, what, credential, now, out);
        }
        self.ask_password(re, goal, what, now, out);
        Ok(())
    }

    fn ask_password(
        &mut self,
        re: Re,
        goal: Goal,
        what: PasswordPurpose,
        now: Timestamp,
        out: &mut BytesMut,
    ) {
        let name = match &goal {
            Goal::SignIn { name, .. } | Goal::Register { name, .. } => Some(name.clone()),
            _ => self.me.name.clone(),
        };
        if let Some(name) = name {
            self.show(&Event::PasswordAsked { what, name }, out);
        }
        self.done(re.clone(), OkReply::Told, out);
        self.dealing = Some(Dealing::new(re, goal, Stage::Asked(what), now));
    }

    /// The line that was asked for.
    pub(super) fn on_secret(&mut self, line: LineItem, now: Timestamp, out: &mut BytesMut) {
        let Some(dealing) = self.dealing.take() else { return };
        let Dealing { re, goal, stage, .. } = *dealing;
        let Stage::Asked(what) = stage else { return };
        let credential = match line {
            LineItem::Line(line) => {
                let line = Zeroizing::new(line);
                match (Credential::typed(&line), what) {
                    (Some(Credential::Token(token)), PasswordPurpose::Login) => {
                        Ok(Credential::Token(token))
                    }
                    (Some(_), _) => Secret::typed(&line)
                        .map(Credential::Password)
                        .ok_or_else(|| Refusal::password_expected(goal.spec())),
                    (None, _) => Err(Refusal::password_expected(goal.spec())),
                }
            }
            LineItem::TooLong { over } => Err(Refusal::line_too_long(over)),
            LineItem::NotUtf8 => Err(Refusal::not_utf8()),
        };
        let done = credential
            .and_then(|credential| self.go_on_with(re.clone(), goal, what, credential, now, out));
        if let Err(refusal) = done {
            self.refuse(re, refusal, out);
        }
    }

    /// The password, or the token, is there.
    fn go_on_with(
        &mut self,
        re: Re,
        mut goal: Goal,
        what: PasswordPurpose,
        credential: Credential,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let secret = match credential {
            Credential::Token(token) => match goal {
                Goal::SignIn { name, .. } => {
                    return self.open_by_token(re, &name, &token, now, out);
                }
                _ => token,
            },
            Credential::Password(password) => password,
        };
        match &mut goal {
            Goal::SignIn { name, account } => {
                let known = account.as_ref().map(|account| account.password());
                let name = name.clone();
                self.verify(name, secret, known);
                self.dealing = Some(Dealing::new(re, goal, Stage::Verifying, now));
            }
            Goal::Register { .. } => {
                check_password(secret.expose()).map_err(Refusal::bad_password)?;
                self.hub.has_room_for_account()?;
                self.hub.throttle(&self.client, ThrottledOp::Register, now)?;
                self.hash(secret);
                self.dealing = Some(Dealing::new(re, goal, Stage::Hashing, now));
            }
            Goal::Change { new } if what == PasswordPurpose::New => {
                self.own_account(CommandKind::Password)?;
                check_password(secret.expose()).map_err(Refusal::bad_password)?;
                *new = None;
                self.hash(secret);
                self.dealing = Some(Dealing::new(re, goal, Stage::Hashing, now));
            }
            Goal::Change { new } => {
                if let Some(new) = new {
                    check_password(new.expose()).map_err(Refusal::bad_password)?;
                }
                self.verify_own(secret, CommandKind::Password)?;
                self.dealing = Some(Dealing::new(re, goal, Stage::Verifying, now));
            }
            Goal::Forget => {
                self.verify_own(secret, CommandKind::Forget)?;
                self.dealing = Some(Dealing::new(re, goal, Stage::Verifying, now));
            }
            Goal::SignOut | Goal::Enter(_) => {}
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

    /// The vault has looked at a password, or hashed one.
    pub(super) fn on_vault(&mut self, answer: AuthReply, out: &mut BytesMut) {
        let Some(dealing) = self.dealing.take() else { return };
        let Dealing { re, goal, now, .. } = *dealing;
        if let (Goal::SignIn { name, .. }, AuthReply::Wrong | AuthReply::TooSoon(_)) =
            (&goal, &answer)
        {
            self.log_failed_sign_in(name);
        }
        let done = match answer {
            AuthReply::Right { rehashed } => self.on_right(re.clone(), goal, rehashed, now, out),
            AuthReply::Hashed(hash) => self.on_hashed(re.clone(), goal, hash, now),
            AuthReply::Wrong => Err(match &goal {
                Goal::SignIn { name, .. } => Refusal::wrong_password(name),
                _ => self.me.name.as_ref().map_or_else(Refusal::internal, Refusal::wrong_password),
            }),
            AuthReply::TooSoon(seconds) => Err(Refusal::login_too_soon(seconds)),
            AuthReply::Busy => Err(Refusal::hashing_busy()),
            AuthReply::Failed => Err(Refusal::internal()),
        };
        self.refuse_unless(done, re, out);
    }

    fn on_right(
        &mut self,
        re: Re,
        goal: Goal,
        rehashed: Option<Box<str>>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        match goal {
            Goal::SignIn { ref name, account: Some(ref account) } => {
                // Only a program keeps a token.
                let token = match self.me.format {
                    Format::Json => self.hub.auth.new_token(),
                    Format::Text => None,
                };
                if token.is_none() && rehashed.is_none() {
                    let account = Arc::clone(account);
                    return self.complete_sign_in(re, &account, None, now, out);
                }
                // Before anything is stored for them.
                self.hub.may_be_called(name, Some(account), now)?;
                if self.hub.device_count(name) >= MAX_DEVICES {
                    return Err(Refusal::too_many_devices(MAX_DEVICES));
                }
                let user_id = account.user_id;
                let surplus = token.as_ref().and_then(|_| self.hub.surplus_token(user_id));
                let hash = token.as_ref().map(|(_, hash)| *hash);
                let deed = AccountUpdate::SignIn { user_id, token: hash, surplus, rehashed, now };
                self.keep(re, goal, deed, token, now)
            }
            Goal::SignIn { name, account: None } => {
                self.log_failed_sign_in(&name);
                Err(Refusal::wrong_password(&name))
            }
            Goal::Change { new: Some(new) } => {
                self.hash(new);
                let goal = Goal::Change { new: None };
                self.dealing = Some(Dealing::new(re, goal, Stage::Hashing, now));
                Ok(())
            }
            Goal::Change { new: None } => {
                self.ask_password(re, goal, PasswordPurpose::New, now, out);
                Ok(())
            }
            Goal::Forget => {
                let user_id = self.own_account(CommandKind::Forget)?.user_id;
                self.keep(re, goal, AccountUpdate::Forget { user_id }, None, now)
            }
            Goal::Register { .. } | Goal::SignOut | Goal::Enter(_) => Err(Refusal::internal()),
        }
    }

    fn on_hashed(
        &mut self,
        re: Re,
        goal: Goal,
        password: Box<str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (shown, hash) = self.hub.auth.new_token().ok_or_else(Refusal::internal)?;
        let token = Some(hash);
        let deed = match &goal {
            Goal::Register { name, invite } => {
                if self.me.name.is_none() {
                    // Where only accounts have a name, it is taken together with the account.
                    self.hub.take_name(&self.client, name, iter::empty(), now)?;
                }
                let (name, invite, user_id) = (name.clone(), *invite, self.client.user_id());
                let (ignored, away) = (self.me.hidden(), self.client.away());
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
            Goal::Change { .. } => {
                let user_id = self.own_account(CommandKind::Password)?.user_id;
                AccountUpdate::Password { user_id, password, token, now }
            }
            _ => return Err(Refusal::internal()),
        };
        self.keep(re, goal, deed, Some((shown, hash)), now)
    }

    fn keep(
        &mut self,
        re: Re,
        goal: Goal,
        deed: AccountUpdate,
        token: Option<(Secret, TokenHash)>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.dealing = Some(Dealing::new(re, goal, Stage::Keeping(token), now));
        let kept = self.hub.submit_account_update(&self.client, deed, None);
        if kept.is_err() {
            self.dealing = None;
            self.give_up_name();
        }
        kept
    }

    /// The name was taken for an account that isn't stored.
    fn give_up_name(&self) {
        if self.me.name.is_none() {
            self.hub.give_up_name(&self.client);
        }
    }

    /// The account is in a channel: live lines wait until that is stored, and what was before is told.
    pub(super) fn keep_entry(
        &mut self,
        re: Re,
        entry: Entry,
        deed: AccountUpdate,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.inbox.hold(&entry.channel);
        self.keep(re, Goal::Enter(Box::new(entry)), deed, None, now)
    }

    /// The entry that is being stored, if it is of this channel.
    pub(super) fn entry_under_way(&mut self, channel: &ChannelName) -> Option<&mut Entry> {
        match &mut self.dealing.as_mut()?.goal {
            Goal::Enter(entry) if entry.channel == *channel => Some(entry),
            _ => None,
        }
    }

    /// What was to be stored is, or isn't.
    pub(super) fn on_kept(&mut self, kept: Result<(), Refusal>, out: &mut BytesMut) {
        let Some(dealing) = self.dealing.take() else { return };
        let Dealing { re, goal, stage, now } = *dealing;
        if let Goal::Enter(entry) = goal {
            if let (Some(account), Some(_)) = (self.client.signed_in(), &entry.kick) {
                self.hub.ensure_left(&account, &entry.channel);
            }
            // They are in, whether that is remembered or not.
            self.look_back_from(re, *entry, out);
            self.refuse_unless(Ok(()), Re::default(), out);
            return;
        }
        let mut token = if let Stage::Keeping(token) = stage { token } else { None };
        let is_sign_in = matches!(goal, Goal::SignIn { account: Some(_), .. });
        let kept = match kept {
            // The password is right, and only the token, or a newer hash, isn't stored.
            Err(refusal) if is_sign_in && refusal.code() == Code::Unavailable => {
                if token.take().is_some() {
                    self.notice(WITHOUT_TOKEN, out);
                }
                Ok(())
            }
            kept => kept,
        };
        if kept.is_err() {
            self.give_up_name();
        }
        let done = kept.and_then(|()| self.on_stored(re.clone(), goal, token, now, out));
        self.refuse_unless(done, re, out);
    }

    fn on_stored(
        &mut self,
        re: Re,
        goal: Goal,
        token: Option<(Secret, TokenHash)>,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let done = match (goal, token) {
            (Goal::SignIn { account: Some(account), .. }, token) => {
                return self.complete_sign_in(re, &account, token, now, out);
            }
            (Goal::Register { name, .. }, Some((token, hash))) => {
                self.hub.registered(&self.client, self.inbox.channels(), now);
                let is_new = self.me.register(name.clone());
                tracing::info!(address = %self.client.shown_address(), %name, "registered");
                self.token = Some(Box::new(hash));
                let done = OkReply::Registered { name: name.clone(), token };
                if is_new {
                    self.welcome(re, done, &name, out);
                    return Ok(());
                }
                done
            }
            (Goal::Change { .. }, Some((token, hash))) => {
                self.token = Some(Box::new(hash));
                OkReply::PasswordChanged { token }
            }
            (Goal::SignOut, _) => OkReply::SignedOut { name: self.sign_out(now, out)? },
            (Goal::Forget, _) => OkReply::Forgotten { name: self.sign_out(now, out)? },
            _ => return Err(Refusal::internal()),
        };
        self.done(re, done, out);
        Ok(())
    }

    fn refuse_unless(&mut self, done: Result<(), Refusal>, re: Re, out: &mut BytesMut) {
        if let Err(refusal) = done {
            self.dealing = None;
            self.refuse(re, refusal, out);
        }
        if self.dealing.is_none()
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

    /// One more device of the account: in the text form the answer comes first, so that a person sees what the
    /// rows belong to.
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
        self.me.sign_in(account);
        tracing::info!(address = %self.client.shown_address(), name = %account.name, "signed in");
        self.hub.eject_where_banned(&self.client, self.inbox.channels(), now);
        let (token, hash) = token.unzip();
        self.token = hash.map(Box::new);
        let name = account.name.clone();
        let mut done = Some(OkReply::SignedIn { name: name.clone(), token });
        if self.me.format == Format::Text
            && let Some(done) = done.take()
        {
            self.done(re.clone(), done, out);
        }
        if before.is_none() {
            self.show_main_page(&name, out);
        }
        for channel in self.inbox.channels() {
            self.hub.notify_other_devices(account, &self.client, &channel.name, None);
        }
        self.enter_again(account, now, out);
        self.look_what_waits(re, done);
        Ok(())
    }

    fn show_main_page(&self, name: &UserName, out: &mut BytesMut) {
        for line in help::main_page(&self.hub, name) {
            self.notice(line, out);
        }
    }

    /// The answer to a command that gave a name, with the main page: before the answer in the JSON form.
    fn welcome(&mut self, re: Re, done: OkReply, name: &UserName, out: &mut BytesMut) {
        if self.me.format == Format::Text {
            self.done(re, done, out);
            self.show_main_page(name, out);
        } else {
            self.show_main_page(name, out);
            self.done(re, done, out);
        }
    }

    /// docs/operating.md has a pattern for this line.
    fn log_failed_sign_in(&self, name: &UserName) {
        tracing::info!(address = %self.client.shown_address(), %name, "sign-in failed");
    }

    fn begin_sign_out(&mut self, re: Re, now: Timestamp) -> Result<(), Refusal> {
        let user_id = self.own_account(CommandKind::Logout)?.user_id;
        let deed = AccountUpdate::SignOut { user_id, token: self.token.as_deref().copied(), now };
        self.keep(re, Goal::SignOut, deed, None, now)
    }

    /// Leaves everything, and has no name any more. Tells the name.
    fn sign_out(&mut self, now: Timestamp, out: &mut BytesMut) -> Result<UserName, Refusal> {
        let name = self.me.name.clone().ok_or_else(|| Refusal::not_named(None))?;
        self.token = None;
        self.hub.sign_out(&self.client, self.inbox.channels(), now);
        self.inbox.leave_all();
        self.me.sign_out();
        if let Some(aside) = &mut self.aside {
            aside.told_privately = Vec::new();
            aside.unread_privately = Vec::new();
        }
        self.give_up_lookup(out);
        Ok(name)
    }

    /// Another device has changed the password, or erased the account.
    pub(super) fn on_signed_out(&mut self, by: SignOutReason, out: &mut BytesMut) {
        let is_dealing = self.dealing.as_ref().is_some_and(|dealing| !dealing.asks());
        if is_dealing || self.has_lines_under_way() {
            // When this is done.
            self.signed_out = Some(by);
            return;
        }
        let now = self.last_line_at();
        if let Ok(name) = self.sign_out(now, out) {
            self.show(&Event::SignedOut { name, by }, out);
        }
    }
}

impl Goal {
    fn spec(&self) -> &'static command_table::CommandSpec {
        match self {
            Self::Register { .. } => CommandKind::Register,
            Self::SignIn { .. } => CommandKind::Login,
            Self::SignOut => CommandKind::Logout,
            Self::Change { .. } => CommandKind::Password,
            Self::Forget => CommandKind::Forget,
            Self::Enter(_) => CommandKind::Enter,
        }
        .spec()
    }
}
