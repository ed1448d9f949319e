//! The same for actions of the server's operators.

use chat_proto::ban_mask::ServerBanMask;
use chat_proto::command::InvitationCode;
use chat_proto::event::{ServerBan, Stat, Term};

use super::*;

const LATER: Term = Term::Until(Timestamp(TIME.0 + 7_200_000));

fn barred(typed: &str) -> ServerBanMask {
    ServerBanMask::read(typed).unwrap()
}

#[test]
fn moderation_events() {
    for by in [None, Some(user("carol"))] {
        let (from, time) = (by.clone(), TIME);
        check("", &[Event::Announcement { from, text: text("back at noon"), time }]);
        for (reason, ban) in [
            (None, None),
            (Some(text("spam")), None),
            (None, Some(Term::Permanent)),
            (Some(text("spam")), Some(LATER)),
        ] {
            check("", &[Event::Killed { by: by.clone(), reason, ban }]);
        }
    }
}

#[test]
fn answers_to_own_commands() {
    let invite = InvitationCode::new("3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    check("/invitation", &[ok("invitation", OkReply::Invitation { invite, until: TIME })]);
    for count in [0, 1, 2] {
        check("/kill bob", &[ok("kill", OkReply::Killed { user: user("bob"), count })]);
        check("/announce hi", &[ok("announce", OkReply::Announced { count })]);
        for term in [Term::Permanent, LATER] {
            let target = barred("spam*bot");
            check("/ban everywhere x", &[ok("ban", OkReply::ServerBanned { target, term, count })]);
        }
    }
    for changed in [true, false] {
        let target = barred("10.0.0.0/8");
        check("/unban everywhere x", &[ok("unban", OkReply::ServerUnbanned { target, changed })]);
    }
    let stats = [("people", 5), ("uptime_secs", 90_000), ("memory_bytes", 50_000_000)];
    let rows = stats.map(|(name, value)| Event::Stat(Stat { name, value }));
    check("/stats", &[&rows[..], &[ok("stats", OkReply::Listed { count: 3 })]].concat());
}

#[test]
fn server_bans() {
    let row = |target, by, term, reason| {
        let ban = ServerBan { target: barred(target), by, time: TIME, term, reason };
        Event::ServerBan(Box::new(ban))
    };
    let bob = row("@10.0.0.1", Some(user("carol")), Term::Permanent, None);
    let net = row("10.0.0.0/8", None, LATER, Some(text("spam")));
    for rows in [vec![], vec![bob.clone()], vec![bob, net]] {
        let count = rows.len();
        let head = Event::ServerBansHead { count };
        let end = ok("ban", OkReply::Listed { count });
        check("/ban everywhere", &[&[head], &rows[..], &[end]].concat());
    }
}
