//! Properties of every line, command and event.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

#[path = "properties/running.rs"]
mod running;

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::BytesMut;
use chat_proto::ban_mask::ServerBanMask;
use chat_proto::command::{
    Command, HistoryAnchor, HistoryRange, InvitationCode, ModCommand, OnceKey, SearchCursor,
    SearchPhrase, SearchQuery, ServerBanCommand, parse,
};
use chat_proto::command_table::{self, COMMANDS, CommandKind, WordMatch};
use chat_proto::conversation::Conversation;
use chat_proto::encoding::{TYPES, encode, encoded};
use chat_proto::event::{
    Away, CloseReason, Event, MessageStamp, OkReply, PasswordPurpose, SelfInfo, Sentence,
    SignOutReason, Term, WhoisInfo,
};
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::limits::{
    MAX_HISTORY_LINES, MAX_KEY_CHARS, MAX_PERIOD_SECS, MAX_REASON_CHARS, MAX_SEARCH_BEGINNINGS,
    MAX_SEARCH_WORDS, MAX_TOPIC_CHARS,
};
use chat_proto::line::{LineCodec, LineItem};
use chat_proto::name::{ChannelName, NameError, UserName};
use chat_proto::period::Period;
use chat_proto::refusal::{Code, Refusal};
use chat_proto::secret::{Credential, INVITE_SIGN, PasswordError, Secret, check_password};
use chat_proto::text::{Text, clean};
use chat_proto::time::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

/// The forbidden characters as numbers, independent of the code under test.
fn forbidden(c: char) -> bool {
    matches!(
        u32::from(c),
        0..=0x1F | 0x7F..=0x9F | 0x202A..=0x202E | 0x2066..=0x2069 | 0x2028 | 0x2029
    )
}

/// Input that tries to imitate other output, and unusual input.
fn raw() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,40}",
        2 => "(\\PC|\\p{C}|[ -~]){0,30}",
        2 => any::<String>(),
        2 => vec(
            select(&[
                "* ", "! ", "[#a] ", "[@a] ", "\r\n", "\r", "\n", "\0", "\u{1b}[2J", "\u{9b}", "/",
                "//", "#", "@", ": ", "\"", "\\", "{\"type\":\"bye\"}", "\u{202e}", "\u{2028}",
                "\u{85}", "\t", " ", "\u{a0}", "\u{3000}", "\u{feff}", "\u{200b}", "שלום", "世界",
                "bob", "…", "\u{10ffff}",
            ][..]),
            0..8,
        )
        .prop_map(|pieces| pieces.concat()),
        1 => "/[a-z]{0,12}( [#@]?[a-zA-Z0-9]{1,5}){0,3}",
        1 => (select(COMMANDS), vec(select(&["/", "#", "@", " ", "\u{a0}", "a"][..]), 0..6))
            .prop_map(|(spec, rest)| format!("/{} {}", spec.name, rest.concat())),
    ]
}

fn text() -> impl Strategy<Value = Text> {
    raw().prop_filter_map("blank", |raw| Text::new(&raw))
}

/// A valid argument: trimmed, and no longer than its limit.
fn argument(max_chars: usize) -> impl Strategy<Value = Text> {
    prop_oneof![9 => raw(), 1 => "[a-zé€]{100,300}"].prop_filter_map("blank", move |raw| {
        let short: String = clean(&raw).trim().chars().take(max_chars).collect();
        Text::new(short.trim())
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9][-_.a-zA-Z0-9]{0,31}",
        2 => "[a-zà-žα-ωа-я]{1,16}",
        1 => "[\\p{Hebrew}]{1,8}",
        1 => "[\\p{Han}\\p{Hangul}]{1,16}",
    ]
}

fn user() -> impl Strategy<Value = UserName> {
    any_name().prop_filter_map("no name", |raw| UserName::new(&raw).ok())
}

fn channel() -> impl Strategy<Value = ChannelName> {
    any_name().prop_filter_map("no name", |raw| ChannelName::new(&raw).ok())
}

fn conversation() -> impl Strategy<Value = Conversation> {
    prop_oneof![channel().prop_map(Conversation::Channel), user().prop_map(Conversation::Private)]
}

/// An id that can be typed.
fn line_id(least: u64) -> impl Strategy<Value = MessageId> {
    (least..=i64::MAX.cast_unsigned()).prop_map(MessageId)
}

fn span() -> impl Strategy<Value = HistoryRange> {
    let from = prop_oneof![
        Just(HistoryAnchor::End),
        line_id(1).prop_map(HistoryAnchor::Before),
        line_id(0).prop_map(HistoryAnchor::After),
    ];
    (option::of(1..=MAX_HISTORY_LINES), from).prop_map(|(count, from)| HistoryRange { count, from })
}

fn once_key() -> impl Strategy<Value = OnceKey> {
    argument(MAX_KEY_CHARS).prop_filter_map("no key", |word| OnceKey::new(word.as_str()))
}

fn phrase() -> impl Strategy<Value = SearchPhrase> {
    let words = prop_oneof![
        text(),
        "(from|in|before):[a-z]{1,5}|[#@][a-z]{1,5}|[a-z]{1,5}[*]{0,2}"
            .prop_filter_map("blank", |word| Text::new(&word)),
    ];
    (words, any::<bool>()).prop_filter_map("nothing to look for", |(text, prefix)| {
        let text = Text::new(text.as_str().replace('"', "").trim())?;
        text.as_str().contains(char::is_alphanumeric).then_some(SearchPhrase { text, prefix })
    })
}

fn before() -> impl Strategy<Value = SearchCursor> {
    // The days that `before:` accepts: the year has four digits.
    let days = -719_162..2_932_897_i64;
    let day = days
        .clone()
        .prop_map(|day| SearchCursor { time: Timestamp(day * 86_400_000), id: MessageId(0) });
    let moment =
        (days, 0..86_400_000_i64, 1..=i64::MAX.cast_unsigned()).prop_map(|(day, rest, id)| {
            SearchCursor { time: Timestamp(day * 86_400_000 + rest), id: MessageId(id) }
        });
    prop_oneof![day, moment]
}

fn search() -> impl Strategy<Value = SearchQuery> {
    let filters = (option::of(conversation()), option::of(user()), option::of(before()));
    (filters, vec(phrase(), 0..=MAX_SEARCH_WORDS)).prop_filter_map(
        "nothing to look for",
        |((within, from, before), mut words)| {
            for phrase in
                words.iter_mut().filter(|phrase| phrase.prefix).skip(MAX_SEARCH_BEGINNINGS)
            {
                phrase.prefix = false;
            }
            let enough = from.is_some() || !words.is_empty();
            enough.then_some(SearchQuery { within, from, before, words })
        },
    )
}

fn secret() -> impl Strategy<Value = Secret> {
    argument(300).prop_filter_map("blank", |words| Secret::typed(words.as_str()))
}

fn credential() -> impl Strategy<Value = Credential> {
    prop_oneof![
        secret().prop_filter_map("blank", |secret| Credential::typed(secret.expose())),
        "[-_A-Za-z0-9]{0,43}".prop_map(|token| Credential::Token(Secret::new(&token))),
    ]
}

fn invite() -> impl Strategy<Value = InvitationCode> {
    prop_oneof!["[-_A-Za-z0-9]{1,64}", "\\PC{1,64}"]
        .prop_filter_map("no invitation", |code| InvitationCode::new(&code))
}

/// A password in a place where an invitation may precede it.
fn first_secret() -> impl Strategy<Value = Secret> {
    secret().prop_filter("invitation", |secret| {
        !secret.expose().to_lowercase().starts_with(INVITE_SIGN)
    })
}

fn registering() -> impl Strategy<Value = Command> {
    prop_oneof![
        option::of(first_secret()).prop_map(|password| (None, password)),
        (invite(), option::of(secret())).prop_map(|(invite, password)| (Some(invite), password)),
    ]
    .prop_map(|(invite, password)| Command::Register { invite, password })
}

fn passwords() -> impl Strategy<Value = (Secret, Secret)> {
    let word = || secret().prop_filter("a blank", |secret| !secret.expose().contains(' '));
    (word(), word())
}

/// The account commands.
fn about_accounts() -> impl Strategy<Value = Command> {
    prop_oneof![
        registering(),
        (user(), option::of(credential())).prop_map(|(user, by)| Command::Login(user, by)),
        Just(Command::Logout),
        option::of(passwords()).prop_map(Command::Password),
        option::of(secret()).prop_map(Command::Forget),
    ]
}

fn barred() -> impl Strategy<Value = ServerBanMask> {
    let pattern =
        "[a-z0-9*]{1,20}\\*[a-z]{1,3}".prop_map(|typed| ServerBanMask::read(&typed).unwrap());
    let net = (any::<[u8; 4]>(), 0..=32_u8).prop_map(|([a, b, c, d], bits)| {
        ServerBanMask::read(&format!("{a}.{b}.{c}.{d}/{bits}")).unwrap()
    });
    let user = user().prop_map(|user| ServerBanMask::read(&format!("@{user}")).unwrap());
    prop_oneof![user, net, pattern]
}

fn everywhere() -> impl Strategy<Value = ServerBanCommand> {
    let period = option::of(1..=u64::from(MAX_PERIOD_SECS));
    let period = period.prop_map(|secs| secs.and_then(Period::new));
    // Excludes reasons that could be taken for the duration of a ban.
    let reason = option::of(argument(MAX_REASON_CHARS)).prop_filter("a time", |reason| {
        !reason.as_ref().is_some_and(|reason| reason.as_str().to_lowercase().starts_with("for"))
    });
    prop_oneof![
        Just(ServerBanCommand::Bans),
        (barred(), period, reason)
            .prop_map(|(barred, period, reason)| ServerBanCommand::Ban(barred, period, reason)),
        barred().prop_map(ServerBanCommand::Unban),
    ]
}

/// Every command.
fn command() -> BoxedStrategy<Command> {
    let line = || argument(1000);
    let reason = || option::of(argument(MAX_REASON_CHARS));
    let topic = || option::of(argument(MAX_TOPIC_CHARS));
    let without = |sign: char| {
        option::of(line().prop_filter_map("sign", move |text| {
            Text::new(text.as_str().trim_start_matches(|c: char| c == sign || c.is_whitespace()))
        }))
    };
    prop_oneof![
        1 => without('/').prop_map(Command::Help),
        1 => user().prop_map(Command::Name),
        1 => (without('#'), option::of(channel()))
            .prop_map(|(part, after)| Command::Channels(part, after)),
        1 => (channel(), topic()).prop_map(|(channel, topic)| Command::Create(channel, topic)),
        1 => (channel(), option::of(line_id(0)))
            .prop_map(|(channel, after)| Command::Enter(channel, after)),
        1 => option::of((conversation(), reason())).prop_map(|left| match left {
            Some((conversation, reason)) => Command::Leave(Some(conversation), reason),
            // A reason needs a conversation before it.
            None => Command::Leave(None, None),
        }),
        1 => (user(), option::of(line())).prop_map(|(user, text)| Command::Private(user, text)),
        1 => (user(), line()).prop_map(|(user, text)| Command::Msg(user, text)),
        1 => line().prop_map(Command::Reply),
        // Plain text isn't trimmed.
        1 => text().prop_map(|text| Command::Say(None, text)),
        1 => (conversation(), line()).prop_map(|(to, text)| Command::Say(Some(to), text)),
        1 => line().prop_map(Command::Me),
        1 => Just(Command::Info),
        1 => (option::of(channel()), option::of(user()))
            .prop_map(|(channel, after)| Command::Users(channel, after)),
        1 => user().prop_map(Command::Whois),
        1 => topic().prop_map(Command::Topic),
        1 => (option::of(conversation()), span())
            .prop_map(|(conversation, span)| Command::History(conversation, span)),
        1 => search().prop_map(Command::Search),
        1 => (once_key(), conversation(), line()).prop_map(|(key, to, text)| Command::Once {
            key,
            to,
            text
        }),
        1 => reason().prop_map(Command::Away),
        1 => Just(Command::Back),
        1 => option::of(user()).prop_map(Command::Ignore),
        1 => user().prop_map(Command::Unignore),
        10 => running::command(),
        5 => about_accounts(),
        3 => everywhere().prop_map(Command::Everywhere),
        1 => (user(), reason()).prop_map(|(user, reason)| Command::Kill(user, reason)),
        1 => line().prop_map(Command::Announce),
        1 => Just(Command::Stats),
        1 => Just(Command::Invitation),
        1 => (option::of(1..=MAX_HISTORY_LINES), option::of(before())).prop_map(|(count, before)| Command::Mentions { count, before }),
        1 => select(&Format::ALL[..]).prop_map(Command::Format),
        1 => option::of(line()).prop_map(Command::Ping),
        1 => reason().prop_map(Command::Quit),
    ]
    .boxed()
}

fn stamp() -> impl Strategy<Value = MessageStamp> {
    (any::<u64>(), prop_oneof![0..4_102_444_800_000_i64, any::<i64>()])
        .prop_map(|(id, time)| MessageStamp { id: MessageId(id), time: Timestamp(time) })
}

fn last() -> impl Strategy<Value = MessageId> {
    any::<u64>().prop_map(MessageId)
}

fn away() -> impl Strategy<Value = Option<Away>> {
    option::of(option::of(text()).prop_map(|reason| Away { reason }))
}

fn done() -> BoxedStrategy<OkReply> {
    let topic = || option::of(text());
    prop_oneof![
        Just(OkReply::Told),
        any::<usize>().prop_map(|count| OkReply::Listed { count }),
        (any::<usize>(), text()).prop_map(|(count, next)| OkReply::Page { count, next }),
        user().prop_map(|name| OkReply::Welcomed { name }),
        user().prop_map(|name| OkReply::Named { name }),
        (channel(), topic(), last()).prop_map(|(channel, topic, last)| OkReply::Created {
            channel,
            topic,
            last
        }),
        (channel(), any::<usize>(), topic(), any::<bool>(), last()).prop_map(
            |(channel, members, topic, operator, last)| OkReply::Entered {
                channel,
                members,
                topic,
                operator,
                last
            }
        ),
        (channel(), any::<usize>(), topic(), any::<bool>(), last()).prop_map(
            |(channel, members, topic, operator, last)| OkReply::Current {
                channel,
                members,
                topic,
                operator,
                last
            }
        ),
        (conversation(), option::of(conversation()))
            .prop_map(|(conversation, current)| OkReply::Left { conversation, current }),
        (user(), option::of(stamp()))
            .prop_map(|(with, stamp)| OkReply::PrivateOpened { with, stamp }),
        (conversation(), stamp()).prop_map(|(to, stamp)| OkReply::Said { to, stamp }),
        (conversation(), any::<usize>())
            .prop_map(|(conversation, count)| OkReply::History { conversation, count }),
        (any::<usize>(), option::of(text()))
            .prop_map(|(count, next)| OkReply::Found { count, next }),
        (channel(), topic()).prop_map(|(channel, topic)| OkReply::TopicShown { channel, topic }),
        (channel(), text()).prop_map(|(channel, topic)| OkReply::TopicSet { channel, topic }),
        (away(), any::<bool>()).prop_map(|(away, changed)| OkReply::Away { away, changed }),
        (user(), any::<bool>()).prop_map(|(user, changed)| OkReply::Ignoring { user, changed }),
        (user(), any::<bool>()).prop_map(|(user, changed)| OkReply::NotIgnoring { user, changed }),
        running::done(),
        done_to_account(),
        (user(), any::<usize>()).prop_map(|(user, count)| OkReply::Killed { user, count }),
        any::<usize>().prop_map(|count| OkReply::Announced { count }),
        (barred(), any::<usize>()).prop_map(|(target, count)| OkReply::ServerBanned {
            target,
            term: Term::Permanent,
            count
        }),
        (barred(), any::<bool>())
            .prop_map(|(target, changed)| OkReply::ServerUnbanned { target, changed }),
        (invite(), stamp()).prop_map(|(invite, at)| OkReply::Invitation { invite, until: at.time }),
        (any::<usize>(), option::of(text()))
            .prop_map(|(count, next)| OkReply::Mentions { count, next }),
        select(&Format::ALL[..]).prop_map(|format| OkReply::Format { format }),
        option::of(text()).prop_map(|token| OkReply::Pong { token }),
    ]
    .boxed()
}

fn done_to_account() -> impl Strategy<Value = OkReply> {
    prop_oneof![
        (user(), secret()).prop_map(|(name, token)| OkReply::Registered { name, token }),
        (user(), option::of(secret())).prop_map(|(name, token)| OkReply::SignedIn { name, token }),
        user().prop_map(|name| OkReply::SignedOut { name }),
        secret().prop_map(|token| OkReply::PasswordChanged { token }),
        user().prop_map(|name| OkReply::Forgotten { name }),
    ]
}

fn refused_to_account() -> impl Strategy<Value = Refusal> {
    let kind = || select(COMMANDS);
    let unfit = prop_oneof![
        any::<usize>().prop_map(|was| PasswordError::TooShort { was }),
        any::<usize>().prop_map(|over| PasswordError::TooLong { over }),
        Just(PasswordError::Sign(INVITE_SIGN)),
    ];
    prop_oneof![
        user().prop_map(|name| Refusal::name_registered(&name)),
        (user(), user()).prop_map(|(wanted, like)| Refusal::looks_registered(&wanted, &like)),
        user().prop_map(|name| Refusal::wrong_password(&name)),
        kind().prop_map(|spec| Refusal::not_signed_in(&spec)),
        any::<u64>().prop_map(Refusal::login_too_soon),
        unfit.prop_map(Refusal::bad_password),
        user().prop_map(|name| Refusal::no_such_account(&name)),
    ]
}

fn refusal() -> BoxedStrategy<Refusal> {
    let kind = || select(COMMANDS);
    prop_oneof![
        (select(Code::ALL), raw()).prop_map(|(code, words)| Refusal::new(code, words)),
        any::<u64>().prop_map(Refusal::line_too_long),
        raw().prop_map(|word| Refusal::unknown_command(&word, &["list"])),
        raw().prop_map(|word| Refusal::ambiguous_command(&word, &["list", "leave"])),
        kind().prop_map(|spec| Refusal::missing_argument(&spec)),
        (kind(), raw()).prop_map(|(spec, more)| Refusal::too_many_arguments(&spec, &more)),
        (kind(), raw()).prop_map(|(spec, word)| Refusal::say_where(&spec, &word)),
        raw().prop_map(|word| Refusal::bad_key(&word)),
        raw().prop_map(|word| Refusal::bad_count(&word)),
        (raw(), raw()).prop_map(|(word, id)| Refusal::bad_line_id(&word, &id)),
        (conversation(), last(), last())
            .prop_map(|(place, parsed, last)| Refusal::no_such_line(&place, parsed, last)),
        raw().prop_map(|word| Refusal::bad_day(&word)),
        raw().prop_map(|word| Refusal::nothing_to_search(&word)),
        raw().prop_map(|word| Refusal::unknown_form(&word)),
        raw().prop_map(|typed| Refusal::no_such_user(&typed, &["bob"])),
        any::<char>().prop_map(|c| Refusal::bad_name(&NameError::BadChar(c))),
        (user(), user()).prop_map(|(wanted, holder)| Refusal::name_taken(&wanted, &holder)),
        channel().prop_map(|name| Refusal::no_such_channel(&name, &["general"])),
        (channel(), channel()).prop_map(|(wanted, there)| Refusal::channel_exists(&wanted, &there)),
        (user(), channel()).prop_map(|(user, name)| Refusal::user_not_in_channel(&user, &name)),
        refused_to_account(),
        (kind(), conversation())
            .prop_map(|(spec, current)| Refusal::needs_channel(&spec, &current)),
        running::refusal(),
    ]
    .boxed()
}

fn user_message() -> BoxedStrategy<Event> {
    let flags = || (any::<bool>(), any::<bool>());
    prop_oneof![
        (stamp(), channel(), user(), text(), flags()).prop_map(
            |(stamp, channel, from, text, (action, past))| Event::Message {
                stamp,
                channel,
                from,
                text,
                action,
                past
            }
        ),
        (stamp(), user(), user(), user(), text(), flags()).prop_map(
            |(stamp, with, from, to, text, (action, past))| Event::Private {
                stamp,
                with,
                from,
                to,
                text,
                action,
                past
            }
        ),
    ]
    .boxed()
}

/// Events about messages that were sent while an account was offline.
fn offline() -> impl Strategy<Value = Event> {
    let count = any::<u64>;
    prop_oneof![
        (channel(), any::<usize>(), option::of(text()), any::<bool>(), last()).prop_map(
            |(channel, members, topic, operator, last)| Event::Reentered {
                channel,
                members,
                topic,
                operator,
                last
            }
        ),
        (channel(), count(), count(), last()).prop_map(|(channel, count, mentions, after)| {
            Event::Unread { channel, count, mentions, after }
        }),
        (count(), count()).prop_map(|(count, told)| Event::UnreadPrivate { count, told }),
        user().prop_map(|user| Event::Notice(Sentence::not_here(&user))),
    ]
}

/// Events with text of the server.
fn server_event() -> BoxedStrategy<Event> {
    let reason = || option::of(text());
    let time = || stamp().prop_map(|stamp| stamp.time);
    let count = any::<u64>;
    let happened = prop_oneof![
        user().prop_map(|with| Event::Opened { with }),
        (channel(), user(), time()).prop_map(|(channel, user, time)| Event::Entered {
            channel,
            user,
            time
        }),
        (channel(), user(), time(), reason())
            .prop_map(|(channel, user, time, reason)| Event::Left { channel, user, time, reason }),
        (channel(), user(), time(), option::of(conversation())).prop_map(
            |(channel, user, time, current)| Event::YouLeft { channel, user, time, current }
        ),
        (channel(), count(), count(), count()).prop_map(|(channel, entered, left, members)| {
            Event::Presence { channel, entered, left, members }
        }),
        (user(), reason()).prop_map(|(user, reason)| Event::Gone { user, reason }),
        (user(), user()).prop_map(|(from, to)| Event::Renamed { from, to }),
        (channel(), reason(), user()).prop_map(|(channel, topic, by)| Event::Topic {
            channel,
            topic,
            by
        }),
        running::happened(),
        (channel(), count(), count()).prop_map(|(channel, count, after)| Event::Missed {
            channel,
            count,
            after: MessageId(after)
        }),
        (
            select(
                &[
                    PasswordPurpose::New,
                    PasswordPurpose::Old,
                    PasswordPurpose::Login,
                    PasswordPurpose::Forget
                ][..]
            ),
            user()
        )
            .prop_map(|(what, name)| Event::PasswordAsked { what, name }),
        (select(&[SignOutReason::NewPassword, SignOutReason::Forgotten][..]), user())
            .prop_map(|(by, name)| Event::SignedOut { name, by }),
        offline(),
        raw().prop_map(|words| Event::Notice(Sentence::new(words))),
    ]
    .boxed();
    let farewells = &[
        CloseReason::Quit,
        CloseReason::EndOfInput,
        CloseReason::NoName,
        CloseReason::Shutdown,
        CloseReason::Fault,
    ];
    prop_oneof![
        4 => happened,
        4 => rows(),
        1 => select(&farewells[..]).prop_map(Event::Bye),
        3 => (word(), done()).prop_map(|(re, done)| Event::Ok { re, reply: done }),
        3 => (word(), refusal()).prop_map(|(re, refusal)| Event::Refused { re, refusal }),
    ]
    .boxed()
}

fn rows() -> BoxedStrategy<Event> {
    let names = || vec(user(), 0..4);
    let optional_user = || (user(), option::of(user()));
    let person =
        (optional_user(), away(), vec(channel(), 0..3), stamp(), any::<u64>(), any::<u64>());
    let own = (optional_user(), option::of(conversation()), vec(channel(), 0..3), stamp(), away());
    prop_oneof![
        (0..4_usize).prop_map(|count| Event::ChannelsHead { count, part: None }),
        (channel(), any::<usize>(), option::of(text()))
            .prop_map(|(name, members, topic)| Event::Channel { name, members, topic }),
        (option::of(channel()), 0..4_usize, names())
            .prop_map(|(channel, count, names)| Event::UsersHead { channel, count, names }),
        names().prop_map(|names| Event::UsersMore { names }),
        running::rows(),
        (user(), option::of(channel()), any::<bool>(), away()).prop_map(
            |(name, channel, operator, away)| Event::User { name, channel, operator, away }
        ),
        (user(), stamp(), away()).prop_map(|(name, stamp, away)| Event::LastSeen {
            name,
            seen: stamp.time,
            away
        }),
        person.prop_map(|((name, account), away, shared, stamp, idle_secs, online_secs)| {
            let since = stamp.time;
            let address = account.as_ref().map(|_| "192.0.2.7".to_owned());
            let person =
                WhoisInfo { name, account, away, shared, since, idle_secs, online_secs, address };
            Event::Whois(Box::new(person))
        }),
        own.prop_map(|((name, account), current, channels, stamp, away)| {
            let (since, connected_secs) = (stamp.time, stamp.id.0);
            let address = "[2001:db8::1]:50412".to_owned();
            Event::Info(Box::new(SelfInfo {
                name,
                account,
                current,
                channels,
                address,
                since,
                connected_secs,
                away,
            }))
        }),
    ]
    .boxed()
}

/// The `re` of an answer, as the parser returns it for any line.
fn word() -> impl Strategy<Value = Cow<'static, str>> {
    raw().prop_map(|line| parse(&line.replace(['\r', '\n'], "")).re)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![user_message(), server_event()]
}

/// The required fields of each type, and the optional ones.
fn fields(kind: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        "ok" => (
            &["re"],
            &[
                "id", "time", "channel", "to", "with", "user", "name", "members", "operator",
                "topic", "last", "current", "away", "reason", "changed", "count", "more", "next",
                "format", "token", "address", "until", "value", "invite", "target",
            ],
        ),
        "error" => (&["re", "code", "text"], &[]),
        "message" => (&["id", "time", "channel", "from", "text"], &["action", "past"]),
        "private" => (&["id", "time", "from", "to", "text"], &["action", "past"]),
        "opened" => (&["with"], &[]),
        "entered" => (&["channel", "user", "time"], &[]),
        "left" => (&["channel", "user", "time"], &["reason", "current"]),
        "presence" => (&["channel", "entered", "left", "members"], &[]),
        "gone" => (&["user"], &["reason"]),
        "renamed" => (&["from", "to"], &[]),
        "topic" => (&["channel", "topic", "by"], &[]),
        "channel" => (&["name", "members", "topic"], &[]),
        "user" => (
            &["name", "away"],
            &[
                "channel", "operator", "reason", "account", "channels", "since", "idle", "online",
                "seen", "address",
            ],
        ),
        "info" => (
            &["name", "account", "current", "channels", "address", "since", "connected", "away"],
            &["reason"],
        ),
        "password" => (&["for", "name"], &[]),
        "signedout" => (&["name", "reason"], &[]),
        "reentered" => (&["channel", "members", "operator", "topic", "last"], &[]),
        "unread" => (&["channel", "count", "mentions", "after"], &[]),
        "waiting" => (&["count", "told"], &[]),
        "announcement" => (&["from", "text", "time"], &[]),
        "killed" => (&["by"], &["reason", "banned", "until"]),
        "serverban" => (&["target", "by", "time", "until"], &["reason"]),
        "stats" => (&["name", "value"], &[]),
        "missed" => (&["channel", "count", "after"], &[]),
        "notice" => (&["text"], &[]),
        "bye" => (&["reason"], &[]),
        other => running::fields(other).unwrap_or_else(|| panic!("type {other} has no fields")),
    }
}

fn check_json(line: &str) {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let object = value.as_object().unwrap_or_else(|| panic!("{line} is no object"));
    let kind = object["type"].as_str().unwrap();
    assert!(TYPES.contains(&kind), "{line}");
    let (required, optional) = fields(kind);
    for field in required {
        assert!(object.contains_key(*field), "{field} is missing in {line}");
    }
    for (field, value) in object {
        let known = [required, optional].concat().contains(&field.as_str()) || field == "type";
        assert!(known, "{field} is not described: {line}");
        match field.as_str() {
            "channel" => assert!(value.as_str().unwrap().starts_with('#'), "{line}"),
            "current" if !value.is_null() => {
                assert!(value.as_str().unwrap().starts_with(['#', '@']), "{line}");
            }
            "id" | "count" | "members" | "idle" | "online" | "connected" | "after" => {
                assert!(value.is_u64(), "{line}");
            }
            "time" | "since" | "seen" | "until" if !value.is_null() => {
                assert!(value.as_str().unwrap().ends_with('Z'), "{line}");
            }
            _ => {}
        }
    }
    // Parsing drops a duplicate key; the length reveals it.
    assert_eq!(value.to_string().len(), line.len(), "{line}");
}

/// At most one line, with the ending of the format, and without terminal control characters.
fn check_one_line(event: &Event) {
    for format in Format::ALL {
        let bytes = encoded(event, format);
        let line = str::from_utf8(&bytes).unwrap();
        if line.is_empty() {
            continue;
        }
        let ending = match format {
            Format::Text => "\r\n",
            Format::Json => "\n",
        };
        let line = line.strip_suffix(ending).unwrap_or_else(|| panic!("{line:?} has no ending"));
        assert!(!line.contains(forbidden), "{line:?}");
        match format {
            Format::Text => assert!(
                line.starts_with("* ") || line.starts_with("! ") || line.starts_with('['),
                "{line:?}"
            ),
            Format::Json => check_json(line),
        }
        // Appending to other output gives the same bytes.
        let mut out = BytesMut::from(&b"before"[..]);
        encode(event, format, &mut out);
        assert_eq!(&out[..6], b"before");
        assert_eq!(&out[6..], &bytes[..]);
    }
}

fn is_silent(event: &Event, format: Format) -> bool {
    encoded(event, format).is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_printed_command_parses_to_the_same(command in command()) {
        let printed = command.to_string();
        prop_assert!(!printed.contains(forbidden), "{:?}", printed);
        let parsed = parse(&printed);
        prop_assert_eq!(parsed.re, command.kind().spec().name, "{:?}", &printed);
        // Names are equal in any case; their shown forms must be equal too.
        prop_assert_eq!(parsed.command.as_ref(), Ok(&command), "{:?}", &printed);
        let again = parsed.command.map(|again| format!("{again:?}"));
        prop_assert_eq!(again, Ok(format!("{command:?}")), "{:?}", &printed);
    }

    #[test]
    fn every_word_of_a_command_in_any_case_parses_to_the_same(command in command(), upper: bool) {
        let printed = command.to_string();
        if let Some(rest) = printed.strip_prefix(&format!("/{}", command.kind().spec().name)) {
            for word in command.kind().spec().words() {
                let word = if upper { word.to_uppercase() } else { word.to_owned() };
                let again = parse(&format!("/{word}{rest}")).command;
                prop_assert_eq!(again.as_ref(), Ok(&command));
            }
        }
    }

    #[test]
    fn a_secret_is_only_in_the_printed_line(password in "[~]{8,40}", user in user()) {
        let secret = Secret::typed(&password).unwrap();
        prop_assert_eq!(check_password(secret.expose()), Ok(()));
        let credential = Credential::typed(&password);
        for command in [
            Command::Login(user.clone(), credential),
            Command::Register { invite: InvitationCode::new(&password), password: Some(secret.clone()) },
            Command::Password(Some((secret.clone(), secret.clone()))),
            Command::Forget(Some(secret.clone())),
        ] {
            prop_assert!(command.to_string().contains(&password));
            let debug = format!("{command:?}");
            prop_assert!(!debug.contains(&password));
            prop_assert!(command.kind().spec().secret);
        }
        let done = OkReply::Registered { name: user, token: secret };
        let debug = format!("{done:?}");
        prop_assert!(!debug.contains(&password));
        let ok = encoded(&Event::Ok { re: "register".into(), reply: done }, Format::Text);
        prop_assert!(!str::from_utf8(&ok).unwrap().contains(&password));
    }

    #[test]
    fn an_event_is_one_line(event in event()) {
        check_one_line(&event);
    }

    #[test]
    fn texts_of_users_never_look_like_lines_of_the_server(event in user_message()) {
        let (Event::Message { from, text, .. } | Event::Private { from, text, .. }) = &event else {
            panic!("{event:?}")
        };
        prop_assert!(!from.as_str().contains(forbidden) && !text.as_str().contains(forbidden));
        let line = encoded(&event, Format::Text);
        let line = str::from_utf8(&line).unwrap();
        let (place, user_message) = line.strip_prefix('[').unwrap().split_once("] ").unwrap();
        prop_assert!(place.starts_with(['#', '@']));
        let own = user_message.strip_prefix("* ").unwrap_or(user_message).strip_prefix(from.as_str()).unwrap();
        let own = own.strip_prefix(": ").or(own.strip_prefix(' ')).unwrap();
        prop_assert_eq!(own.strip_suffix("\r\n"), Some(text.as_str()));
    }

    #[test]
    fn lines_of_the_server_never_look_like_messages(event in server_event()) {
        let line = encoded(&event, Format::Text);
        prop_assert!(!line.starts_with(b"["), "{:?}", line);
        let refused = matches!(event, Event::Refused { .. });
        prop_assert_eq!(line.starts_with(b"! "), refused, "{:?}", line);
    }

    #[test]
    fn an_answer_has_a_json_line_and_a_refusal_has_both(
        re in word(), done in done(), refusal in refusal(),
    ) {
        let ok = Event::Ok { re: re.clone(), reply: done };
        prop_assert!(!is_silent(&ok, Format::Json));
        for format in Format::ALL {
            let refused = Event::Refused { re: re.clone(), refusal: refusal.clone() };
            prop_assert!(!is_silent(&refused, format));
        }
    }

    #[test]
    fn any_line_is_parsed_or_refused(line in raw()) {
        check_line(&line);
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        let mut codec = LineCodec::new();
        let mut rest = &bytes[..];
        let mut items = Vec::new();
        while let Some(item) = codec.feed(&mut rest) {
            items.push(item);
        }
        for item in items.into_iter().chain(codec.finish()) {
            match item {
                LineItem::Line(line) => check_line(&line),
                LineItem::TooLong { over } => {
                    check_refused("line", &Refusal::line_too_long(over));
                }
                LineItem::NotUtf8 => check_refused("line", &Refusal::not_utf8()),
            }
        }
    }

    #[test]
    fn an_answer_to_a_word_that_is_no_command_is_short(word in "/[^ ]{41,2000}") {
        let parsed = parse(&word);
        if let Err(refusal) = parsed.command {
            prop_assert!(parsed.re.chars().count() <= 41, "{}", parsed.re);
            prop_assert!(refusal.text().chars().count() < 200, "{}", refusal.text());
        }
    }
}

/// One input line causes one line to others and one line as its answer.
fn check_line(line: &str) {
    let parsed = parse(line);
    assert!(!parsed.re.contains(forbidden), "{:?}", parsed.re);
    match parsed.command {
        Ok(command) => {
            assert_eq!(parsed.re, command.kind().spec().name);
            assert_eq!(parse(&command.to_string()).command, Ok(command.clone()), "{line:?}");
            check_heard(&command);
        }
        Err(refusal) => check_refused(&parsed.re, &refusal),
    }
}

fn check_refused(re: &str, refusal: &Refusal) {
    assert!(Code::ALL.contains(&refusal.code()) && !refusal.text().is_empty());
    check_one_line(&Event::Refused { re: re.to_owned().into(), refusal: refusal.clone() });
}

fn check_heard(command: &Command) {
    let general = ChannelName::new("general").unwrap();
    let bob = UserName::new("bob").unwrap();
    let heard = match command {
        Command::Say(_, text) | Command::Once { text, .. } | Command::Me(text) => Event::Message {
            stamp: MessageStamp { id: MessageId(1), time: Timestamp(0) },
            channel: general,
            from: bob,
            text: text.clone(),
            action: matches!(command, Command::Me(_)),
            past: false,
        },
        Command::Leave(_, reason) | Command::Quit(reason) => {
            Event::Gone { user: bob, reason: reason.clone() }
        }
        Command::Moderate(_, running) => match running::heard(general, bob, running) {
            Some(heard) => heard,
            None => return,
        },
        Command::Name(to) => Event::Renamed { from: bob, to: to.clone() },
        Command::Create(name, topic) => {
            Event::Channel { name: name.clone(), members: 1, topic: topic.clone() }
        }
        _ => return,
    };
    check_one_line(&heard);
}

/// Fails if a new command isn't added to the generators above.
#[test]
fn every_command_is_generated() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = command();
    let seen: Vec<CommandKind> =
        (0..2000).map(|_| strategy.new_tree(&mut runner).unwrap().current().kind()).collect();
    for spec in COMMANDS {
        assert!(seen.contains(&spec.kind), "/{} is never generated", spec.name);
    }
}

#[test]
fn every_prefix_finds_its_command_or_all_candidates() {
    let beginnings: BTreeSet<&str> = COMMANDS
        .iter()
        .flat_map(command_table::CommandSpec::words)
        .flat_map(|word| (1..=word.len()).map(move |end| &word[..end]))
        .collect();
    for beginning in beginnings {
        let whole = COMMANDS.iter().find(|spec| spec.words().any(|word| word == beginning));
        let begun: Vec<&command_table::CommandSpec> = COMMANDS
            .iter()
            .filter(|spec| spec.words().any(|word| word.starts_with(beginning)))
            .collect();
        let parsed = parse(&format!("/{beginning}"));
        match (command_table::lookup(beginning), whole, begun.as_slice()) {
            (WordMatch::One(found), Some(whole), _) => assert_eq!(found.name, whole.name),
            (WordMatch::One(found), None, [only]) => {
                assert_eq!(found.name, only.name, "{beginning}");
                assert_eq!(parsed.re, only.name);
            }
            (WordMatch::Several(words), None, several) if several.len() > 1 => {
                let refusal = parsed.command.unwrap_err();
                assert_eq!(refusal.code(), Code::UnknownCommand);
                assert_eq!(words.len(), several.len(), "{beginning}");
                for (word, spec) in words.iter().zip(several) {
                    assert!(word.starts_with(beginning), "{beginning}: {word}");
                    assert!(spec.words().any(|own| own == *word), "{beginning}: {word}");
                    assert!(refusal.text().contains(&format!("/{word}")), "{}", refusal.text());
                }
            }
            (found, ..) => panic!("{beginning}: {found:?}"),
        }
    }
}

#[test]
fn a_sign_and_any_blank_after_it_are_no_part_of_the_word() {
    for line in ["/channels #\u{a0}/", "/channels #dev", "/help /\u{a0}enter", "/help /enter"] {
        let command = parse(line).command.unwrap();
        assert_eq!(parse(&command.to_string()).command, Ok(command), "{line:?}");
    }
}
