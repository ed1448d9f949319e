//! Signing in, once the credential is right, and signing out.

use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::command_table::CommandKind;
use chat_proto::event::{Event, OkReply, SignOutReason};
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::secret::Secret;
use chat_proto::time::Timestamp;

use super::AuthIntent;
use crate::commands::connection::help;
use crate::hub::client::account::Account;
use crate::hub::id::TokenHash;
use crate::hub::proposal::AccountUpdate;
use crate::session::{Re, Session};

impl Session {
    pub(super) fn open_by_token(
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
    pub(super) fn complete_sign_in(
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
    pub(super) fn welcome(&mut self, re: Re, done: OkReply, name: &UserName, out: &mut BytesMut) {
        if self.state.dialect.reply_first() {
            self.reply(re, done, out);
            self.show_main_page(name, out);
        } else {
            self.show_main_page(name, out);
            self.reply(re, done, out);
        }
    }

    /// docs/operating.md has a pattern for this line.
    pub(super) fn log_failed_sign_in(&self, name: &UserName) {
        tracing::info!(address = %self.client.shown_address(), %name, "sign-in failed");
    }

    pub(super) fn begin_sign_out(&mut self, re: Re, now: Timestamp) -> Result<(), Refusal> {
        let user_id = self.own_account(CommandKind::Logout)?.user_id;
        let update = AccountUpdate::SignOut { user_id, token: self.token.as_deref().copied(), now };
        self.submit(re, AuthIntent::SignOut, update, None, now)
    }

    /// Leaves all conversations and releases the name. Returns the name.
    pub(super) fn sign_out(
        &mut self,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<UserName, Refusal> {
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
    pub(in crate::session) fn on_signed_out(&mut self, by: SignOutReason, out: &mut BytesMut) {
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
