//! What each question on the admin socket does.

use std::sync::Arc;

use chat_proto::barred::Barred;
use chat_proto::event::{Done, Stat, Term};
use chat_proto::id::Timestamp;
use chat_proto::limits::MAX_REASON_CHARS;
use chat_proto::name::UserName;
use chat_proto::refusal::{Code, Refusal};
use chat_proto::secret::Secret;
use chat_proto::setting::Period;
use chat_proto::text::Text;
use tokio::sync::oneshot;

use super::wire::{Answer, Request};
use crate::clock::steady_clock;
use crate::hub::Hub;
use crate::hub::decree::{Recorded, Ruler, Wish};
use crate::hub::governing::Invitation;
use crate::hub::ports::vault;

/// All lines of the answer, the last one of which tells what became of it.
pub(super) async fn carry_out(hub: &Arc<Hub>, request: Request) -> Vec<Answer> {
    let now = steady_clock();
    answer(hub, request, now).await.unwrap_or_else(|refusal| vec![refusal.into()])
}

async fn answer(hub: &Arc<Hub>, request: Request, now: Timestamp) -> Result<Vec<Answer>, Refusal> {
    Ok(match request {
        Request::Grant { name } => {
            let name = user_name(&name)?;
            decree(hub, Wish::Admin(name.clone(), true), None, now).await?;
            vec![Answer::done(format!("{name} is an operator of the server."))]
        }
        Request::Revoke { name } => {
            let name = user_name(&name)?;
            decree(hub, Wish::Admin(name.clone(), false), None, now).await?;
            vec![Answer::done(format!("{name} is no operator of the server."))]
        }
        Request::Operators {} => {
            let all = hub.operators().into_iter();
            let rows = all.map(|(name, here)| Answer::Operator { name: name.to_string(), here });
            listed(rows, "operators")
        }
        Request::Kill { user, reason } => {
            let wish = Wish::Kill(user_name(&user)?);
            match decree(hub, wish, why(reason.as_deref())?, now).await? {
                Done::Killed { user, count } => {
                    let text = format!("Connections of {user} that were ended: {count}.");
                    vec![Answer::counted(count, text)]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        Request::Announce { text } => {
            let text = Text::new(&text).ok_or_else(Refusal::blank_line)?;
            match decree(hub, Wish::Announce(text), None, now).await? {
                Done::Announced { count } => {
                    vec![Answer::counted(count, format!("Connections that were told: {count}."))]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        Request::Stats {} => {
            let rows = hub.stats(now).into_iter().map(|Stat { name, value }| {
                let name = name.to_owned();
                Answer::Stats { name, value }
            });
            listed(rows, "numbers")
        }
        Request::Invitation {} => match decree(hub, Wish::Invitation, None, now).await? {
            Done::Invitation { invite, until } => {
                let invite = invite.expose().to_owned();
                let text = format!(
                    "/register invite:{invite} makes one account, until {} (UTC).",
                    until.date_and_time()
                );
                let until = Some(until.rfc3339().to_string());
                let invite = Some(invite);
                vec![Answer::Done { count: None, invite, password: None, until, text }]
            }
            _ => return Err(Refusal::internal()),
        },
        Request::Invitations {} => {
            let all = hub.invitations(now).into_iter();
            let rows = all.map(|Invitation { by, created, until, .. }| Answer::Invitation {
                by: by.map(|by| by.to_string()),
                time: created.rfc3339().to_string(),
                until: until.rfc3339().to_string(),
            });
            listed(rows, "invitations")
        }
        Request::Log { count } => {
            let acts = hub.last_acts(count.unwrap_or(usize::MAX));
            listed(acts.into_iter().map(act), "acts")
        }
        Request::Ban { target, r#for, reason } => {
            let target = Barred::read(&target)?;
            let period = r#for.as_deref().map(period).transpose()?;
            let wish = Wish::Ban(target, period);
            match decree(hub, wish, why(reason.as_deref())?, now).await? {
                Done::Barred { target, term, count } => {
                    let text = format!("{target} is banned{term}; connections ended: {count}.");
                    let until = until(term);
                    let count = Some(count);
                    vec![Answer::Done { count, invite: None, password: None, until, text }]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        Request::Unban { target } => {
            let target = Barred::read(&target)?;
            match decree(hub, Wish::Unban(target), None, now).await? {
                Done::Unbarred { target, changed: true } => {
                    vec![Answer::done(format!("{target} is not banned any more."))]
                }
                Done::Unbarred { target, changed: false } => {
                    vec![Answer::done(format!("{target} was not banned."))]
                }
                _ => return Err(Refusal::internal()),
            }
        }
        Request::Bans {} => {
            let rows = hub.server_bans(now).into_iter().map(|ban| Answer::Ban {
                target: ban.target.to_string(),
                by: ban.by.map(|by| by.to_string()),
                time: ban.time.rfc3339().to_string(),
                until: until(ban.term),
                reason: ban.reason.map(|reason| reason.to_string()),
            });
            listed(rows, "bans")
        }
        Request::ResetPassword { name } => reset_password(hub, user_name(&name)?, now).await?,
    })
}

async fn decree(
    hub: &Arc<Hub>,
    wish: Wish,
    reason: Option<Text>,
    now: Timestamp,
) -> Result<Done, Refusal> {
    let (asker, answer) = oneshot::channel();
    hub.decree(Ruler::Shell(asker), wish, reason, now)?;
    answer.await.map_err(|_| Refusal::internal())?
}

/// Characters of a password that the server makes: 120 random bits.
const NEW_PASSWORD_CHARS: usize = 20;

async fn reset_password(
    hub: &Arc<Hub>,
    name: UserName,
    now: Timestamp,
) -> Result<Vec<Answer>, Refusal> {
    // Before a hash is made for nothing.
    hub.registered_account(&name)?;
    let (random, _) = hub.vault.new_token().ok_or_else(Refusal::internal)?;
    let password = random.expose().get(..NEW_PASSWORD_CHARS).ok_or_else(Refusal::internal)?;
    let password = Secret::new(password);
    let (done, hashed) = oneshot::channel();
    let tell = Box::new(move |answer| {
        // Whoever has gone meanwhile doesn't want to know.
        let _ = done.send(answer);
    });
    if !hub.vault.hash(password.clone(), tell) {
        return Err(Refusal::hashing_busy());
    }
    let Ok(vault::Answer::Hashed(hash)) = hashed.await else { return Err(Refusal::internal()) };
    decree(hub, Wish::Password(name.clone(), hash), None, now).await?;
    let text = format!(
        "The password of {name} is {} now, and it is signed out everywhere. /password changes it.",
        password.expose()
    );
    let password = Some(password.expose().to_owned());
    Ok(vec![Answer::Done { count: None, invite: None, password, until: None, text }])
}

fn listed(rows: impl Iterator<Item = Answer>, what: &str) -> Vec<Answer> {
    let mut rows: Vec<Answer> = rows.collect();
    let count = rows.len();
    let text = if count == 0 { format!("There are no {what}.") } else { String::new() };
    rows.push(Answer::counted(count, text));
    rows
}

fn act(act: Recorded) -> Answer {
    let Recorded { time, by, did, whom, until, reason } = act;
    Answer::Act {
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
        Term::Lasting => None,
        Term::Until(end) => Some(end.rfc3339().to_string()),
    }
}

fn user_name(typed: &str) -> Result<UserName, Refusal> {
    let bare = typed.strip_prefix('@').unwrap_or(typed);
    UserName::new(bare).map_err(|error| Refusal::bad_name(&error))
}

fn why(reason: Option<&str>) -> Result<Option<Text>, Refusal> {
    let Some(reason) = reason.and_then(Text::new) else { return Ok(None) };
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
