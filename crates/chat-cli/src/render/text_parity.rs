//! The client renders the JSON format with exactly the sentences of the server's text format.

mod moderation;
mod server_moderation;

use chat_proto::conversation::Conversation;
use chat_proto::encoding::encoded;
use chat_proto::event::{
    Away, CloseReason, Event, MessageStamp, OkReply, PasswordPurpose, Sentence, SignOutReason,
    WhoisInfo,
};
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::{Code, Refusal};
use chat_proto::secret::Secret;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::*;
use crate::show::{DisplayStyle, line};

fn in_form(events: &[Event], format: Format) -> Vec<String> {
    let rendered = |event| String::from_utf8(encoded(event, format).to_vec()).unwrap();
    events
        .iter()
        .flat_map(|event| rendered(event).lines().map(ToOwned::to_owned).collect::<Vec<_>>())
        .collect()
}

/// `typed` is the line that the last event answers.
#[track_caller]
fn check(typed: &str, events: &[Event]) {
    let channels = ["#dev".to_owned()];
    let own = OwnState { me: Some("alice"), channels: &channels, marks: false };
    let mut renderer = Renderer::default();
    let mut shown = Vec::new();
    for text in in_form(events, Format::Json) {
        match ServerEvent::read(&text).unwrap() {
            ServerEvent::Ok(answer) => shown.extend(renderer.answered(typed, &answer, own)),
            other => shown.extend(renderer.render(&other, own)),
        }
    }
    let now = "2026-11-22T07:44:05Z".parse().unwrap();
    let shown: Vec<_> =
        shown.iter().map(|shown| line(shown, &DisplayStyle::Plain, own.me, now).text).collect();
    assert_eq!(shown, in_form(events, Format::Text), "{typed} {events:?}");
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn text(words: &str) -> Text {
    Text::new(words).unwrap()
}

fn ok(re: &'static str, reply: OkReply) -> Event {
    Event::Ok { re: re.into(), reply }
}

const TIME: Timestamp = Timestamp(1_795_333_445_120);
const STAMP: MessageStamp = MessageStamp { id: MessageId(7), time: TIME };

#[test]
fn events_of_others() {
    for (action, past) in [(false, false), (true, false), (false, true), (true, true)] {
        check(
            "",
            &[Event::Message {
                stamp: STAMP,
                channel: channel("general"),
                from: user("bob"),
                text: text("hi"),
                action,
                past,
            }],
        );
        for (from, to) in [("bob", "alice"), ("alice", "bob")] {
            check(
                "",
                &[Event::Private {
                    stamp: STAMP,
                    with: user("bob"),
                    from: user(from),
                    to: user(to),
                    text: text("psst"),
                    action,
                    past,
                }],
            );
        }
    }
    for reason in [None, Some(text("tea"))] {
        let (general, bob) = (channel("general"), user("bob"));
        check(
            "",
            &[
                Event::Left {
                    channel: general.clone(),
                    user: bob.clone(),
                    time: TIME,
                    reason: reason.clone(),
                },
                Event::Gone { user: bob.clone(), reason: reason.clone() },
                Event::Topic { channel: general.clone(), topic: reason.clone(), by: bob.clone() },
                Event::Kicked {
                    channel: general.clone(),
                    user: user("carol"),
                    by: bob.clone(),
                    reason: reason.clone(),
                    ban: None,
                },
                Event::YouWereKicked {
                    channel: general.clone(),
                    user: user("alice"),
                    by: bob.clone(),
                    reason,
                    ban: None,
                    current: Some(Conversation::Private(bob)),
                },
            ],
        );
    }
    check(
        "",
        &[
            Event::Opened { with: user("bob") },
            Event::Entered { channel: channel("general"), user: user("bob"), time: TIME },
            Event::Presence { channel: channel("general"), entered: 2, left: 1, members: 40 },
            Event::Renamed { from: user("bob"), to: user("rob") },
            Event::Missed { channel: channel("general"), count: 1, after: MessageId(4) },
            Event::Missed { channel: channel("general"), count: 37, after: MessageId(4) },
            Event::Notice(Sentence::new("Hello, alice.")),
            Event::Refused { re: "say".into(), refusal: Refusal::new(Code::NameTaken, "No.") },
            Event::Bye(CloseReason::Shutdown),
        ],
    );
}

#[test]
fn answers_to_own_commands() {
    let (new, dev) = (channel("new"), channel("dev"));
    let topics = [None, Some(text("Say hello"))];
    for topic in topics {
        check(
            "/enter new",
            &[ok(
                "enter",
                OkReply::Entered {
                    last: MessageId(7),
                    channel: new.clone(),
                    members: 3,
                    topic: topic.clone(),
                    operator: false,
                },
            )],
        );
        check(
            "/enter dev",
            &[ok(
                "enter",
                OkReply::Current {
                    last: MessageId(7),
                    channel: dev.clone(),
                    members: 3,
                    topic: topic.clone(),
                    operator: false,
                },
            )],
        );
        check(
            "/topic",
            &[ok("topic", OkReply::TopicShown { channel: dev.clone(), topic: topic.clone() })],
        );
        check(
            "/create new",
            &[ok("create", OkReply::Created { channel: new.clone(), topic, last: MessageId(0) })],
        );
    }
    check("/topic x", &[ok("topic", OkReply::TopicSet { channel: dev.clone(), topic: text("x") })]);
    let places =
        [None, Some(Conversation::Channel(dev.clone())), Some(Conversation::Private(user("bob")))];
    for current in places {
        check(
            "/leave new",
            &[ok(
                "leave",
                OkReply::Left {
                    conversation: Conversation::Channel(new.clone()),
                    current: current.clone(),
                },
            )],
        );
        check(
            "/leave @carol",
            &[ok(
                "leave",
                OkReply::Left { conversation: Conversation::Private(user("carol")), current },
            )],
        );
    }
    for reason in [None, Some(text("tea"))] {
        let away = Some(Away { reason });
        check("/away", &[ok("away", OkReply::Away { away, changed: true })]);
    }
    for (line, event) in [
        ("hi", ok("say", OkReply::Said { to: Conversation::Channel(dev.clone()), stamp: STAMP })),
        ("/name al", ok("name", OkReply::Named { name: user("al") })),
        ("/private bob", ok("private", OkReply::PrivateOpened { with: user("bob"), stamp: None })),
        ("/back", ok("back", OkReply::Away { away: None, changed: true })),
        ("/back", ok("back", OkReply::Away { away: None, changed: false })),
        ("/ignore bob", ok("ignore", OkReply::Ignoring { user: user("bob"), changed: false })),
        (
            "/unignore bob",
            ok("unignore", OkReply::NotIgnoring { user: user("bob"), changed: false }),
        ),
        ("/ignore bob", ok("ignore", OkReply::Ignoring { user: user("bob"), changed: true })),
        (
            "/unignore bob",
            ok("unignore", OkReply::NotIgnoring { user: user("bob"), changed: true }),
        ),
        ("/kick bob", ok("kick", OkReply::Kicked { channel: dev, user: user("bob") })),
        ("/ping", ok("ping", OkReply::Pong { token: None })),
        ("/ping 42", ok("ping", OkReply::Pong { token: Some(text("42")) })),
        ("/help", ok("help", OkReply::Told)),
    ] {
        check(line, &[event]);
    }
}

#[test]
fn lists_and_users() {
    for count in 0..3 {
        let names = ["dev", "general"];
        let row = |name: &&str| Event::Channel {
            name: channel(name),
            members: 3,
            topic: name.starts_with('g').then(|| text("Say hello")),
        };
        let rows = names.iter().take(count).map(row);
        let head = std::iter::once(Event::ChannelsHead { count, part: None });
        let last = std::iter::once(ok("channels", OkReply::Listed { count }));
        check("/channels", &head.chain(rows).chain(last).collect::<Vec<_>>());
    }
    let next = text("/channels after:#dev");
    check(
        "/channels",
        &[
            Event::ChannelsHead { count: 1, part: None },
            Event::Channel { name: channel("dev"), members: 3, topic: None },
            ok("channels", OkReply::Page { count: 1, next }),
        ],
    );
    for place in [None, Some(channel("dev"))] {
        let names = vec![user("alice"), user("bob")];
        let row = |name: &UserName| Event::User {
            name: name.clone(),
            channel: place.clone(),
            operator: true,
            away: None,
        };
        let mut events: Vec<_> = names.iter().map(row).collect();
        events.insert(0, Event::UsersHead { channel: place.clone(), count: 2, names });
        events.push(ok("users", OkReply::Listed { count: 2 }));
        check("/users", &events);
    }
    for (away, shared) in
        [(None, vec![]), (Some(Away { reason: Some(text("tea")) }), vec![channel("dev")])]
    {
        check(
            "/whois bob",
            &[
                Event::Whois(Box::new(WhoisInfo {
                    name: user("bob"),
                    account: away.is_some().then(|| user("bob")),
                    address: away.is_some().then(|| "192.0.2.7".to_owned()),
                    away,
                    shared,
                    since: TIME,
                    idle_secs: 61,
                    online_secs: 7_500,
                })),
                ok("whois", OkReply::Told),
            ],
        );
    }
    for (current, channels) in [
        (None, vec![]),
        (Some(Conversation::Private(user("bob"))), vec![channel("dev"), channel("general")]),
    ] {
        check(
            "/info",
            &[
                Event::Info(Box::new(chat_proto::event::SelfInfo {
                    name: user("alice"),
                    account: current.is_some().then(|| user("alice")),
                    current,
                    channels,
                    address: "127.0.0.1:4000".into(),
                    since: TIME,
                    connected_secs: 61,
                    away: None,
                })),
                ok("info", OkReply::Told),
            ],
        );
    }
}

#[test]
fn accounts() {
    let alice = || user("alice");
    let token = || Secret::new("3q2-7w");
    for (typed, re, reply) in [
        ("/register sesame", "register", OkReply::Registered { name: alice(), token: token() }),
        ("/login alice sesame", "login", OkReply::SignedIn { name: alice(), token: Some(token()) }),
        ("/login alice token:x", "login", OkReply::SignedIn { name: alice(), token: None }),
        ("/logout", "logout", OkReply::SignedOut { name: alice() }),
        ("/password old new", "password", OkReply::PasswordChanged { token: token() }),
        ("/forget sesame", "forget", OkReply::Forgotten { name: alice() }),
    ] {
        check(typed, &[ok(re, reply)]);
    }
    for by in [SignOutReason::NewPassword, SignOutReason::Forgotten] {
        check("", &[Event::SignedOut { name: alice(), by }]);
    }
    for away in [None, Some(Away { reason: None }), Some(Away { reason: Some(text("tea")) })] {
        let seen = Event::LastSeen { name: user("bob"), seen: TIME, away };
        check("/whois bob", &[seen, ok("whois", OkReply::Told)]);
    }
}

#[test]
fn a_password_request_shows_only_the_prompt() {
    let mut renderer = Renderer::default();
    let own = OwnState { me: Some("alice"), channels: &[], marks: false };
    for (re, what) in [
        ("register", PasswordPurpose::New),
        ("password", PasswordPurpose::Old),
        ("login", PasswordPurpose::Login),
        ("forget", PasswordPurpose::Forget),
    ] {
        let asked = Event::PasswordAsked { what, name: user("alice") };
        for line in in_form(&[asked, ok(re, OkReply::Told)], Format::Json) {
            let shown = match ServerEvent::read(&line).unwrap() {
                ServerEvent::Ok(answer) => renderer.answered("", &answer, own),
                other => renderer.render(&other, own).into_iter().collect(),
            };
            assert!(shown.is_empty(), "{line}");
        }
    }
}

#[test]
fn missed_messages() {
    for (topic, count, mentions) in [
        (None, 1, 0),
        (Some(text("Say hello")), 12, 1),
        (None, 12, 2),
        (None, u64::from(MAX_HISTORY_LINES) + 1, 0),
    ] {
        let dev = || channel("dev");
        check(
            "",
            &[
                Event::Reentered {
                    channel: dev(),
                    members: 3,
                    topic,
                    operator: false,
                    last: MessageId(53),
                },
                Event::Unread { channel: dev(), count, mentions, after: MessageId(41) },
                Event::UnreadPrivate { count, told: count.min(100) },
            ],
        );
    }
    check("/mentions", &[ok("mentions", OkReply::Mentions { count: 0, next: None })]);
    check("/mentions", &[ok("mentions", OkReply::Mentions { count: 3, next: None })]);
}
