//! `chat-server admin`: talks to a running server over its admin socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::print;
use crate::admin::wire::{SocketReply, SocketRequest};
use crate::cli::{AdminArgs, AdminSubcommand, ListOptions};
use crate::config::{ADMIN_SOCKET, Config};

/// Exit code of a refusal. Clap exits with 2 on a wrong command line.
const REFUSED: u8 = 1;
const UNREACHED: u8 = 3;

/// Longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(90);

/// Directory of the packaged service's sockets.
const SERVICE_DIRECTORY: &str = "/run/chat-server";

pub(super) fn run(admin: &AdminArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let path = socket(admin, config);
    let Some(path) = path else {
        return unreached(
            admin,
            "a server that keeps nothing has no admin socket unless --admin-socket gives it one; tell where it is with --socket",
        );
    };
    let answered = ask(&path, &request(&admin.command));
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
        let Ok(answer) = serde_json::from_str::<SocketReply>(line) else {
            return unreached(
                admin,
                "what answers there is no server of this version; use its own chat-server",
            );
        };
        code = match &answer {
            SocketReply::Done { .. } => Some(ExitCode::SUCCESS),
            SocketReply::Refused { .. } => Some(ExitCode::from(REFUSED)),
            _ => None,
        };
        if admin.json {
            print(line)?;
        } else if let SocketReply::Refused { code, text } = answer {
            complain(&format!("{code}: {text}"));
        } else if let Some(line) = shown(answer) {
            print(line)?;
        }
    }
    match code {
        Some(code) => Ok(code),
        None => unreached(admin, "the server gave no whole answer; its log may tell why"),
    }
}

/// Prints the reason as the last line, as with a refusal, for scripts that read JSON.
fn unreached(admin: &AdminArgs, why: &str) -> anyhow::Result<ExitCode> {
    complain(why);
    if admin.json {
        let last = SocketReply::Refused { code: "unreachable".to_owned(), text: why.to_owned() };
        print(serde_json::to_string(&last)?)?;
    }
    Ok(ExitCode::from(UNREACHED))
}

fn complain(what: &str) {
    // Without standard error the exit code must do.
    let _ = writeln!(io::stderr(), "chat-server admin: {what}");
}

/// Returns the socket of the configured server, or else of the packaged service.
fn socket(admin: &AdminArgs, config: &Config) -> Option<PathBuf> {
    if let Some(given) = &admin.socket {
        return Some(given.clone());
    }
    let usual = config.admin.as_ref().map(|socket| &socket.path);
    let service = Path::new(SERVICE_DIRECTORY).join(ADMIN_SOCKET);
    let is_required = config.admin.as_ref().is_some_and(|socket| socket.is_required);
    match usual {
        Some(path) if is_required || path.exists() || !service.exists() => Some(path.clone()),
        _ if service.exists() => Some(service),
        _ => None,
    }
}

fn ask(path: &Path, request: &SocketRequest) -> io::Result<Vec<String>> {
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

fn request(command: &AdminSubcommand) -> SocketRequest {
    let words = |words: &[String]| words.join(" ");
    let perhaps = |all: &[String]| (!all.is_empty()).then(|| words(all));
    match command {
        AdminSubcommand::Grant { name } => SocketRequest::Grant { name: name.clone() },
        AdminSubcommand::Revoke { name } => SocketRequest::Revoke { name: name.clone() },
        AdminSubcommand::Operators => SocketRequest::Operators {},
        AdminSubcommand::Kill { user, reason } => {
            SocketRequest::Kill { user: user.clone(), reason: perhaps(reason) }
        }
        AdminSubcommand::Ban { target, period, reason } => {
            let (target, period) = (target.clone(), period.clone());
            SocketRequest::Ban { target, r#for: period, reason: perhaps(reason) }
        }
        AdminSubcommand::Unban { target } => SocketRequest::Unban { target: target.clone() },
        AdminSubcommand::Bans => SocketRequest::Bans {},
        AdminSubcommand::Announce { text } => SocketRequest::Announce { text: words(text) },
        AdminSubcommand::Stats => SocketRequest::Stats {},
        AdminSubcommand::Invitation => SocketRequest::Invitation {},
        AdminSubcommand::Invitations => SocketRequest::Invitations {},
        AdminSubcommand::Log { count } => SocketRequest::Log { count: *count },
        AdminSubcommand::ResetPassword { name } => {
            SocketRequest::ResetPassword { name: name.clone() }
        }
        AdminSubcommand::Op { channel, user } => {
            SocketRequest::Op { channel: channel.clone(), user: user.clone() }
        }
        AdminSubcommand::Drop { channel, reason } => {
            SocketRequest::Drop { channel: channel.clone(), reason: perhaps(reason) }
        }
        AdminSubcommand::Users { page, after } => {
            let ListOptions { part, limit } = page.clone();
            SocketRequest::Users { part, after: *after, limit }
        }
        AdminSubcommand::Accounts { page, after } => {
            let ListOptions { part, limit } = page.clone();
            SocketRequest::Accounts { part, after: after.clone(), limit }
        }
        AdminSubcommand::Channels { page, after } => {
            let ListOptions { part, limit } = page.clone();
            SocketRequest::Channels { part, after: after.clone(), limit }
        }
        AdminSubcommand::DeleteAccount { name } => {
            SocketRequest::DeleteAccount { name: name.clone() }
        }
    }
}

/// Returns the answer for people: the rows of a list, the sentence of anything else, or a bare code
/// or password for scripts.
fn shown(answer: SocketReply) -> Option<String> {
    let by = |by: Option<String>| by.unwrap_or_else(|| "(shell)".to_owned());
    Some(match answer {
        SocketReply::Operator { name, here } => {
            format!("{name}{}", if here { "  here" } else { "" })
        }
        SocketReply::Stats { name, value } => format!("{name:22}  {value}"),
        SocketReply::Invitation { by: who, time, until } => {
            format!("made {time} by {}, good until {until}", by(who))
        }
        SocketReply::Ban { target, by: who, time, until, reason } => {
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{target}{until}, by {} {time}{reason}", by(who))
        }
        SocketReply::Act { time, by: who, did, whom, until, reason } => {
            let whom = whom.map(|whom| format!(" {whom}")).unwrap_or_default();
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{time}  {}  {did}{whom}{until}{reason}", by(who))
        }
        SocketReply::User { id, name, account, address, since, idle, client } => {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let (name, account) = (or_none(name), or_none(account));
            format!(
                "{id}  {name}  account {account}  {address}  since {since}  idle {idle}s  {client}"
            )
        }
        SocketReply::Account { name, operator, connections, seen } => {
            let operator = if operator { "  operator" } else { "" };
            let here = match seen {
                Some(seen) => format!("last seen {seen}"),
                None => format!("here, connections: {connections}"),
            };
            format!("{name}{operator}  {here}")
        }
        SocketReply::Channel { name, members, operators, hidden, invite_only, lines } => {
            let hidden = if hidden { "  hidden" } else { "" };
            let invite_only = if invite_only { "  invite-only" } else { "" };
            let operators = if operators.is_empty() { "-".to_owned() } else { operators.join(",") };
            format!(
                "{name}  members {members}  lines {lines}  operators {operators}{hidden}{invite_only}"
            )
        }
        SocketReply::Done { invite: Some(invite), .. } => format!("invite:{invite}"),
        SocketReply::Done { password: Some(password), .. } => password,
        SocketReply::Done { text, .. } if !text.is_empty() => text,
        SocketReply::Done { .. } | SocketReply::Refused { .. } => return None,
    })
}
