//! The same for moderation of channels.

use chat_proto::command_table::CommandKind;
use chat_proto::event::{ModLogEntry, Restriction, Term};
use chat_proto::mod_target::ModTarget;

use super::*;

const LATER: Term = Term::Until(Timestamp(TIME.0 + 7_200_000));

#[test]
fn moderation_events() {
    let (dev, bob, alice) = (channel("dev"), user("bob"), user("alice"));
    for (term, reason) in [(Term::Permanent, None), (LATER, Some(text("spam")))] {
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
fn moderation_answers() {
    let dev = || channel("dev");
    let bob = || user("bob");
    let net = || ModTarget::net("10.0.0.0/8").unwrap();
    for term in [Term::Permanent, LATER] {
        let target = ModTarget::User(bob());
        check("/ban bob", &[ok("ban", OkReply::Banned { channel: dev(), target, term })]);
        check("/ban net", &[ok("ban", OkReply::Banned { channel: dev(), target: net(), term })]);
        check("/mute bob", &[ok("mute", OkReply::Muted { channel: dev(), user: bob(), term })]);
    }
    for changed in [true, false] {
        let (channel, target) = (dev(), ModTarget::User(user("10.0.0.1")));
        check("/unban x", &[ok("unban", OkReply::Unbanned { channel, target, changed })]);
        let (channel, user) = (dev(), bob());
        check("/unmute bob", &[ok("unmute", OkReply::Unmuted { channel, user, changed })]);
        for (re, is_one) in [("op", true), ("deop", false)] {
            let (channel, user) = (dev(), bob());
            check("/op bob", &[ok(re, OkReply::Operator { channel, user, is_one, changed })]);
        }
    }
    for count in 0..3 {
        check("/purge bob", &[ok("purge", OkReply::Purged { channel: dev(), user: bob(), count })]);
    }
    check("/invite bob", &[ok("invite", OkReply::Invited { channel: dev(), user: bob() })]);
    let (channel, value) = (dev(), Sentence::new("bad* worse"));
    check("/set words +bad*", &[ok("set", OkReply::Set { channel, name: "words", value })]);
    check("/drop dev", &[ok("drop", OkReply::Dropped { channel: dev(), current: None })]);
}

#[test]
fn moderation_lists() {
    let logged = |did, target, setting: Option<&str>| ModLogEntry {
        time: TIME,
        by: user("alice"),
        did,
        target,
        term: None,
        setting: setting.map(Sentence::new),
        reason: Some(text("spam")),
    };
    let bob = || Some(ModTarget::User(user("bob")));
    let restricted =
        |target, term| Restriction { target, by: user("alice"), time: TIME, term, reason: None };
    let marks = || {
        [
            restricted(ModTarget::User(user("bob")), LATER),
            restricted(ModTarget::net("10.0.0.0/8").unwrap(), Term::Permanent),
        ]
    };
    let list = |kind, re, rows: Vec<Event>| {
        let (channel, count) = (channel("dev"), rows.len());
        let head = Event::ModListHead { kind, channel: channel.clone(), count };
        let last = ok(re, OkReply::ListedOf { channel, count });
        check("", &std::iter::once(head).chain(rows).chain([last]).collect::<Vec<_>>());
    };
    for most in 0..3 {
        for (kind, re, is_ban) in
            [(CommandKind::Ban, "ban", true), (CommandKind::Mute, "mute", false)]
        {
            let row = |restricted| Event::Restriction {
                is_ban,
                channel: channel("dev"),
                restricted: Box::new(restricted),
            };
            list(kind, re, marks().map(row).into_iter().take(most).collect());
        }
    }
    let setting =
        |name, value| Event::Setting { channel: channel("dev"), name, value: Sentence::new(value) };
    list(CommandKind::Set, "set", vec![setting("slow", "10s"), setting("words", "off")]);
    let acts = [
        logged(CommandKind::Kick, bob(), None),
        ModLogEntry { term: Some(LATER), ..logged(CommandKind::Ban, bob(), None) },
        logged(CommandKind::Unban, bob(), None),
        logged(CommandKind::Mute, bob(), None),
        logged(CommandKind::Unmute, bob(), None),
        logged(CommandKind::Invite, bob(), None),
        logged(CommandKind::Op, bob(), None),
        logged(CommandKind::Deop, bob(), None),
        logged(CommandKind::Purge, bob(), None),
        logged(CommandKind::Set, None, Some("slow 10s")),
        logged(CommandKind::Drop, None, None),
    ];
    let row = |logged| Event::LogEntry { channel: channel("dev"), logged: Box::new(logged) };
    for most in [0, 1, acts.len()] {
        list(CommandKind::Log, "log", acts.iter().take(most).cloned().map(row).collect());
    }
}
