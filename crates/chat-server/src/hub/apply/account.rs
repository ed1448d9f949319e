//! Applies changes of accounts, sign-ins and sign-outs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::event::{Event, OkReply, SignOutReason};
use chat_proto::id::MessageId;
use chat_proto::limits::MAX_DEVICES;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::channel::Channel;
use crate::hub::client::Client;
use crate::hub::client::account::{Account, IgnoredUser, StoredAccount, TokenCheck};
use crate::hub::client::notification::{IgnoreChange, Notification};
use crate::hub::id::{ConversationKey, TokenHash};
use crate::hub::id::{Source, UserId};
use crate::hub::proposal::{AccountProposal, AccountUpdate, StateChange};
use crate::util::clock::on_the_wall;
use crate::util::sync::lock;

impl Hub {
    /// Submits a change of an account. With `done` the client gets that reply once it is stored,
    /// otherwise a notification.
    pub(crate) fn submit_account_update(
        self: &Arc<Self>,
        client: &Arc<Client>,
        what: AccountUpdate,
        done: Option<OkReply>,
    ) -> Result<(), Refusal> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            self.finish_proposal();
            return Err(Refusal::stopping());
        }
        if let AccountUpdate::Register { name, invite, now, .. } = &what {
            if let Some(invite) = invite
                && let Err(refusal) = lock(&self.server_moderation).take(invite, *now)
            {
                self.finish_proposal();
                return Err(refusal);
            }
            lock(&self.accounts).reserve(name.clone());
        }
        self.commit_log
            .submit(AccountProposal { client: Arc::clone(client), what, done }.into(), self);
        Ok(())
    }

    /// Applies a stored change, and notifies those concerned.
    pub(crate) fn apply_account_update(
        self: &Arc<Self>,
        update: AccountProposal,
        kept: Result<(), Refusal>,
    ) {
        let AccountProposal { client, what, done } = update;
        match (&kept, what) {
            (Ok(()), what) => self.apply_to_account(&client, what),
            (Err(_), AccountUpdate::Register { name, invite, .. }) => {
                lock(&self.accounts).free(&name);
                if let Some(invite) = invite {
                    lock(&self.server_moderation).give_back(&invite);
                }
            }
            (Err(_), _) => {}
        }
        match done {
            Some(done) => client.push(Notification::Reply(kept.map(|()| done))),
            None => client.push(Notification::Committed(kept)),
        }
        self.finish_proposal();
    }

    fn apply_to_account(self: &Arc<Self>, client: &Arc<Client>, what: AccountUpdate) {
        match what {
            AccountUpdate::Register {
                user_id,
                name,
                password,
                token,
                invite,
                ignored,
                away,
                now,
            } => {
                if let Some(invite) = invite {
                    lock(&self.server_moderation).use_up(&invite);
                }
                let directory = lock(&self.directory);
                let mut accounts = lock(&self.accounts);
                let account = accounts.add(StoredAccount {
                    user_id,
                    name: name.clone(),
                    password,
                    away,
                    seen: on_the_wall(now),
                    admin: false,
                    ignored: ignored
                        .into_iter()
                        .map(|(name, user_id)| IgnoredUser { name, user_id })
                        .collect(),
                    channels: Vec::new(),
                });
                if let Some(token) = token {
                    accounts.add_token(token, user_id, now);
                }
                // Unless the client has left meanwhile.
                if directory.find(&name).is_some_and(|bearer| bearer.id == client.id) {
                    client.set_account(Some(account), user_id);
                }
            }
            AccountUpdate::SignIn { user_id, token, surplus, rehashed, now } => {
                let mut accounts = lock(&self.accounts);
                if let Some(surplus) = surplus {
                    accounts.revoke(&surplus);
                }
                if let Some(token) = token {
                    accounts.add_token(token, user_id, now);
                }
                if let (Some(account), Some(rehashed)) = (accounts.of(user_id), rehashed) {
                    account.set_password(&rehashed);
                }
            }
            // These took effect before they were stored.
            AccountUpdate::Enter { .. } | AccountUpdate::Leave { .. } => {}
            AccountUpdate::SignOut { token, .. } => {
                if let Some(token) = token {
                    lock(&self.accounts).revoke(&token);
                }
            }
            AccountUpdate::Password { user_id, password, token, now } => {
                let account = {
                    let mut accounts = lock(&self.accounts);
                    accounts.revoke_all(user_id);
                    if let Some(token) = token {
                        accounts.add_token(token, user_id, now);
                    }
                    accounts.of(user_id).cloned()
                };
                if let Some(account) = account {
                    account.set_password(&password);
                    self.notify_devices(&account, Some(client), || {
                        Notification::SignedOut(SignOutReason::NewPassword)
                    });
                }
            }
            AccountUpdate::Ignore { user_id, name, whom } => {
                let hidden = IgnoredUser { name, user_id: whom };
                if let Some(account) = self.account_of(user_id) {
                    account.ignore(hidden.clone());
                    self.notify_devices(&account, Some(client), || {
                        Notification::IgnoreList(IgnoreChange::Added(hidden.clone()))
                    });
                }
            }
            AccountUpdate::Unignore { user_id, names, whom } => {
                let Some(account) = self.account_of(user_id) else { return };
                for name in names {
                    account.unignore(&name);
                    self.notify_devices(&account, Some(client), || {
                        Notification::IgnoreList(IgnoreChange::Removed(name.clone(), whom))
                    });
                }
            }
            AccountUpdate::Away { user_id, away } => {
                let Some(account) = self.account_of(user_id) else { return };
                account.set_away(away.clone());
                for device in lock(&self.directory).owners(&account.name) {
                    if device.account() == Some(user_id) {
                        device.set_away(away.clone());
                    }
                }
            }
            AccountUpdate::Forget { user_id } => {
                self.erase_account(user_id, client.by(), Some(client), SignOutReason::Forgotten);
            }
        }
    }

    /// Deletes an account, and notifies its devices except the one that requested it.
    pub(super) fn erase_account(
        self: &Arc<Self>,
        user_id: UserId,
        by: Source,
        client: Option<&Client>,
        why: SignOutReason,
    ) {
        let account = lock(&self.accounts).remove(user_id, self.sequence.next());
        self.take_from_channels(user_id, account.as_deref(), by);
        if let Some(account) = account {
            self.notify_devices(&account, client, || Notification::SignedOut(why));
        }
    }

    pub(super) fn account_of(&self, user_id: UserId) -> Option<Arc<Account>> {
        lock(&self.accounts).of(user_id).cloned()
    }

    /// A device joined a channel, or left it with a reason: notifies the account's other devices.
    pub(crate) fn notify_other_devices(
        &self,
        account: &Account,
        but: &Client,
        channel: &ChannelName,
        reason: Option<&Text>,
    ) {
        let note = || Notification::OtherDevice(channel.clone(), reason.cloned());
        self.notify_devices(account, Some(but), note);
    }

    /// Sends a notification to the devices of an account, except `but`.
    pub(super) fn notify_devices(
        &self,
        account: &Account,
        but: Option<&Client>,
        note: impl Fn() -> Notification,
    ) {
        for device in lock(&self.directory).owners(&account.name) {
            let is_told = but.is_none_or(|but| device.id != but.id);
            if is_told && device.account() == Some(account.user_id) {
                device.push(note());
            }
        }
    }

    /// The account of a valid token.
    pub(crate) fn open_account(
        self: &Arc<Self>,
        name: &UserName,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Arc<Account>, Refusal> {
        let opened = lock(&self.accounts).open(hash, name, now);
        match opened {
            TokenCheck::Valid { account, renewed } => {
                if renewed {
                    let used = StateChange::TokenUsed(account.user_id, *hash, on_the_wall(now));
                    self.record(used);
                }
                Ok(account)
            }
            TokenCheck::Invalid => Err(Refusal::bad_token(name)),
        }
    }

    /// The token that a new one replaces.
    pub(crate) fn surplus_token(&self, user_id: UserId) -> Option<TokenHash> {
        lock(&self.accounts).surplus_token(user_id)
    }

    /// Signs a client in as one more device of an account; `channels` are those it is in. Returns
    /// its previous name.
    pub(crate) fn sign_in<'a>(
        self: &Arc<Self>,
        client: &Arc<Client>,
        account: &Arc<Account>,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) -> Result<Option<UserName>, Refusal> {
        let (name, user_id) = (&account.name, account.user_id);
        let (before, by, held) = {
            let mut directory = lock(&self.directory);
            if lock(&self.accounts).of(user_id).is_none() {
                // The account was deleted in this moment.
                return Err(Refusal::wrong_password(name));
            }
            if directory.owners(name).count() >= MAX_DEVICES {
                return Err(Refusal::too_many_devices(MAX_DEVICES));
            }
            self.may_be_called(name, Some(account), now)?;
            let (before, was, held) = (client.name(), client.user_id(), client.holds_name());
            let joined = directory.join(name, user_id, client);
            joined.map_err(|holder| Refusal::name_taken(name, &holder))?;
            directory.remove_resumed(was);
            client.set_account(Some(Arc::clone(account)), user_id);
            account.set_departed(None);
            (before, Source { id: client.id, user_id, was }, held)
        };
        client.set_away(account.away());
        if let Some(before) = before.as_ref().filter(|_| held) {
            // The identity as a guest ends.
            self.record(StateChange::NameReleased(before.key().into()));
            self.record(StateChange::UserGone(by.was));
        }
        let renamed = before.as_ref().filter(|before| before.as_str() != name.as_str());
        let event = renamed.map(|from| Event::Renamed { from: from.clone(), to: name.clone() });
        let once = Some(self.sequence.next());
        for channel in channels {
            let mut state = channel.state();
            state.signed_in(client.id, user_id);
            let account_operates = state.operators.adopt(client, user_id);
            self.record_operator(channel, account_operates);
            if let Some(event) = &event {
                state.publish_once(event.clone(), by, once);
            }
            let read = state.last_line;
            drop(state);
            self.record_membership(account, &channel.name, read, now);
        }
        if let Some(event) = &event {
            self.publish_to_partners(by, event, once);
        }
        self.adopt_rights(client, user_id);
        Ok(before)
    }

    /// Moves operator rights in channels that the client isn't in to its account.
    fn adopt_rights(self: &Arc<Self>, client: &Client, account: UserId) {
        for name in client.take_operated() {
            if let Ok(channel) = self.channel(&name) {
                let adopted = channel.state().operators.adopt(client, account);
                self.record_operator(&channel, adopted);
            }
        }
    }

    /// Removes a deleted account's operator rights, topics and reasons from the channels. The store
    /// has removed them already.
    fn take_from_channels(
        self: &Arc<Self>,
        account: UserId,
        known: Option<&Account>,
        source: Source,
    ) {
        let name = known.map(|account| &account.name);
        let channels = lock(&self.index).take_account(account, name);
        for channel in channels {
            let mut state = channel.state();
            if state.dropped {
                continue;
            }
            if let Some(account) = known {
                state.moderation.forget_reasons(&account.name);
                self.reindex(&channel, &mut state);
            }
            if state.topic_by == Some(account) {
                (state.topic, state.topic_by) = (None, None);
                if let Some(by) = known.map(|account| account.name.clone()) {
                    let channel = channel.name.clone();
                    state.publish(Event::Topic { channel, topic: None, by }, source);
                }
            }
            if state.operators.has_account(account) {
                state.operators.remove(None, Some(account));
                self.ensure_operator(&channel, &mut state);
            }
        }
    }

    /// Makes the client that registered a device of the new account; `channels` are those it is in.
    pub(crate) fn registered<'a>(
        self: &Arc<Self>,
        client: &Client,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) {
        let Some(account) = client.signed_in() else { return };
        for channel in channels {
            let mut state = channel.state();
            state.signed_in(client.id, account.user_id);
            let account_operates = state.operators.adopt(client, account.user_id);
            self.record_operator(channel, account_operates);
            let read = state.last_line;
            drop(state);
            self.record_membership(&account, &channel.name, read, now);
        }
        self.adopt_rights(client, account.user_id);
    }

    /// Signs a device out: it leaves every conversation and loses its name.
    pub(crate) fn sign_out<'a>(
        self: &Arc<Self>,
        client: &Arc<Client>,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) {
        let (Some(account), Some(user)) = (client.signed_in(), client.name()) else { return };
        {
            let mut directory = lock(&self.directory);
            directory.release(client);
            self.record_departure(&directory, client, &user);
        }
        self.record_absence(&account, now);
        self.part(client, &user, channels, None, now);
        let user_id = UserId(self.next_client.fetch_add(1, Ordering::Relaxed));
        {
            let mut directory = lock(&self.directory);
            client.lose_name();
            client.set_account(None, user_id);
            directory.add_resumed(client, user_id);
        }
        // A ban of its net exempted it as a server operator.
        self.kill_if_banned(client, now);
    }

    /// Records that an account was online until now.
    pub(super) fn record_absence(self: &Arc<Self>, account: &Account, now: Timestamp) {
        let seen = on_the_wall(now);
        account.set_seen(seen);
        self.record(StateChange::AccountSeen(account.user_id, seen));
    }

    /// Records that an account joined a channel, with this read marker.
    pub(crate) fn record_membership(
        self: &Arc<Self>,
        account: &Account,
        channel: &ChannelName,
        read: MessageId,
        now: Timestamp,
    ) {
        let now = self.record_entry(account, channel, read, now);
        self.record(StateChange::MemberAdded(account.user_id, channel.clone(), read, now));
    }

    /// Joins without storing the membership, which is up to the caller. Returns the time.
    pub(crate) fn record_entry(
        self: &Arc<Self>,
        account: &Account,
        channel: &ChannelName,
        read: MessageId,
        now: Timestamp,
    ) -> Timestamp {
        let (now, oldest) = account.join(channel, read, now);
        if let Some(oldest) = oldest {
            self.record(StateChange::MemberRemoved(account.user_id, oldest));
        }
        now
    }

    /// Records that an account left a channel.
    pub(crate) fn forget_membership(self: &Arc<Self>, account: &Account, channel: &ChannelName) {
        if account.leave_channel(channel) {
            self.record(StateChange::MemberRemoved(account.user_id, channel.clone()));
        }
    }

    /// Records the departure of an account that was ejected while its join was being stored.
    pub(crate) fn ensure_left(self: &Arc<Self>, account: &Account, channel: &ChannelName) {
        if !account.is_in(channel) {
            self.record(StateChange::MemberRemoved(account.user_id, channel.clone()));
        }
    }

    /// Moves an account's read marker in a channel.
    pub(crate) fn record_read(
        self: &Arc<Self>,
        account: &Account,
        channel: &ChannelName,
        line: MessageId,
    ) {
        if account.mark_read(channel, line) {
            let key = ConversationKey::Channel(channel.clone());
            self.record(StateChange::ReadMarker(account.user_id, key, line));
        }
    }

    /// Moves an account's read marker in a private chat.
    pub(crate) fn record_read_private(
        self: &Arc<Self>,
        account: &Account,
        with: UserId,
        line: MessageId,
    ) {
        account.mark_private_read(with, line);
        let key = ConversationKey::private(account.user_id, with);
        self.record(StateChange::ReadMarker(account.user_id, key, line));
    }

    /// Expires tokens that were unused for too long.
    pub fn expire_tokens(self: &Arc<Self>, now: Timestamp) {
        let mut after = None;
        loop {
            let (expired, last) = lock(&self.accounts).expired_tokens(after, now);
            for (user_id, hash) in expired {
                self.record(StateChange::TokenExpired(user_id, hash));
            }
            if last.is_none() {
                return;
            }
            after = last;
        }
    }
}

impl Channel {
    /// Removes the membership of an account whose device left; returns the update to store.
    pub(crate) fn left_by(&self, account: &Account) -> Option<AccountUpdate> {
        let was_in = account.leave_channel(&self.name);
        was_in
            .then(|| AccountUpdate::Leave { user_id: account.user_id, channel: self.name.clone() })
    }
}
