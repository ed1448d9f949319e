//! What is told, answered and refused to those who run the server.

use chat_proto::barred::Barred;
use chat_proto::command::Invite;
use chat_proto::event::{Done, Event, Farewell, ServerBan, Stat, Term};
use chat_proto::refusal::Refusal;
use chat_proto::verb::{self, Kind};

use super::{Case, TIME, ok, refused, some, user};

fn announced(from: Option<&str>) -> Event {
    let text = some("back at noon").unwrap();
    Event::Announcement { from: from.map(user), text, time: TIME }
}

fn killed(by: Option<&str>, reason: Option<&str>) -> Event {
    Event::Killed { by: by.map(user), reason: reason.and_then(some), ban: None }
}

fn banned(ban: Term) -> Event {
    Event::Killed { by: Some(user("alice")), reason: some("spam"), ban: Some(ban) }
}

fn row(target: &str, by: Option<&str>, term: Term, reason: Option<&str>) -> Event {
    let (target, reason) = (Barred::read(target).unwrap(), reason.and_then(some));
    let ban = ServerBan { target, by: by.map(user), time: TIME, term, reason };
    Event::ServerBan(Box::new(ban))
}

fn stat(name: &'static str, value: u64) -> Event {
    Event::Stat(Stat { name, value })
}

pub(super) fn cases() -> Vec<Case> {
    let ended = |count| ok("kill", Done::Killed { user: user("bob"), count });
    let told = |count| ok("announce", Done::Announced { count });
    let bans = |count| Event::ServerBansHead { count };
    let until = Term::Until(TIME);
    let barred = |target, term, count| {
        let target = Barred::read(target).unwrap();
        ok("ban", Done::Barred { target, term, count })
    };
    let unbarred = |changed| {
        let target = Barred::read("spam*bot").unwrap();
        ok("unban", Done::Unbarred { target, changed })
    };
    let invite = Invite::new("3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    vec![
        ("announcement", announced(Some("alice"))),
        ("announcement from the shell", announced(None)),
        ("killed", killed(Some("alice"), None)),
        ("killed for a reason", killed(Some("alice"), Some("spam"))),
        ("killed from the shell", killed(None, Some("spam"))),
        ("bye, killed", Event::Bye(Farewell::Killed)),
        ("killed and banned", banned(Term::Lasting)),
        ("killed and banned for a time", banned(until)),
        ("bans, none", bans(0)),
        ("bans, one", bans(1)),
        ("bans, more", bans(2)),
        ("a ban of a name", row("bob", Some("alice"), Term::Lasting, None)),
        ("a ban of a net from the shell", row("10.0.0.0/8", None, until, Some("spam"))),
        ("bans listed", ok("ban", Done::Listed { count: 2 })),
        ("banned, nobody was here", barred("bob", Term::Lasting, 0)),
        ("banned, one was here", barred("10.0.0.0/8", until, 1)),
        ("banned, more were here", barred("spam*bot", until, 2)),
        ("unbanned", unbarred(true)),
        ("unbanned, and wasn't banned", unbarred(false)),
        ("stat, a count", stat("people", 5)),
        ("stat, a length of time", stat("uptime_secs", 90_000)),
        ("stat, a size", stat("memory_bytes", 50_000_000)),
        ("stats told", ok("stats", Done::Listed { count: 3 })),
        ("one connection ended", ended(1)),
        ("connections ended", ended(2)),
        ("announced to one", told(1)),
        ("announced to more", told(12)),
        ("invitation", ok("invitation", Done::Invitation { invite, until: TIME })),
    ]
}

/// Each case begins with the name of the function that makes the refusal.
pub(super) fn refusals() -> Vec<Case> {
    let kill = verb::of(Kind::Kill);
    let (lasting, until) = (Term::Lasting, Term::Until(TIME));
    let reason = some("spam");
    let spam = reason.as_ref();
    vec![
        ("connection_ended", refused("say", Refusal::connection_ended())),
        ("server_operators_only", refused("kill", Refusal::server_operators_only(kill))),
        ("barred_at_the_door", refused("connect", Refusal::barred_at_the_door(lasting, None))),
        ("barred_at_the_door, for a time", {
            refused("connect", Refusal::barred_at_the_door(until, spam))
        }),
        ("barred_name", refused("name", Refusal::barred_name(&user("bob"), lasting, spam))),
        ("barred_account", {
            refused("login", Refusal::barred_account(&user("bob"), lasting, None))
        }),
        ("barred_account, for a time", {
            refused("login", Refusal::barred_account(&user("bob"), until, spam))
        }),
        ("too_many_barred", refused("ban", Refusal::too_many_barred())),
        ("bad_barred", refused("ban", Refusal::bad_barred("10.0.0.0/33"))),
        ("too_many_invitations", refused("invitation", Refusal::too_many_invitations())),
        ("no_use_for_invitations", refused("invitation", Refusal::no_use_for_invitations())),
    ]
}
