//! Cases of channel moderation.

use chat_proto::command_table::CommandKind;
use chat_proto::event::{Event, ModLogEntry, OkReply, Restriction, Sentence, Term};
use chat_proto::mod_target::ModTarget;
use chat_proto::period::Period;
use chat_proto::refusal::Refusal;

use super::{Case, TIME, channel, in_channel, ok, refused, some, text, user, with};

const LATER: Term = Term::Until(chat_proto::time::Timestamp(TIME.0 + 7_200_000));

fn bob() -> ModTarget {
    ModTarget::User(user("bob"))
}

fn net() -> ModTarget {
    ModTarget::net("10.0.0.0/8").unwrap()
}

pub(super) fn events() -> Vec<Case> {
    let general = || channel("general");
    let kicked = |ban, reason| {
        let (channel, user, by) = (channel("general"), user("bob"), user("alice"));
        Event::Kicked { channel, user, by, reason, ban }
    };
    let you = |ban, reason, current| {
        let (channel, user, by) = (channel("general"), user("bob"), user("alice"));
        Event::YouWereKicked { channel, user, by, reason, ban, current }
    };
    let muted = |term, reason| {
        let (channel, user, by) = (channel("general"), user("bob"), user("alice"));
        Event::Muted { channel, user, by, term, reason }
    };
    let operator = |is_one| {
        let (channel, user, by) = (channel("general"), user("bob"), user("alice"));
        Event::Operator { channel, user, by, is_one }
    };
    let dropped = |reason, current| {
        let (channel, by) = (channel("general"), user("alice"));
        Event::Dropped { channel, by, reason, current }
    };
    vec![
        ("kicked, banned", kicked(Some(Term::Permanent), None)),
        ("kicked, banned for a time", kicked(Some(LATER), some("spam"))),
        ("kicked oneself, banned", you(Some(Term::Permanent), None, None)),
        ("kicked oneself, banned for a time", you(Some(LATER), some("spam"), Some(with("carol")))),
        ("muted", muted(Term::Permanent, None)),
        ("muted, for a time", muted(LATER, some("cool down"))),
        ("unmuted", {
            Event::Unmuted { channel: general(), user: user("bob"), by: user("alice") }
        }),
        ("op", operator(true)),
        ("deop", operator(false)),
        ("set", {
            let (channel, value, by) = (general(), Sentence::new("10s"), user("alice"));
            Event::Set { channel, name: "slow", value, by }
        }),
        ("purged", Event::Purged { channel: general(), user: user("bob"), by: user("alice") }),
        ("invited", Event::Invited { channel: general(), by: user("alice") }),
        ("dropped", dropped(None, None)),
        ("dropped, reason", dropped(some("it is over"), Some(in_channel("dev")))),
    ]
}

pub(super) fn rows() -> Vec<Case> {
    let general = || channel("general");
    let head = |kind, count| Event::ModListHead { kind, channel: channel("general"), count };
    let restricted = |is_ban, target, term, reason| {
        let restricted = Restriction { target, by: user("alice"), time: TIME, term, reason };
        Event::Restriction { is_ban, channel: channel("general"), restricted: Box::new(restricted) }
    };
    let logged = |did, target: Option<ModTarget>| ModLogEntry {
        time: TIME,
        by: user("alice"),
        did,
        target,
        term: None,
        setting: None,
        reason: None,
    };
    let row = |logged| Event::LogEntry { channel: channel("general"), logged: Box::new(logged) };
    let setting = |name, value| Event::Setting {
        channel: channel("general"),
        name,
        value: Sentence::new(value),
    };
    vec![
        ("bans, none", head(CommandKind::Ban, 0)),
        ("bans, one", head(CommandKind::Ban, 1)),
        ("bans, more", head(CommandKind::Ban, 2)),
        ("mutes, none", head(CommandKind::Mute, 0)),
        ("mutes, one", head(CommandKind::Mute, 1)),
        ("mutes, more", head(CommandKind::Mute, 2)),
        ("settings", head(CommandKind::Set, 7)),
        ("log, none", head(CommandKind::Log, 0)),
        ("log, one", head(CommandKind::Log, 1)),
        ("log, more", head(CommandKind::Log, 20)),
        ("ban", restricted(true, bob(), Term::Permanent, None)),
        ("ban, of a net for a time", restricted(true, net(), LATER, some("spam"))),
        ("mute", restricted(false, bob(), Term::Permanent, None)),
        ("mute, for a time", restricted(false, bob(), LATER, some("cool down"))),
        ("setting", setting("slow", "10s")),
        ("setting, words", setting("words", "bad* worse")),
        (
            "log, kick",
            row(ModLogEntry { reason: some("enough"), ..logged(CommandKind::Kick, Some(bob())) }),
        ),
        ("log, ban", {
            row(ModLogEntry {
                term: Some(LATER),
                reason: some("spam"),
                ..logged(CommandKind::Ban, Some(net()))
            })
        }),
        ("log, unban", row(logged(CommandKind::Unban, Some(net())))),
        ("log, mute", {
            row(ModLogEntry {
                term: Some(Term::Permanent),
                ..logged(CommandKind::Mute, Some(bob()))
            })
        }),
        ("log, unmute", row(logged(CommandKind::Unmute, Some(bob())))),
        ("log, invite", row(logged(CommandKind::Invite, Some(bob())))),
        ("log, op", row(logged(CommandKind::Op, Some(bob())))),
        ("log, deop", row(logged(CommandKind::Deop, Some(bob())))),
        ("log, purge", row(logged(CommandKind::Purge, Some(bob())))),
        ("log, drop", {
            let dropped =
                ModLogEntry { reason: some("it is over"), ..logged(CommandKind::Drop, None) };
            Event::LogEntry { channel: general(), logged: Box::new(dropped) }
        }),
        ("log, set", {
            let setting = Some(Sentence::new("slow 10s"));
            row(ModLogEntry { setting, ..logged(CommandKind::Set, None) })
        }),
    ]
}

pub(super) fn answers() -> Vec<Case> {
    let general = || channel("general");
    let banned =
        |target, term| ok("ban", OkReply::Banned { channel: channel("general"), target, term });
    let unbanned = |target, changed| {
        ok("unban", OkReply::Unbanned { channel: channel("general"), target, changed })
    };
    let muted =
        |term| ok("mute", OkReply::Muted { channel: channel("general"), user: user("bob"), term });
    let unmuted = |changed| {
        let (channel, user) = (channel("general"), user("bob"));
        ok("unmute", OkReply::Unmuted { channel, user, changed })
    };
    let operator = |re, is_one, changed| {
        let (channel, user) = (channel("general"), user("bob"));
        ok(re, OkReply::Operator { channel, user, is_one, changed })
    };
    let purged = |count| {
        ok("purge", OkReply::Purged { channel: channel("general"), user: user("bob"), count })
    };
    let listed = |re, count| ok(re, OkReply::ListedOf { channel: channel("general"), count });
    let dropped = |current| ok("drop", OkReply::Dropped { channel: channel("general"), current });
    vec![
        ("banned", banned(bob(), Term::Permanent)),
        ("banned, a net for a time", banned(net(), LATER)),
        ("banned, listed", listed("ban", 2)),
        ("unbanned", unbanned(bob(), true)),
        ("unbanned, a net", unbanned(net(), true)),
        ("never banned", unbanned(bob(), false)),
        ("muted", muted(Term::Permanent)),
        ("muted, for a time", muted(LATER)),
        ("muted, listed", listed("mute", 2)),
        ("unmuted", unmuted(true)),
        ("never muted", unmuted(false)),
        ("invited", ok("invite", OkReply::Invited { channel: general(), user: user("bob") })),
        ("op", operator("op", true, true)),
        ("op already", operator("op", true, false)),
        ("deop", operator("deop", false, true)),
        ("never op", operator("deop", false, false)),
        ("set", {
            let (channel, value) = (general(), Sentence::new("10s"));
            ok("set", OkReply::Set { channel, name: "slow", value })
        }),
        ("settings, listed", listed("set", 7)),
        ("purged, none", purged(0)),
        ("purged, one", purged(1)),
        ("purged", purged(37)),
        ("log, listed", listed("log", 20)),
        ("dropped", dropped(None)),
        ("dropped, into a chat", dropped(Some(with("bob")))),
    ]
}

pub(super) fn refusals() -> Vec<Case> {
    let (general, bob) = (channel("general"), user("bob"));
    let spec = CommandKind::spec;
    let spam = text("spam");
    vec![
        ("banned", refused("enter", Refusal::banned(&general, Term::Permanent, None))),
        ("banned, for a time", refused("enter", Refusal::banned(&general, LATER, Some(&spam)))),
        ("muted", refused("say", Refusal::muted(&general, Term::Permanent, None))),
        ("muted, for a time", refused("say", Refusal::muted(&general, LATER, Some(&spam)))),
        ("banned_from_writing", {
            refused("msg", Refusal::banned_from_writing(&bob, &general, LATER))
        }),
        ("muted_from_writing", {
            refused("private", Refusal::muted_from_writing(&bob, &general, Term::Permanent))
        }),
        ("muted_from_renaming", {
            refused("name", Refusal::muted_from_renaming(&general, Term::Permanent))
        }),
        ("banned_from_renaming", {
            refused("login", Refusal::banned_from_renaming(&general, LATER))
        }),
        ("name_refused", refused("name", Refusal::name_refused(&bob, &general))),
        ("name_refused_at_entry", {
            refused("enter", Refusal::name_refused_at_entry(&bob, &general))
        }),
        ("too_many_own_channels", refused("create", Refusal::too_many_own_channels(500))),
        ("too_often", refused("create", Refusal::too_often("new channels", 40))),
        ("invite_only", refused("enter", Refusal::invite_only(&general))),
        ("slow", refused("say", Refusal::slow(&general, Period::new(10).unwrap(), 7))),
        ("word_refused", refused("say", Refusal::word_refused(&general, "bad*"))),
        ("link_refused", refused("say", Refusal::link_refused(&general))),
        ("topic_locked", refused("topic", Refusal::topic_locked(&general))),
        ("is_operator", {
            refused("ban", Refusal::is_operator(spec(CommandKind::Ban), &bob, &general))
        }),
        ("invited_is_banned", refused("invite", Refusal::invited_is_banned(&bob, &general))),
        ("is_in_already", refused("invite", Refusal::is_in_already(&bob, &general))),
        ("last_operator", refused("deop", Refusal::last_operator(&general))),
        (
            "needs_account_to_run",
            refused("drop", Refusal::needs_account_to_run(spec(CommandKind::Drop), &general)),
        ),
        ("right_inherited", refused("purge", Refusal::right_inherited("purge", &general))),
        ("too_many_restricted", {
            refused("ban", Refusal::too_many_restricted(spec(CommandKind::Ban), &general, 1000))
        }),
        ("purges_pending", refused("purge", Refusal::purges_pending())),
        ("too_many_patterns", refused("set", Refusal::too_many_patterns(&general, 50))),
        ("too_many_operators", refused("op", Refusal::too_many_operators(&general, 500))),
        ("too_many_own_rules", refused("ban", Refusal::too_many_own_rules(&general, 10_000))),
        ("too_many_rules", refused("ban", Refusal::too_many_rules(100_000))),
        ("bad_period", refused("ban", Refusal::bad_period("2hours"))),
        ("period_without_for", refused("ban", Refusal::period_without_for("2h"))),
        (
            "takes_no_period",
            refused("kick", Refusal::takes_no_period(CommandKind::Kick.spec(), "5m")),
        ),
        ("mute_of_address", refused("mute", Refusal::mute_of_address("10.0.0.1"))),
        ("too_slow", refused("set", Refusal::too_slow(Period::new(25_200).unwrap()))),
        ("bad_address", refused("ban", Refusal::bad_address("10.0.0.0/33"))),
        ("bad_log_count", refused("log", Refusal::bad_log_count("0"))),
        ("no_such_setting", refused("set", Refusal::no_such_setting("colour"))),
        ("bad_setting", refused("set", Refusal::bad_setting("Slow", "10", "10s or off"))),
        ("bad_setting, words", {
            refused("set", Refusal::bad_setting("words", "bad", "+word, -word or off"))
        }),
    ]
}
