//! Events, answers and refusals of server operators.

use chat_proto::ban_mask::ServerBanMask;
use chat_proto::command::InvitationCode;
use chat_proto::command_table::CommandKind;
use chat_proto::event::{CloseReason, Event, OkReply, ServerBan, Stat, Term};
use chat_proto::refusal::Refusal;

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
    let (target, reason) = (ServerBanMask::read(target).unwrap(), reason.and_then(some));
    let ban = ServerBan { target, by: by.map(user), time: TIME, term, reason };
    Event::ServerBan(Box::new(ban))
}

fn stat(name: &'static str, value: u64) -> Event {
    Event::Stat(Stat { name, value })
}

pub(super) fn cases() -> Vec<Case> {
    let ended = |count| ok("kill", OkReply::Killed { user: user("bob"), count });
    let sent_to = |count| ok("announce", OkReply::Announced { count });
    let bans = |count| Event::ServerBansHead { count };
    let until = Term::Until(TIME);
    let barred = |target, term, count| {
        let target = ServerBanMask::read(target).unwrap();
        ok("ban", OkReply::ServerBanned { target, term, count })
    };
    let unbarred = |changed| {
        let target = ServerBanMask::read("spam*bot").unwrap();
        ok("unban", OkReply::ServerUnbanned { target, changed })
    };
    let invite = InvitationCode::new("3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    vec![
        ("announcement", announced(Some("alice"))),
        ("announcement from the shell", announced(None)),
        ("killed", killed(Some("alice"), None)),
        ("killed for a reason", killed(Some("alice"), Some("spam"))),
        ("killed from the shell", killed(None, Some("spam"))),
        ("bye, killed", Event::Bye(CloseReason::Killed)),
        ("killed and banned", banned(Term::Permanent)),
        ("killed and banned for a time", banned(until)),
        ("bans, none", bans(0)),
        ("bans, one", bans(1)),
        ("bans, more", bans(2)),
        ("a ban of a name", row("bob", Some("alice"), Term::Permanent, None)),
        ("a ban of a net from the shell", row("10.0.0.0/8", None, until, Some("spam"))),
        ("bans listed", ok("ban", OkReply::Listed { count: 2 })),
        ("banned, nobody was here", barred("bob", Term::Permanent, 0)),
        ("banned, one was here", barred("10.0.0.0/8", until, 1)),
        ("banned, more were here", barred("spam*bot", until, 2)),
        ("unbanned", unbarred(true)),
        ("unbanned, and wasn't banned", unbarred(false)),
        ("stat, a count", stat("people", 5)),
        ("stat, a length of time", stat("uptime_secs", 90_000)),
        ("stat, a size", stat("memory_bytes", 50_000_000)),
        ("stats told", ok("stats", OkReply::Listed { count: 3 })),
        ("one connection ended", ended(1)),
        ("connections ended", ended(2)),
        ("announced to one", sent_to(1)),
        ("announced to more", sent_to(12)),
        ("invitation", ok("invitation", OkReply::Invitation { invite, until: TIME })),
    ]
}

/// The name of each case begins with the function that returns the refusal.
pub(super) fn refusals() -> Vec<Case> {
    let kill = CommandKind::Kill.spec();
    let (lasting, until) = (Term::Permanent, Term::Until(TIME));
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
