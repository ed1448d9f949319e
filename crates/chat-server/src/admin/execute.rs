//! Executes the requests of the admin socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::ban_mask::ServerBanMask;
use chat_proto::command::{for_how_long, refuse_period};
use chat_proto::command_table::CommandKind;
use chat_proto::event::{OkReply, Stat, Term};
use chat_proto::limits::MAX_REASON_CHARS;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::period::Period;
use chat_proto::refusal::{Code, Refusal};
use chat_proto::secret::Secret;
use chat_proto::text::{Text, clean};
use chat_proto::time::Timestamp;
use tokio::sync::oneshot;

use super::wire::{SocketReply, SocketRequest};
use crate::hub::Hub;
use crate::hub::admin::command::{AdminRequest, AuditEntry, Issuer};
use crate::hub::admin::server_moderation::Invitation;
use crate::hub::channel::mod_action::{ActionTarget, ModAction, ModActionKind};
use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::query::AuthReply;
use crate::hub::snapshot::admin::{AccountSummary, AdminPage, ChannelSummary, ListFilter};
use crate::policy;
use crate::util::clock::{on_the_wall, steady_clock};

/// Executes a request and returns all lines of the reply.
pub(super) async fn execute(hub: &Arc<Hub>, request: SocketRequest) -> Vec<SocketReply> {
    let now = steady_clock();
    answer(hub, request, now).await.unwrap_or_else(|refusal| vec![refusal.into()])
}

async fn answer(
    hub: &Arc<Hub>,
    request: SocketRequest,
    now: Timestamp,
) -> Result<Vec<SocketReply>, Refusal> {
    Ok(match request {
        SocketRequest::Grant { name } => {
            let name = user_name(&name)?;
            submit(hub, AdminRequest::Admin(name.clone(), true), None, now).await?;
            vec![SocketReply::done(format!("{name} is an operator of the server."))]
        }
        SocketRequest::Revoke { name } => {
            let name = user_name(&name)?;
            submit(hub, AdminRequest::Admin(name.clone(), false), None, now).await?;
            vec![SocketReply::done(format!("{name} is no operator of the server."))]
        }
        SocketRequest::Operators {} => {
            let all = hub.operators().into_iter();
            let rows =
                all.map(|(name, here)| SocketReply::Operator { name: name.to_string(), here });
            listed(rows, "operators")
        }
        SocketRequest::Kill { user, reason } => {
            let request = AdminRequest::Kill(user_name(&user)?);
            match submit(hub, request, why(CommandKind::Kill, reason.as_deref())?, now).await? {
                OkReply::Killed { user, count } => {
                    let text = format!("Connections of {user} that were ended: {count}.");
                    vec![SocketReply::counted(count, text)]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        SocketRequest::Announce { text } => {
            let text = Text::new(&text).ok_or_else(Refusal::blank_line)?;
            match submit(hub, AdminRequest::Announce(text), None, now).await? {
                OkReply::Announced { count } => {
                    vec![SocketReply::counted(
                        count,
                        format!("Connections that were told: {count}."),
                    )]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        SocketRequest::Stats {} => {
            let rows = hub.stats(now).into_iter().map(|Stat { name, value }| {
                let name = name.to_owned();
                SocketReply::Stats { name, value }
            });
            listed(rows, "numbers")
        }
        SocketRequest::Invitation {} => {
            match submit(hub, AdminRequest::Invitation, None, now).await? {
                OkReply::Invitation { invite, until } => {
                    let invite = invite.expose().to_owned();
                    let text = format!(
                        "/register invite:{invite} makes one account, until {} (UTC).",
                        until.date_and_time()
                    );
                    let until = Some(until.rfc3339().to_string());
                    let invite = Some(invite);
                    vec![SocketReply::Done {
                        count: None,
                        invite,
                        password: None,
                        until,
                        next: None,
                        text,
                    }]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        SocketRequest::Invitations {} => {
            let all = hub.invitations(now).into_iter();
            let rows = all.map(|Invitation { by, created, until, .. }| SocketReply::Invitation {
                by: by.map(|by| by.to_string()),
                time: created.rfc3339().to_string(),
                until: until.rfc3339().to_string(),
            });
            listed(rows, "invitations")
        }
        SocketRequest::Log { count } => {
            let acts = hub.last_acts(count.unwrap_or(usize::MAX));
            listed(acts.into_iter().map(act_row), "acts")
        }
        SocketRequest::Ban { target, r#for, reason } => {
            let target = ServerBanMask::read(&target)?;
            if let ServerBanMask::One(ModTarget::User(user)) = &target
                && ModTarget::is_like_address(user.as_str())
                && ModTarget::read(user.as_str()).as_ref() == Some(&ModTarget::User(user.clone()))
                && hub.client(user).is_err()
                && hub.account_called(user).is_none()
            {
                return Err(Refusal::bad_barred(user.as_str()));
            }
            let given = r#for.as_deref().map(period).transpose()?;
            let reason = reason.unwrap_or_default();
            let (typed, reason) = for_how_long(CommandKind::Ban.spec(), clean(&reason).trim())?;
            if let (Some(_), Some(again)) = (given, typed) {
                return Err(Refusal::period_without_for(&again.to_string()));
            }
            let request = AdminRequest::Ban(target, given.or(typed));
            match submit(hub, request, reason, now).await? {
                OkReply::ServerBanned { target, term, count } => {
                    let text = format!("{target} is banned{term}; connections ended: {count}.");
                    let until = until(term);
                    let count = Some(count);
                    vec![SocketReply::Done {
                        count,
                        invite: None,
                        password: None,
                        until,
                        next: None,
                        text,
                    }]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        SocketRequest::Unban { target } => {
            let target = ServerBanMask::read(&target)?;
            match submit(hub, AdminRequest::Unban(target), None, now).await? {
                OkReply::ServerUnbanned { target, changed: true } => {
                    vec![SocketReply::done(format!("{target} is not banned any more."))]
                }
                OkReply::ServerUnbanned { target, changed: false } => {
                    vec![SocketReply::done(format!("{target} was not banned."))]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        SocketRequest::Bans {} => {
            let rows = hub.server_bans(now).into_iter().map(|ban| SocketReply::Ban {
                target: ban.target.to_string(),
                by: ban.by.map(|by| by.to_string()),
                time: ban.time.rfc3339().to_string(),
                until: until(ban.term),
                reason: ban.reason.map(|reason| reason.to_string()),
            });
            listed(rows, "bans")
        }
        SocketRequest::Op { channel, user } => {
            let user = user_name(&user)?;
            let here = hub.client(&user);
            let account = hub.account_called(&user);
            let client = match (here, account) {
                (Err(refusal), None) => return Err(refusal),
                (here, _) => here.ok(),
            };
            let aim = ActionTarget { user, client, account };
            match act(hub, &channel, ModActionKind::Op(aim), None, now).await? {
                OkReply::Operator { channel, user, .. } => {
                    vec![SocketReply::done(format!("{user} is an operator of {channel}."))]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        SocketRequest::Drop { channel, reason } => {
            match act(
                hub,
                &channel,
                ModActionKind::Drop,
                why(CommandKind::Drop, reason.as_deref())?,
                now,
            )
            .await?
            {
                OkReply::Dropped { channel, .. } => {
                    vec![SocketReply::done(format!(
                        "{channel} is dropped, with all that was said in it."
                    ))]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        SocketRequest::DeleteAccount { name } => {
            let name = user_name(&name)?;
            submit(hub, AdminRequest::Delete(name.clone()), None, now).await?;
            vec![SocketReply::done(format!(
                "The account {name} is deleted, with all that it wrote."
            ))]
        }
        SocketRequest::Users { part, after, limit } => {
            let asked = asked(part.as_deref(), limit);
            let page = hub.connections(&asked, after.unwrap_or_default());
            let row = |client: &Arc<Client>| connection(client, now);
            paged(&page, row, "connections", |client| client.id.0.to_string())
        }
        SocketRequest::Accounts { part, after, limit } => {
            let after = after.as_deref().map(user_name).transpose()?;
            let page = hub.account_page(&asked(part.as_deref(), limit), after.as_ref());
            paged(&page, account, "accounts", |row| row.account.name.to_string())
        }
        SocketRequest::Channels { part, after, limit } => {
            let after = after.as_deref().map(channel_name).transpose()?;
            let part = part.as_deref().map(|part| part.trim_start_matches('#'));
            let page = hub.channel_page(&asked(part, limit), after.as_ref());
            paged(&page, channel, "channels", |row| row.name.to_string())
        }
        SocketRequest::ResetPassword { name } => {
            reset_password(hub, user_name(&name)?, now).await?
        }
    })
}

async fn submit(
    hub: &Arc<Hub>,
    request: AdminRequest,
    reason: Option<Text>,
    now: Timestamp,
) -> Result<OkReply, Refusal> {
    let (issuer, answer) = oneshot::channel();
    hub.submit_admin_command(Issuer::Shell(issuer), request, reason, now)?;
    answer.await.map_err(|_| Refusal::internal())?
}

/// Runs a moderation action in a channel under the server's own name.
async fn act(
    hub: &Arc<Hub>,
    channel: &str,
    kind: ModActionKind,
    reason: Option<Text>,
    now: Timestamp,
) -> Result<OkReply, Refusal> {
    let name = channel_name(channel)?;
    let shell = hub.shell(now);
    let channel = hub.channel_for(&shell, &name, now)?;
    let own = UserName::stored(OWN_NAME).map_err(|error| Refusal::bad_name(&error))?;
    hub.moderate(&shell, own, &channel, ModAction { kind, reason }, now, policy::channel::may)?;
    loop {
        poll_fn(|cx| shell.ready.poll(cx, false)).await;
        shell.ready.take();
        while let Some(note) = shell.pop_notification() {
            if let Notification::Reply(answer) = note {
                return answer;
            }
        }
    }
}

/// The name of the shell in channels, which no client can take.
const OWN_NAME: &str = "server";

/// Length of a generated password: 120 random bits.
const NEW_PASSWORD_CHARS: usize = 20;

async fn reset_password(
    hub: &Arc<Hub>,
    name: UserName,
    now: Timestamp,
) -> Result<Vec<SocketReply>, Refusal> {
    // Checked before the hash is computed.
    hub.registered_account(&name)?;
    let (random, _) = hub.auth.new_token().ok_or_else(Refusal::internal)?;
    let password = random.expose().get(..NEW_PASSWORD_CHARS).ok_or_else(Refusal::internal)?;
    let password = Secret::new(password);
    let (done, hashed) = oneshot::channel();
    let tell = Box::new(move |answer| {
        // The connection may be closed by now.
        let _ = done.send(answer);
    });
    hub.auth.hash(password.clone(), tell);
    let hash = match hashed.await {
        Ok(AuthReply::Hashed(hash)) => hash,
        Ok(AuthReply::Busy) => return Err(Refusal::hashing_busy()),
        _ => return Err(Refusal::internal()),
    };
    submit(hub, AdminRequest::Password(name.clone(), hash), None, now).await?;
    let text = format!(
        "The password of {name} is {} now, and it is signed out everywhere. /password changes it.",
        password.expose()
    );
    let password = Some(password.expose().to_owned());
    Ok(vec![SocketReply::Done {
        count: None,
        invite: None,
        password,
        until: None,
        next: None,
        text,
    }])
}

fn listed(rows: impl Iterator<Item = SocketReply>, what: &str) -> Vec<SocketReply> {
    let mut rows: Vec<SocketReply> = rows.collect();
    let count = rows.len();
    let text = if count == 0 { format!("There are no {what}.") } else { String::new() };
    rows.push(SocketReply::counted(count, text));
    rows
}

/// Maximum number of rows in a reply, which is built in memory.
const MAX_ROWS: usize = 1000;

fn asked(part: Option<&str>, limit: Option<usize>) -> ListFilter<'_> {
    ListFilter { part, most: limit.unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS) }
}

/// A list; the last line has the cursor of the next page.
fn paged<T>(
    page: &AdminPage<T>,
    row: impl FnMut(&T) -> SocketReply,
    what: &str,
    key: impl FnOnce(&T) -> String,
) -> Vec<SocketReply> {
    let mut rows = listed(page.rows.iter().map(row), what);
    if page.has_more
        && let Some(last) = page.rows.last()
        && let Some(SocketReply::Done { next, text, .. }) = rows.last_mut()
    {
        let key = key(last);
        *text = format!("There are more {what}: --after '{key}' shows them.");
        *next = Some(key);
    }
    rows
}

fn connection(client: &Arc<Client>, now: Timestamp) -> SocketReply {
    let last_line = Timestamp(client.last_line_at.load(Ordering::Relaxed));
    SocketReply::User {
        id: client.id.0,
        name: client.name().map(|name| name.to_string()),
        account: client.signed_in().map(|account| account.name.to_string()),
        address: client.shown_address(),
        since: on_the_wall(client.since).rfc3339().to_string(),
        idle: now.seconds_since(last_line),
        client: client.kind().word().to_owned(),
    }
}

fn account(row: &AccountSummary) -> SocketReply {
    let AccountSummary { account, connections } = row;
    let seen = (*connections == 0).then(|| account.seen().rfc3339().to_string());
    SocketReply::Account {
        name: account.name.to_string(),
        operator: account.is_admin(),
        connections: *connections,
        seen,
    }
}

fn channel(row: &ChannelSummary) -> SocketReply {
    let ChannelSummary { name, members, operators, hidden, invite_only, lines } = row;
    SocketReply::Channel {
        name: name.to_string(),
        members: *members,
        operators: operators.iter().map(ToString::to_string).collect(),
        hidden: *hidden,
        invite_only: *invite_only,
        lines: *lines,
    }
}

fn act_row(act: AuditEntry) -> SocketReply {
    let AuditEntry { time, by, did, whom, until, reason } = act;
    SocketReply::Act {
        time: time.rfc3339().to_string(),
        by: by.map(|by| by.to_string()),
        did: did.into(),
        whom: Some(whom.into()).filter(|whom: &String| !whom.is_empty()),
        until: until.map(|until| until.rfc3339().to_string()),
        reason: reason.map(|reason| reason.to_string()),
    }
}

fn period(typed: &str) -> Result<Period, Refusal> {
    Period::read(typed).ok_or_else(|| Refusal::bad_period(typed))
}

fn until(term: Term) -> Option<String> {
    match term {
        Term::Permanent => None,
        Term::Until(end) => Some(end.rfc3339().to_string()),
    }
}

fn channel_name(typed: &str) -> Result<ChannelName, Refusal> {
    ChannelName::new(typed).map_err(|error| Refusal::bad_name(&error))
}

fn user_name(typed: &str) -> Result<UserName, Refusal> {
    let bare = typed.strip_prefix('@').unwrap_or(typed);
    UserName::new(bare).map_err(|error| Refusal::bad_name(&error))
}

/// Parses the reason of an action that takes no period.
fn why(kind: CommandKind, reason: Option<&str>) -> Result<Option<Text>, Refusal> {
    let Some(reason) = reason.and_then(Text::new) else { return Ok(None) };
    refuse_period(kind.spec(), reason.as_str().trim())?;
    match reason.chars_over(MAX_REASON_CHARS) {
        None => Ok(Some(reason)),
        Some(over) => Err(Refusal::new(
            Code::BadArgument,
            format!(
                "The reason has {over} characters more than the {MAX_REASON_CHARS} that it may have. \
                 Shorten it."
            ),
        )),
    }
}
