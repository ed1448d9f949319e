//! What an account operation does with the results of the auth service and of the commit log.

use std::iter;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::command_table::CommandKind;
use chat_proto::event::{OkReply, PasswordPurpose};
use chat_proto::limits::MAX_DEVICES;
use chat_proto::refusal::{Code, Refusal};
use chat_proto::secret::Secret;
use chat_proto::time::Timestamp;

use super::{AuthFlow, AuthIntent, AuthStep};
use crate::hub::id::TokenHash;
use crate::hub::proposal::AccountUpdate;
use crate::hub::query::AuthReply;
use crate::session::{Re, Session};

/// Printed before the reply to a sign-in whose token can't be stored.
const WITHOUT_TOKEN: &str = "The server can't store anything at the moment, so this sign-in has no token. Sign in with your password \
                             again next time.";

impl Session {
    /// Continues after a password was verified or hashed.
    pub(in crate::session) fn on_auth_answer(&mut self, answer: AuthReply, out: &mut BytesMut) {
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

    /// Continues after the commit.
    pub(in crate::session) fn on_committed(
        &mut self,
        kept: Result<(), Refusal>,
        out: &mut BytesMut,
    ) {
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
}
