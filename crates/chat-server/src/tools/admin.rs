//! `chat-server admin`: talks to a running server over its admin socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::tell;
use crate::admin::wire::{Answer, Request};
use crate::cli::{Admin, AdminWish, ListWish};
use crate::config::{ADMIN_SOCKET, Config};

/// Exit code of a refusal. Clap exits with 2 on a wrong command line.
const REFUSED: u8 = 1;
const UNREACHED: u8 = 3;

/// Longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(90);

/// Directory of the packaged service's sockets.
const SERVICE_DIRECTORY: &str = "/run/chat-server";

pub(super) fn run(admin: &Admin, config: &Config) -> anyhow::Result<ExitCode> {
    let path = socket(admin, config);
    let Some(path) = path else {
        return unreached(
            admin,
            "a server that keeps nothing has no admin socket unless --admin-socket gives it one; tell where it is with --socket",
        );
    };
    let answered = ask(&path, &request(&admin.wish));
    let lines = match answered {
        Ok(lines) => lines,
        Err(error) => {
            let path = path.display();
            let why = format!(
                "no server can be reached at {path}: {error}; start it, tell where its socket is with \
                 --socket, or run this as root or as its user"
            );
            return unreached(admin, &why);
        }
    };
    let mut code = None;
    for line in &lines {
        let Ok(answer) = serde_json::from_str::<Answer>(line) else {
            return unreached(
                admin,
                "what answers there is no server of this version; use its own chat-server",
            );
        };
        code = match &answer {
            Answer::Done { .. } => Some(ExitCode::SUCCESS),
            Answer::Refused { .. } => Some(ExitCode::from(REFUSED)),
            _ => None,
        };
        if admin.json {
            tell(line)?;
        } else if let Answer::Refused { code, text } = answer {
            complain(&format!("{code}: {text}"));
        } else if let Some(line) = shown(answer) {
            tell(line)?;
        }
    }
    match code {
        Some(code) => Ok(code),
        None => unreached(admin, "the server gave no whole answer; its log may tell why"),
    }
}

/// Prints the reason as the last line, as with a refusal, for scripts that read JSON.
fn unreached(admin: &Admin, why: &str) -> anyhow::Result<ExitCode> {
    complain(why);
    if admin.json {
        let last = Answer::Refused { code: "unreachable".to_owned(), text: why.to_owned() };
        tell(serde_json::to_string(&last)?)?;
    }
    Ok(ExitCode::from(UNREACHED))
}

fn complain(what: &str) {
    // Without standard error the exit code must do.
    let _ = writeln!(io::stderr(), "chat-server admin: {what}");
}

/// Returns the socket of the configured server, or else of the packaged service.
fn socket(admin: &Admin, config: &Config) -> Option<PathBuf> {
    if let Some(given) = &admin.socket {
        return Some(given.clone());
    }
    let usual = config.admin.as_ref().map(|socket| &socket.path);
    let service = Path::new(SERVICE_DIRECTORY).join(ADMIN_SOCKET);
    let is_wanted = config.admin.as_ref().is_some_and(|socket| socket.is_wanted);
    match usual {
        Some(path) if is_wanted || path.exists() || !service.exists() => Some(path.clone()),
        _ if service.exists() => Some(service),
        _ => None,
    }
}

fn ask(path: &Path, request: &Request) -> io::Result<Vec<String>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // A server may refuse before it has read everything, and close: the answer is still there.
    let sent = stream.write_all(&line).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        match line {
            Ok(line) => lines.push(line),
            Err(_) if !lines.is_empty() => break,
            Err(error) => return Err(sent.err().unwrap_or(error)),
        }
    }
    if lines.is_empty() {
        sent?;
    }
    Ok(lines)
}

fn request(wish: &AdminWish) -> Request {
    let words = |words: &[String]| words.join(" ");
    let perhaps = |all: &[String]| (!all.is_empty()).then(|| words(all));
    match wish {
        AdminWish::Grant { name } => Request::Grant { name: name.clone() },
        AdminWish::Revoke { name } => Request::Revoke { name: name.clone() },
        AdminWish::Operators => Request::Operators {},
        AdminWish::Kill { user, reason } => {
            Request::Kill { user: user.clone(), reason: perhaps(reason) }
        }
        AdminWish::Ban { target, period, reason } => {
            let (target, period) = (target.clone(), period.clone());
            Request::Ban { target, r#for: period, reason: perhaps(reason) }
        }
        AdminWish::Unban { target } => Request::Unban { target: target.clone() },
        AdminWish::Bans => Request::Bans {},
        AdminWish::Announce { text } => Request::Announce { text: words(text) },
        AdminWish::Stats => Request::Stats {},
        AdminWish::Invitation => Request::Invitation {},
        AdminWish::Invitations => Request::Invitations {},
        AdminWish::Log { count } => Request::Log { count: *count },
        AdminWish::ResetPassword { name } => Request::ResetPassword { name: name.clone() },
        AdminWish::Op { channel, user } => {
            Request::Op { channel: channel.clone(), user: user.clone() }
        }
        AdminWish::Drop { channel, reason } => {
            Request::Drop { channel: channel.clone(), reason: perhaps(reason) }
        }
        AdminWish::Users { page, after } => {
            let ListWish { part, limit } = page.clone();
            Request::Users { part, after: *after, limit }
        }
        AdminWish::Accounts { page, after } => {
            let ListWish { part, limit } = page.clone();
            Request::Accounts { part, after: after.clone(), limit }
        }
        AdminWish::Channels { page, after } => {
            let ListWish { part, limit } = page.clone();
            Request::Channels { part, after: after.clone(), limit }
        }
        AdminWish::DeleteAccount { name } => Request::DeleteAccount { name: name.clone() },
    }
}

/// Returns the answer for people: the rows of a list, the sentence of anything else, or a bare code
/// or password for scripts.
fn shown(answer: Answer) -> Option<String> {
    let by = |by: Option<String>| by.unwrap_or_else(|| "(shell)".to_owned());
    Some(match answer {
        Answer::Operator { name, here } => format!("{name}{}", if here { "  here" } else { "" }),
        Answer::Stats { name, value } => format!("{name:22}  {value}"),
        Answer::Invitation { by: who, time, until } => {
            format!("made {time} by {}, good until {until}", by(who))
        }
        Answer::Ban { target, by: who, time, until, reason } => {
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{target}{until}, by {} {time}{reason}", by(who))
        }
        Answer::Act { time, by: who, did, whom, until, reason } => {
            let whom = whom.map(|whom| format!(" {whom}")).unwrap_or_default();
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{time}  {}  {did}{whom}{until}{reason}", by(who))
        }
        Answer::User { id, name, account, address, since, idle, client } => {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let (name, account) = (or_none(name), or_none(account));
            format!(
                "{id}  {name}  account {account}  {address}  since {since}  idle {idle}s  {client}"
            )
        }
        Answer::Account { name, operator, connections, seen } => {
            let operator = if operator { "  operator" } else { "" };
            let here = match seen {
                Some(seen) => format!("last seen {seen}"),
                None => format!("here, connections: {connections}"),
            };
            format!("{name}{operator}  {here}")
        }
        Answer::Channel { name, members, operators, hidden, invite_only, lines } => {
            let hidden = if hidden { "  hidden" } else { "" };
            let invite_only = if invite_only { "  invite-only" } else { "" };
            let operators = if operators.is_empty() { "-".to_owned() } else { operators.join(",") };
            format!(
                "{name}  members {members}  lines {lines}  operators {operators}{hidden}{invite_only}"
            )
        }
        Answer::Done { invite: Some(invite), .. } => format!("invite:{invite}"),
        Answer::Done { password: Some(password), .. } => password,
        Answer::Done { text, .. } if !text.is_empty() => text,
        Answer::Done { .. } | Answer::Refused { .. } => return None,
    })
}
