//! Generators of commands, events and answers of channel moderation.

use chat_proto::command_table::CommandKind;
use chat_proto::event::{ModLogEntry, Restriction, Term};
use chat_proto::limits::{MAX_LOGGED_ACTS, MAX_PERIOD_SECS, MAX_SLOW_SECS};
use chat_proto::mod_target::ModTarget;
use chat_proto::period::Period;
use chat_proto::setting::{ChannelSetting, WordFilterChange, WordPattern};

use super::*;

fn target() -> impl Strategy<Value = ModTarget> {
    prop_oneof![
        3 => user().prop_map(ModTarget::User),
        1 => (any::<u32>(), 0..=32_u8).prop_filter_map("no net", |(base, prefix)| {
            ModTarget::net(&format!("{}/{prefix}", std::net::Ipv4Addr::from(base)))
        }),
        1 => (any::<u128>(), 0..=128_u8).prop_filter_map("no net", |(base, prefix)| {
            ModTarget::net(&format!("{}/{prefix}", std::net::Ipv6Addr::from(base)))
        }),
        1 => any::<u32>().prop_filter_map("no name", |name| {
            UserName::new(&std::net::Ipv4Addr::from(name).to_string()).ok().map(ModTarget::User)
        }),
    ]
}

fn period(most: u64) -> impl Strategy<Value = Period> {
    prop_oneof![
        1..=most,
        (1..=most / 60).prop_map(|minutes| minutes * 60),
        (1..=most / 3600).prop_map(|hours| hours * 3600)
    ]
    .prop_filter_map("no period", Period::new)
}

fn setting() -> impl Strategy<Value = ChannelSetting> {
    let change = prop_oneof![
        raw()
            .prop_filter_map("no pattern", |raw| WordPattern::new(&raw).map(WordFilterChange::Add)),
        "[a-zß*]{1,8}"
            .prop_filter_map("none", |raw| WordPattern::new(&raw).map(WordFilterChange::Remove)),
        Just(WordFilterChange::Clear),
    ];
    prop_oneof![
        any::<bool>().prop_map(ChannelSetting::InviteOnly),
        any::<bool>().prop_map(ChannelSetting::Hidden),
        option::of(period(MAX_SLOW_SECS.into())).prop_map(ChannelSetting::Slow),
        any::<bool>().prop_map(ChannelSetting::TopicLock),
        any::<bool>().prop_map(ChannelSetting::History),
        any::<bool>().prop_map(ChannelSetting::Links),
        change.prop_map(ChannelSetting::Words),
    ]
}

fn running() -> impl Strategy<Value = ModCommand> {
    let reason = || option::of(argument(MAX_REASON_CHARS));
    // A reason without a duration doesn't begin like a duration.
    let timed = || {
        (option::of(period(MAX_PERIOD_SECS.into())), reason()).prop_map(|(period, reason)| {
            let is_like_a_time = |text: &Text| {
                let first = text.as_str().split(' ').next().unwrap_or_default();
                text.as_str().to_lowercase().starts_with("for") || Period::is_like(first)
            };
            (period, reason.filter(|text| period.is_some() || !is_like_a_time(text)))
        })
    };
    prop_oneof![
        (user(), reason()).prop_map(|(user, reason)| ModCommand::Kick(user, reason)),
        Just(ModCommand::Bans),
        (target(), timed()).prop_map(|(to, (period, reason))| ModCommand::Ban(to, period, reason)),
        target().prop_map(ModCommand::Unban),
        Just(ModCommand::Mutes),
        (user(), timed())
            .prop_map(|(user, (period, reason))| ModCommand::Mute(user, period, reason)),
        user().prop_map(ModCommand::Unmute),
        user().prop_map(ModCommand::Invite),
        user().prop_map(ModCommand::Op),
        user().prop_map(ModCommand::Deop),
        Just(ModCommand::Settings),
        setting().prop_map(ModCommand::Set),
        (user(), reason()).prop_map(|(user, reason)| ModCommand::Purge(user, reason)),
        option::of(1..=MAX_LOGGED_ACTS).prop_map(ModCommand::Log),
    ]
}

pub(super) fn command() -> BoxedStrategy<Command> {
    prop_oneof![
        13 => (option::of(channel()), running())
            .prop_map(|(channel, running)| Command::Moderate(channel, running)),
        1 => (channel(), option::of(argument(MAX_REASON_CHARS)))
            .prop_map(|(channel, reason)| Command::Drop(channel, reason)),
    ]
    .boxed()
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![Just(Term::Permanent), stamp().prop_map(|stamp| Term::Until(stamp.time))]
}

fn value() -> impl Strategy<Value = Sentence> {
    raw().prop_map(Sentence::new)
}

fn a_name() -> impl Strategy<Value = &'static str> {
    select(&["slow", "words"][..])
}

pub(super) fn done() -> BoxedStrategy<OkReply> {
    let one = || (channel(), user());
    prop_oneof![
        one().prop_map(|(channel, user)| OkReply::Kicked { channel, user }),
        (channel(), any::<usize>())
            .prop_map(|(channel, count)| OkReply::ListedOf { channel, count }),
        (channel(), target(), term()).prop_map(|(channel, target, term)| OkReply::Banned {
            channel,
            target,
            term
        }),
        (channel(), target(), any::<bool>())
            .prop_map(|(channel, target, changed)| OkReply::Unbanned { channel, target, changed }),
        (one(), term()).prop_map(|((channel, user), term)| OkReply::Muted { channel, user, term }),
        (one(), any::<bool>()).prop_map(|((channel, user), changed)| OkReply::Unmuted {
            channel,
            user,
            changed
        }),
        one().prop_map(|(channel, user)| OkReply::Invited { channel, user }),
        (one(), any::<bool>(), any::<bool>()).prop_map(|((channel, user), is_one, changed)| {
            OkReply::Operator { channel, user, is_one, changed }
        }),
        (channel(), a_name(), value()).prop_map(|(channel, name, value)| OkReply::Set {
            channel,
            name,
            value
        }),
        (one(), any::<usize>()).prop_map(|((channel, user), count)| OkReply::Purged {
            channel,
            user,
            count
        }),
        (channel(), option::of(conversation()))
            .prop_map(|(channel, current)| OkReply::Dropped { channel, current }),
    ]
    .boxed()
}

pub(super) fn happened() -> BoxedStrategy<Event> {
    let reason = || option::of(text());
    let act = || (channel(), user(), user());
    let ban = || option::of(term());
    prop_oneof![
        (act(), reason(), ban()).prop_map(|((channel, user, by), reason, ban)| Event::Kicked {
            channel,
            user,
            by,
            reason,
            ban
        }),
        (act(), reason(), ban(), option::of(conversation())).prop_map(
            |((channel, user, by), reason, ban, current)| Event::YouWereKicked {
                channel,
                user,
                by,
                reason,
                ban,
                current
            }
        ),
        (act(), term(), reason()).prop_map(|((channel, user, by), term, reason)| Event::Muted {
            channel,
            user,
            by,
            term,
            reason
        }),
        act().prop_map(|(channel, user, by)| Event::Unmuted { channel, user, by }),
        (act(), any::<bool>()).prop_map(|((channel, user, by), is_one)| Event::Operator {
            channel,
            user,
            by,
            is_one
        }),
        (channel(), a_name(), value(), user()).prop_map(|(channel, name, value, by)| Event::Set {
            channel,
            name,
            value,
            by
        }),
        act().prop_map(|(channel, user, by)| Event::Purged { channel, user, by }),
        (channel(), user()).prop_map(|(channel, by)| Event::Invited { channel, by }),
        (channel(), user(), reason(), option::of(conversation())).prop_map(
            |(channel, by, reason, current)| Event::Dropped { channel, by, reason, current }
        ),
    ]
    .boxed()
}

pub(super) fn rows() -> BoxedStrategy<Event> {
    let reason = || option::of(text());
    let restricted = (target(), user(), stamp(), term(), reason());
    let logged =
        (user(), stamp(), select(COMMANDS), option::of(target()), option::of(term()), reason());
    prop_oneof![
        (select(COMMANDS), channel(), 0..3_usize).prop_map(|(spec, channel, count)| {
            Event::ModListHead { kind: spec.kind, channel, count }
        }),
        (any::<bool>(), channel(), restricted).prop_map(
            |(is_ban, channel, (target, by, stamp, term, reason))| {
                let time = stamp.time;
                let restricted = Box::new(Restriction { target, by, time, term, reason });
                Event::Restriction { is_ban, channel, restricted }
            }
        ),
        (channel(), a_name(), value()).prop_map(|(channel, name, value)| Event::Setting {
            channel,
            name,
            value
        }),
        (channel(), logged, option::of(value())).prop_map(
            |(channel, (by, stamp, spec, target, term, reason), setting)| {
                let (time, did) = (stamp.time, spec.kind);
                let logged = ModLogEntry { time, by, did, target, term, setting, reason };
                Event::LogEntry { channel, logged: Box::new(logged) }
            }
        ),
    ]
    .boxed()
}

pub(super) fn refusal() -> BoxedStrategy<Refusal> {
    let known = |spec: command_table::CommandSpec| spec.kind.spec();
    prop_oneof![
        (channel(), term(), option::of(text()))
            .prop_map(|(channel, term, reason)| Refusal::banned(&channel, term, reason.as_ref())),
        (channel(), term(), option::of(text())).prop_map(|(channel, term, reason)| Refusal::muted(
            &channel,
            term,
            reason.as_ref()
        )),
        (user(), channel(), term())
            .prop_map(|(user, channel, term)| Refusal::muted_from_writing(&user, &channel, term)),
        (channel(), raw()).prop_map(|(channel, word)| Refusal::word_refused(&channel, &word)),
        (select(COMMANDS), user(), channel()).prop_map(move |(spec, user, channel)| {
            Refusal::is_operator(known(spec), &user, &channel)
        }),
        raw().prop_map(|word| Refusal::bad_period(&word)),
        raw().prop_map(|word| Refusal::bad_address(&word)),
        raw().prop_map(|word| Refusal::no_such_setting(&word)),
        (raw(), raw()).prop_map(|(word, value)| Refusal::bad_setting(&word, &value, "on or off")),
    ]
    .boxed()
}

/// The required fields of each type, and the optional ones.
pub(super) fn fields(kind: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match kind {
        "kicked" => (&["channel", "user", "by"], &["banned", "until", "reason", "current"]),
        "muted" => (&["channel", "user", "by"], &["until", "reason"]),
        "unmuted" | "op" | "deop" | "purged" => (&["channel", "user", "by"], &[]),
        "set" => (&["channel", "name", "value", "by"], &[]),
        "invited" => (&["channel", "by"], &[]),
        "dropped" => (&["channel", "by", "current"], &["reason"]),
        "ban" | "mute" => (&["channel", "by", "time", "until"], &["user", "address", "reason"]),
        "setting" => (&["channel", "name", "value"], &[]),
        "log" => {
            (&["channel", "time", "by", "did"], &["user", "address", "until", "setting", "reason"])
        }
        _ => return None,
    })
}

/// The event that others receive for a moderation command.
pub(super) fn heard(channel: ChannelName, by: UserName, running: &ModCommand) -> Option<Event> {
    Some(match running.clone() {
        ModCommand::Kick(user, reason) => Event::Kicked { channel, user, by, reason, ban: None },
        ModCommand::Mute(user, _, reason) => {
            Event::Muted { channel, user, by, term: Term::Permanent, reason }
        }
        ModCommand::Set(setting) => {
            let value = Sentence::new(setting.value());
            Event::Set { channel, name: setting.name(), value, by }
        }
        _ => return None,
    })
}

#[test]
fn every_moderation_command_is_generated() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = running();
    let seen: Vec<CommandKind> =
        (0..500).map(|_| strategy.new_tree(&mut runner).unwrap().current().kind()).collect();
    for kind in [
        CommandKind::Kick,
        CommandKind::Ban,
        CommandKind::Unban,
        CommandKind::Mute,
        CommandKind::Set,
        CommandKind::Log,
    ] {
        assert!(seen.contains(&kind), "{kind:?}");
    }
}
