//! Generated commands, events and answers of channels that are run.

use chat_proto::event::{Logged, Restricted, Term};
use chat_proto::limits::{MAX_LOGGED_ACTS, MAX_PERIOD_SECS, MAX_SLOW_SECS};
use chat_proto::setting::{Pattern, Period, Setting, WordsChange};
use chat_proto::target::Target;
use chat_proto::verb::Kind;

use super::*;

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        3 => user().prop_map(Target::User),
        1 => (any::<u32>(), 0..=32_u8).prop_filter_map("no net", |(base, prefix)| {
            Target::net(&format!("{}/{prefix}", std::net::Ipv4Addr::from(base)))
        }),
        1 => (any::<u128>(), 0..=128_u8).prop_filter_map("no net", |(base, prefix)| {
            Target::net(&format!("{}/{prefix}", std::net::Ipv6Addr::from(base)))
        }),
        1 => any::<u32>().prop_filter_map("no name", |name| {
            UserName::new(&std::net::Ipv4Addr::from(name).to_string()).ok().map(Target::User)
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

fn setting() -> impl Strategy<Value = Setting> {
    let change = prop_oneof![
        raw().prop_filter_map("no pattern", |raw| Pattern::new(&raw).map(WordsChange::Add)),
        "[a-zß*]{1,8}".prop_filter_map("none", |raw| Pattern::new(&raw).map(WordsChange::Remove)),
        Just(WordsChange::Clear),
    ];
    prop_oneof![
        any::<bool>().prop_map(Setting::InviteOnly),
        any::<bool>().prop_map(Setting::Hidden),
        option::of(period(MAX_SLOW_SECS.into())).prop_map(Setting::Slow),
        any::<bool>().prop_map(Setting::TopicLock),
        any::<bool>().prop_map(Setting::History),
        any::<bool>().prop_map(Setting::Links),
        change.prop_map(Setting::Words),
    ]
}

fn running() -> impl Strategy<Value = Running> {
    let reason = || option::of(argument(MAX_REASON_CHARS));
    // What follows a person and is no time begins in another way than one.
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
        (user(), reason()).prop_map(|(user, reason)| Running::Kick(user, reason)),
        Just(Running::Bans),
        (target(), timed()).prop_map(|(to, (period, reason))| Running::Ban(to, period, reason)),
        target().prop_map(Running::Unban),
        Just(Running::Mutes),
        (user(), timed()).prop_map(|(user, (period, reason))| Running::Mute(user, period, reason)),
        user().prop_map(Running::Unmute),
        user().prop_map(Running::Invite),
        user().prop_map(Running::Op),
        user().prop_map(Running::Deop),
        Just(Running::Settings),
        setting().prop_map(Running::Set),
        (user(), reason()).prop_map(|(user, reason)| Running::Purge(user, reason)),
        option::of(1..=MAX_LOGGED_ACTS).prop_map(Running::Log),
    ]
}

pub(super) fn command() -> BoxedStrategy<Command> {
    prop_oneof![
        13 => (option::of(channel()), running())
            .prop_map(|(channel, running)| Command::Run(channel, running)),
        1 => (channel(), option::of(argument(MAX_REASON_CHARS)))
            .prop_map(|(channel, reason)| Command::Drop(channel, reason)),
    ]
    .boxed()
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![Just(Term::Lasting), placed().prop_map(|placed| Term::Until(placed.time))]
}

fn value() -> impl Strategy<Value = Sentence> {
    raw().prop_map(Sentence::new)
}

fn a_name() -> impl Strategy<Value = &'static str> {
    select(&["slow", "words"][..])
}

pub(super) fn done() -> BoxedStrategy<Done> {
    let one = || (channel(), user());
    prop_oneof![
        one().prop_map(|(channel, user)| Done::Kicked { channel, user }),
        (channel(), any::<usize>()).prop_map(|(channel, count)| Done::ListedOf { channel, count }),
        (channel(), target(), term()).prop_map(|(channel, target, term)| Done::Banned {
            channel,
            target,
            term
        }),
        (channel(), target(), any::<bool>())
            .prop_map(|(channel, target, changed)| Done::Unbanned { channel, target, changed }),
        (one(), term()).prop_map(|((channel, user), term)| Done::Muted { channel, user, term }),
        (one(), any::<bool>()).prop_map(|((channel, user), changed)| Done::Unmuted {
            channel,
            user,
            changed
        }),
        one().prop_map(|(channel, user)| Done::Invited { channel, user }),
        (one(), any::<bool>(), any::<bool>()).prop_map(|((channel, user), is_one, changed)| {
            Done::Operator { channel, user, is_one, changed }
        }),
        (channel(), a_name(), value()).prop_map(|(channel, name, value)| Done::Set {
            channel,
            name,
            value
        }),
        (one(), any::<usize>()).prop_map(|((channel, user), count)| Done::Purged {
            channel,
            user,
            count
        }),
        (channel(), option::of(conversation()))
            .prop_map(|(channel, current)| Done::Dropped { channel, current }),
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
    let restricted = (target(), user(), placed(), term(), reason());
    let logged =
        (user(), placed(), select(VERBS), option::of(target()), option::of(term()), reason());
    prop_oneof![
        (select(VERBS), channel(), 0..3_usize).prop_map(|(verb, channel, count)| {
            Event::RunningHead { kind: verb.kind, channel, count }
        }),
        (any::<bool>(), channel(), restricted).prop_map(
            |(is_ban, channel, (target, by, placed, term, reason))| {
                let time = placed.time;
                let restricted = Box::new(Restricted { target, by, time, term, reason });
                Event::Restricted { is_ban, channel, restricted }
            }
        ),
        (channel(), a_name(), value()).prop_map(|(channel, name, value)| Event::Setting {
            channel,
            name,
            value
        }),
        (channel(), logged, option::of(value())).prop_map(
            |(channel, (by, placed, verb, target, term, reason), setting)| {
                let (time, did) = (placed.time, verb.kind);
                let logged = Logged { time, by, did, target, term, setting, reason };
                Event::Logged { channel, logged: Box::new(logged) }
            }
        ),
    ]
    .boxed()
}

pub(super) fn refusal() -> BoxedStrategy<Refusal> {
    let known = |verb: verb::Verb| verb::of(verb.kind);
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
        (select(VERBS), user(), channel()).prop_map(move |(verb, user, channel)| {
            Refusal::is_operator(known(verb), &user, &channel)
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

/// What others hear of such a command.
pub(super) fn heard(channel: ChannelName, by: UserName, running: &Running) -> Option<Event> {
    Some(match running.clone() {
        Running::Kick(user, reason) => Event::Kicked { channel, user, by, reason, ban: None },
        Running::Mute(user, _, reason) => {
            Event::Muted { channel, user, by, term: Term::Lasting, reason }
        }
        Running::Set(setting) => {
            let value = Sentence::new(setting.value());
            Event::Set { channel, name: setting.name(), value, by }
        }
        _ => return None,
    })
}

#[test]
fn every_way_to_run_a_channel_is_generated() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = running();
    let seen: Vec<Kind> =
        (0..500).map(|_| strategy.new_tree(&mut runner).unwrap().current().kind()).collect();
    for kind in [Kind::Kick, Kind::Ban, Kind::Unban, Kind::Mute, Kind::Set, Kind::Log] {
        assert!(seen.contains(&kind), "{kind:?}");
    }
}
