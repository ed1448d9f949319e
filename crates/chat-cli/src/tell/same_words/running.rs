//! The same of channels that are run.

use chat_proto::event::{Logged, Restricted, Term};
use chat_proto::target::Target;
use chat_proto::verb::Kind;

use super::*;

const LATER: Term = Term::Until(Timestamp(TIME.0 + 7_200_000));

#[test]
fn of_what_happens() {
    let (dev, bob, alice) = (channel("dev"), user("bob"), user("alice"));
    for (term, reason) in [(Term::Lasting, None), (LATER, Some(text("spam")))] {
        let (channel, by) = (dev.clone(), user("carol"));
        check(
            "",
            &[
                Event::Kicked {
                    channel: channel.clone(),
                    user: bob.clone(),
                    by: by.clone(),
                    reason: reason.clone(),
                    ban: Some(term),
                },
                Event::YouWereKicked {
                    channel: channel.clone(),
                    user: alice.clone(),
                    by: by.clone(),
                    reason: reason.clone(),
                    ban: Some(term),
                    current: None,
                },
                Event::Muted {
                    channel: channel.clone(),
                    user: bob.clone(),
                    by: by.clone(),
                    term,
                    reason: reason.clone(),
                },
                Event::Dropped { channel, by, reason, current: None },
            ],
        );
    }
    let operator = |is_one| Event::Operator {
        channel: channel("dev"),
        user: user("bob"),
        by: user("carol"),
        is_one,
    };
    let value = Sentence::new("10s");
    check(
        "",
        &[
            Event::Unmuted { channel: dev.clone(), user: bob.clone(), by: alice.clone() },
            operator(true),
            operator(false),
            Event::Set { channel: dev.clone(), name: "slow", value, by: alice.clone() },
            Event::Purged { channel: dev.clone(), user: bob, by: alice.clone() },
            Event::Invited { channel: dev, by: alice },
        ],
    );
}

#[test]
fn of_answers() {
    let dev = || channel("dev");
    let bob = || user("bob");
    let net = || Target::net("10.0.0.0/8").unwrap();
    for term in [Term::Lasting, LATER] {
        let target = Target::User(bob());
        check("/ban bob", &[ok("ban", Done::Banned { channel: dev(), target, term })]);
        check("/ban net", &[ok("ban", Done::Banned { channel: dev(), target: net(), term })]);
        check("/mute bob", &[ok("mute", Done::Muted { channel: dev(), user: bob(), term })]);
    }
    for changed in [true, false] {
        let (channel, target) = (dev(), Target::User(user("10.0.0.1")));
        check("/unban x", &[ok("unban", Done::Unbanned { channel, target, changed })]);
        let (channel, user) = (dev(), bob());
        check("/unmute bob", &[ok("unmute", Done::Unmuted { channel, user, changed })]);
        for (re, is_one) in [("op", true), ("deop", false)] {
            let (channel, user) = (dev(), bob());
            check("/op bob", &[ok(re, Done::Operator { channel, user, is_one, changed })]);
        }
    }
    for count in 0..3 {
        check("/purge bob", &[ok("purge", Done::Purged { channel: dev(), user: bob(), count })]);
    }
    check("/invite bob", &[ok("invite", Done::Invited { channel: dev(), user: bob() })]);
    let (channel, value) = (dev(), Sentence::new("bad* worse"));
    check("/set words +bad*", &[ok("set", Done::Set { channel, name: "words", value })]);
    check("/drop dev", &[ok("drop", Done::Dropped { channel: dev(), current: None })]);
}

#[test]
fn of_lists() {
    let logged = |did, target, setting: Option<&str>| Logged {
        time: TIME,
        by: user("alice"),
        did,
        target,
        term: None,
        setting: setting.map(Sentence::new),
        reason: Some(text("spam")),
    };
    let bob = || Some(Target::User(user("bob")));
    let restricted =
        |target, term| Restricted { target, by: user("alice"), time: TIME, term, reason: None };
    let marks = || {
        [
            restricted(Target::User(user("bob")), LATER),
            restricted(Target::net("10.0.0.0/8").unwrap(), Term::Lasting),
        ]
    };
    let list = |kind, re, rows: Vec<Event>| {
        let (channel, count) = (channel("dev"), rows.len());
        let head = Event::RunningHead { kind, channel: channel.clone(), count };
        let last = ok(re, Done::ListedOf { channel, count });
        check("", &std::iter::once(head).chain(rows).chain([last]).collect::<Vec<_>>());
    };
    for most in 0..3 {
        for (kind, re, is_ban) in [(Kind::Ban, "ban", true), (Kind::Mute, "mute", false)] {
            let row = |restricted| Event::Restricted {
                is_ban,
                channel: channel("dev"),
                restricted: Box::new(restricted),
            };
            list(kind, re, marks().map(row).into_iter().take(most).collect());
        }
    }
    let setting =
        |name, value| Event::Setting { channel: channel("dev"), name, value: Sentence::new(value) };
    list(Kind::Set, "set", vec![setting("slow", "10s"), setting("words", "off")]);
    let acts = [
        logged(Kind::Kick, bob(), None),
        Logged { term: Some(LATER), ..logged(Kind::Ban, bob(), None) },
        logged(Kind::Unban, bob(), None),
        logged(Kind::Mute, bob(), None),
        logged(Kind::Unmute, bob(), None),
        logged(Kind::Invite, bob(), None),
        logged(Kind::Op, bob(), None),
        logged(Kind::Deop, bob(), None),
        logged(Kind::Purge, bob(), None),
        logged(Kind::Set, None, Some("slow 10s")),
        logged(Kind::Drop, None, None),
    ];
    let row = |logged| Event::Logged { channel: channel("dev"), logged: Box::new(logged) };
    for most in [0, 1, acts.len()] {
        list(Kind::Log, "log", acts.iter().take(most).cloned().map(row).collect());
    }
}
