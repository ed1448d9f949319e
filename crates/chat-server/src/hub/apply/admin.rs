//! Applies commands of server operators.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::ban_mask::{MaskMatch, ServerBanMask};
use chat_proto::command::InvitationCode;
use chat_proto::event::{Event, OkReply, ServerBan, SignOutReason, Term};
use chat_proto::id::MessageId;
use chat_proto::limits::INVITATION_DAYS;
use chat_proto::name::UserName;
use chat_proto::period::Period;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::admin::bans::counts;
use crate::hub::admin::command::{AdminAction, AdminCommand, AdminRequest, AuditEntry, Issuer};
use crate::hub::admin::server_moderation::Invitation;
use crate::hub::client::Client;
use crate::hub::client::account::Account;
use crate::hub::client::notification::{KillNotice, Notification};
use crate::hub::fanout::delivery::SequencedEvent;
use crate::hub::id::Source;
use crate::hub::limits::RegistrationMode;
use crate::hub::proposal::StateChange;
use crate::util::clock::on_the_wall;
use crate::util::sync::lock;

/// How long an invitation is valid, in milliseconds.
#[expect(clippy::cast_possible_wrap, reason = "the number of days is small")]
const INVITATION_MILLIS: i64 = INVITATION_DAYS as i64 * 24 * 3_600_000;

/// The action that a request stands for.
struct Decision {
    what: AdminAction,
    /// For the audit log: the word, and the target.
    did: &'static str,
    whom: Box<str>,
    until: Option<Timestamp>,
}

/// A client to be killed.
type KilledClient = (Arc<Client>, KillNotice);

impl Hub {
    /// Submits a command. The issuer gets the reply once it is stored and applied.
    pub(crate) fn submit_admin_command(
        self: &Arc<Self>,
        issuer: Issuer,
        request: AdminRequest,
        reason: Option<Text>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let by = issuer.name();
        let decision = self.decide(request, by.as_ref(), reason.as_ref(), now)?;
        let Decision { what, did, whom, until } = decision;
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            self.finish_proposal();
            return Err(Refusal::stopping());
        }
        let act = AuditEntry { time: on_the_wall(now), by, did: did.into(), whom, until, reason };
        self.commit_log.submit(AdminCommand { issuer, what, act }.into(), self);
        Ok(())
    }

    fn decide(
        &self,
        request: AdminRequest,
        by: Option<&UserName>,
        reason: Option<&Text>,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        let mut until = None;
        let (what, did, whom) = match request {
            AdminRequest::Kill(user) => {
                let name = self.client(&user)?.name().unwrap_or(user);
                let whom = name.as_str().into();
                (AdminAction::Kill(name), "kill", whom)
            }
            AdminRequest::Announce(text) => {
                let whom = text.as_str().into();
                (AdminAction::Announce(text), "announce", whom)
            }
            AdminRequest::Invitation => {
                if self.bounds.registration == RegistrationMode::Closed {
                    return Err(Refusal::no_use_for_invitations());
                }
                lock(&self.server_moderation).has_room(now)?;
                let (shown, hash) = self.auth.new_token().ok_or_else(Refusal::internal)?;
                let invite = InvitationCode::new(shown.expose()).ok_or_else(Refusal::internal)?;
                let end = Timestamp(on_the_wall(now).0.saturating_add(INVITATION_MILLIS));
                until = Some(end);
                (AdminAction::Invitation { invite, hash, until: end }, "invitation", "".into())
            }
            AdminRequest::Admin(name, admin) => {
                let account = self.registered_account(&name)?;
                let did = if admin { "grant" } else { "revoke" };
                let user_id = account.user_id;
                (AdminAction::Admin { user_id, admin }, did, account.name.as_str().into())
            }
            AdminRequest::Ban(target, period) => {
                let target = lock(&self.server_moderation).bans.known_as(target);
                lock(&self.server_moderation).bans.has_room(&target, now)?;
                until = period.map(|period| shown_end(period, now));
                let term = until.map_or(Term::Permanent, Term::Until);
                let whom = target.to_string().into();
                let (key, by, reason) = (target.key(), by.cloned(), reason.cloned());
                let ban = ServerBan { target, by, time: on_the_wall(now), term, reason };
                (AdminAction::Ban(ban, key), "ban", whom)
            }
            AdminRequest::Unban(target) => {
                let target = lock(&self.server_moderation).bans.meant(target);
                let whom = target.to_string().into();
                let key = target.key();
                (AdminAction::Unban(target, key), "unban", whom)
            }
            AdminRequest::Password(name, password) => {
                let account = self.registered_account(&name)?;
                let user_id = account.user_id;
                let what = AdminAction::Password { user_id, password };
                (what, "reset-password", account.name.as_str().into())
            }
            AdminRequest::Delete(name) => {
                let account = self.registered_account(&name)?;
                let what = AdminAction::Delete { user_id: account.user_id };
                (what, "delete-account", account.name.as_str().into())
            }
        };
        Ok(Decision { what, did, whom, until })
    }

    /// An account by name, for issuers that may know which accounts exist.
    pub(crate) fn registered_account(&self, name: &UserName) -> Result<Arc<Account>, Refusal> {
        self.account(name).ok_or_else(|| Refusal::no_such_account(name))
    }

    /// Applies a stored command, and notifies those concerned.
    pub(crate) fn apply_admin_command(
        self: &Arc<Self>,
        command: Box<AdminCommand>,
        kept: Result<(), Refusal>,
    ) {
        let AdminCommand { issuer, what, act } = *command;
        match kept {
            Ok(()) => {
                log(&what, &act);
                lock(&self.server_moderation).record(act.clone());
                let (done, ended) = self.carry_out(&issuer, what, act);
                issuer.answer(Ok(done));
                // After the reply, so that the issuer sees it first.
                for (client, ending) in ended {
                    client.end(ending);
                }
            }
            Err(refusal) => issuer.answer(Err(refusal)),
        }
        self.finish_proposal();
    }

    /// Also returns the clients to kill.
    fn carry_out(
        self: &Arc<Self>,
        issuer: &Issuer,
        what: AdminAction,
        act: AuditEntry,
    ) -> (OkReply, Vec<KilledClient>) {
        let mut ended = Vec::new();
        let done = match what {
            AdminAction::Kill(user) => {
                let devices: Vec<_> = lock(&self.directory).owners(&user).cloned().collect();
                let ending = KillNotice { by: act.by, reason: act.reason, ban: None };
                ended.extend(devices.into_iter().map(|one| (one, ending.clone())));
                OkReply::Killed { user, count: ended.len() }
            }
            AdminAction::Announce(text) => {
                let by = issuer.client().map_or(Source::NONE, Client::by);
                let event = Event::Announcement { from: act.by, text, time: act.time };
                let number = self.sequence.next();
                let told =
                    Arc::new(SequencedEvent::new(event, by, number, MessageId::default()).into());
                let listens = |one: &Arc<Client>| {
                    one.id != by.id
                        && one.name().is_some()
                        && one.try_push(Notification::Broadcast(Arc::clone(&told)))
                };
                let mut count = 0;
                self.each_client(|one| count += usize::from(listens(one)));
                OkReply::Announced { count }
            }
            AdminAction::Invitation { invite, hash, until } => {
                let invitation = Invitation::new(act.by, act.time, until);
                lock(&self.server_moderation).invite(hash, invitation);
                OkReply::Invitation { invite, until }
            }
            AdminAction::Admin { user_id, admin } => {
                let changed = lock(&self.accounts).set_admin(user_id, admin);
                if let Some(account) = changed {
                    self.notify_devices(&account, None, || Notification::Admin(admin));
                    if !admin {
                        ended = self.banned_devices(&account, act.time);
                    }
                }
                OkReply::Told
            }
            AdminAction::Ban(ban, _) => {
                // The ban holds for new connections first; then the connected ones are searched.
                lock(&self.server_moderation).bans.add(ban.clone());
                let mut hit = Vec::new();
                self.each_client(|one| {
                    if is_against(&ban.target, one) {
                        hit.push(Arc::clone(one));
                    }
                });
                let ServerBan { target, by, term, reason, .. } = ban;
                let ending = KillNotice { by, reason, ban: Some(term) };
                ended.extend(hit.into_iter().map(|one| (one, ending.clone())));
                OkReply::ServerBanned { target, term, count: ended.len() }
            }
            AdminAction::Unban(target, key) => {
                let changed = lock(&self.server_moderation).bans.remove(&key);
                OkReply::ServerUnbanned { target, changed }
            }
            AdminAction::Password { user_id, password } => {
                lock(&self.accounts).revoke_all(user_id);
                if let Some(account) = self.account_of(user_id) {
                    account.set_password(&password);
                    self.notify_devices(&account, None, || {
                        Notification::SignedOut(SignOutReason::Operator)
                    });
                }
                OkReply::Told
            }
            AdminAction::Delete { user_id } => {
                let by = issuer.client().map_or(Source::NONE, Client::by);
                self.erase_account(user_id, by, None, SignOutReason::Deleted);
                OkReply::Told
            }
        };
        (done, ended)
    }

    /// An account's devices that a ban matches now that it doesn't exempt them.
    fn banned_devices(&self, account: &Account, now: Timestamp) -> Vec<KilledClient> {
        let directory = lock(&self.directory);
        let bearers = directory.owners(&account.name);
        let devices = bearers.filter(|one| one.account() == Some(account.user_id)).cloned();
        let devices: Vec<_> = devices.collect();
        drop(directory);
        let bans = &lock(&self.server_moderation).bans;
        let on_name = bans.on_name(&account.name, false, now);
        let barred = devices.into_iter().filter_map(|device| {
            let on_address = || bans.on_address(device.address()?, now);
            let ban = on_name.clone().or_else(on_address)?;
            let (by, reason) = (ban.by.clone(), ban.reason.clone());
            Some((device, KillNotice { by, reason, ban: Some(ban.term) }))
        });
        barred.collect()
    }

    /// Kills a client that connected just before its ban.
    pub(super) fn kill_if_banned(&self, client: &Client, now: Timestamp) {
        let on_address = |address| lock(&self.server_moderation).bans.on_address(address, now);
        if let Some(ban) = client.address().and_then(on_address) {
            let (by, reason) = (ban.by.clone(), ban.reason.clone());
            client.end(KillNotice { by, reason, ban: Some(ban.term) });
        }
    }

    /// Removes expired bans and invitations.
    pub fn run_out(self: &Arc<Self>, now: Timestamp) {
        if lock(&self.server_moderation).run_out(now) {
            // Stored times are the wall clock's. What stays in the store is checked again at the
            // next start.
            self.record(StateChange::ExpiredBefore(now.min(on_the_wall(now))));
        }
    }
}

/// The log has no reasons; the audit log has.
fn log(what: &AdminAction, act: &AuditEntry) {
    let by = act.by.as_ref().map_or("(shell)", UserName::as_str);
    let whom = &*act.whom;
    match what {
        AdminAction::Kill(_) => tracing::info!(%whom, %by, "killed"),
        AdminAction::Ban(..) => tracing::info!(%whom, %by, "banned from the server"),
        AdminAction::Unban(..) => tracing::info!(%whom, %by, "no longer banned from the server"),
        AdminAction::Admin { admin: true, .. } => {
            tracing::info!(%whom, %by, "operator of the server");
        }
        AdminAction::Admin { .. } => tracing::info!(%whom, %by, "no longer operator of the server"),
        AdminAction::Password { .. } => tracing::info!(%whom, %by, "password reset"),
        AdminAction::Delete { .. } => tracing::info!(%whom, %by, "account deleted"),
        AdminAction::Announce(_) | AdminAction::Invitation { .. } => {}
    }
}

fn shown_end(period: Period, now: Timestamp) -> Timestamp {
    let millis = i64::try_from(period.secs().saturating_mul(1000)).unwrap_or(i64::MAX);
    Timestamp(on_the_wall(now).0.saturating_add(millis))
}

/// Whether a ban matches a connected client.
fn is_against(target: &ServerBanMask, client: &Client) -> bool {
    let by_name = client.name().and_then(|name| target.matches_name(&name));
    let by_address = client.address().filter(|address| target.matches_address(*address));
    let hit = by_name.or(by_address.map(|_| MaskMatch::Alike));
    hit.is_some_and(|hit| counts(hit, client.is_server_operator()))
}
