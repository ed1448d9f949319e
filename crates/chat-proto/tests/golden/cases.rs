//! The content of the golden files: names of cases and their events.

mod account;
mod offline;
mod operator;

mod running;

use chat_proto::command_table::CommandKind;
use chat_proto::conversation::Conversation;
use chat_proto::event::{
    Away, CloseReason, Event, MessageStamp, OkReply, SelfInfo, Sentence, WhoisInfo,
};
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, NameError, UserName};
use chat_proto::refusal::{Code, Refusal};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

pub(crate) type Case = (&'static str, Event);

/// The files without their extensions.
pub(crate) fn files() -> [(&'static str, Vec<Case>); 8] {
    [
        ("events", [events(), running::events()].concat()),
        ("rows", [rows(), running::rows()].concat()),
        ("answers", [answers(), running::answers()].concat()),
        ("account", account::cases()),
        ("offline", offline::cases()),
        ("operator", operator::cases()),
        ("refusals", refusals()),
        ("hostile", hostile()),
    ]
}

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn text(words: &str) -> Text {
    Text::new(words).unwrap()
}

/// A present reason or topic.
#[expect(clippy::unnecessary_wraps, reason = "a shorthand for optional fields")]
fn some(words: &str) -> Option<Text> {
    Some(text(words))
}

fn in_channel(name: &str) -> Conversation {
    Conversation::Channel(channel(name))
}

fn with(name: &str) -> Conversation {
    Conversation::Private(user(name))
}

const TIME: Timestamp = Timestamp(1_795_333_445_120);

fn stamp(id: u64) -> MessageStamp {
    MessageStamp { id: MessageId(id), time: TIME }
}

fn message(place: &str, from: &str, words: &str, action: bool, past: bool) -> Event {
    Event::Message {
        stamp: stamp(42),
        channel: channel(place),
        from: user(from),
        text: text(words),
        action,
        past,
    }
}

fn private(from: &str, to: &str, words: &str, action: bool, past: bool) -> Event {
    let (with, from, to) = (user(from), user(from), user(to));
    Event::Private { stamp: stamp(7), with, from, to, text: text(words), action, past }
}

fn left(reason: Option<Text>) -> Event {
    Event::Left { channel: channel("general"), user: user("bob"), time: TIME, reason }
}

fn you_left(current: Option<&str>) -> Event {
    let current = current.map(|name| Conversation::Channel(channel(name)));
    Event::YouLeft { channel: channel("general"), user: user("bob"), time: TIME, current }
}

fn kicked(reason: Option<Text>) -> Event {
    let (channel, user, by) = (channel("general"), user("bob"), user("alice"));
    Event::Kicked { channel, user, by, reason, ban: None }
}

fn you_were_kicked(reason: Option<Text>, current: Option<Conversation>) -> Event {
    let (channel, user, by) = (channel("general"), user("bob"), user("alice"));
    Event::YouWereKicked { channel, user, by, reason, ban: None, current }
}

fn events() -> Vec<Case> {
    let entered = Event::Entered { channel: channel("general"), user: user("bob"), time: TIME };
    let topic = |topic| Event::Topic { channel: channel("general"), topic, by: user("alice") };
    let missed =
        |count| Event::Missed { channel: channel("general"), count, after: MessageId(120) };
    let presence =
        Event::Presence { channel: channel("general"), entered: 12, left: 3, members: 61 };
    vec![
        ("message", message("general", "bob", "hi", false, false)),
        ("message, action", message("general", "bob", "waves", true, false)),
        ("message, past", message("general", "bob", "hi", false, true)),
        ("message, past action", message("general", "bob", "waves", true, true)),
        ("message, blanks kept", message("general", "bob", "  two  blanks  ", false, false)),
        ("message, largest id", {
            let (channel, from, text) = (channel("general"), user("bob"), text("hi"));
            let stamp = stamp(u64::MAX);
            Event::Message { stamp, channel, from, text, action: false, past: false }
        }),
        ("private", private("bob", "alice", "psst", false, false)),
        ("private, action", private("bob", "alice", "winks", true, false)),
        ("private, past", private("bob", "alice", "psst", false, true)),
        ("private, past action", private("bob", "alice", "winks", true, true)),
        ("private, one's own out of the past", {
            let (with, from, to) = (user("alice"), user("bob"), user("alice"));
            let (stamp, text) = (stamp(8), text("psst"));
            Event::Private { stamp, with, from, to, text, action: false, past: true }
        }),
        ("opened", Event::Opened { with: user("alice") }),
        ("entered", entered),
        ("left", left(None)),
        ("left, reason", left(some("lunch"))),
        ("left on another device", you_left(Some("dev"))),
        ("left on another device, the last conversation", you_left(None)),
        ("presence", presence),
        ("gone", Event::Gone { user: user("bob"), reason: None }),
        ("gone, reason", Event::Gone { user: user("bob"), reason: some("good night") }),
        ("renamed", Event::Renamed { from: user("alice"), to: user("al") }),
        ("topic", topic(some("Say hello"))),
        ("topic, removed", topic(None)),
        ("kicked", kicked(None)),
        ("kicked, reason", kicked(some("enough now"))),
        ("kicked oneself", you_were_kicked(None, None)),
        ("kicked oneself, reason", you_were_kicked(some("enough now"), None)),
        ("kicked oneself, into a channel", you_were_kicked(None, Some(in_channel("dev")))),
        ("kicked oneself, into a chat", you_were_kicked(some("spam"), Some(with("carol")))),
        ("missed, one", missed(1)),
        ("missed, more", missed(37)),
        ("notice", Event::Notice(Sentence::new("Welcome to chat.example.org."))),
        ("bye, quit", Event::Bye(CloseReason::Quit)),
        ("bye, end of input", Event::Bye(CloseReason::EndOfInput)),
        ("bye, no name", Event::Bye(CloseReason::NoName)),
        ("bye, shutdown", Event::Bye(CloseReason::Shutdown)),
        ("bye, fault", Event::Bye(CloseReason::Fault)),
    ]
}

fn person(
    account: Option<&str>,
    away: Option<Away>,
    shared: &[&str],
    idle_secs: u64,
    online_secs: u64,
) -> Event {
    Event::Whois(Box::new(WhoisInfo {
        name: user("Bob"),
        account: account.map(user),
        away,
        shared: shared.iter().copied().map(channel).collect(),
        since: TIME,
        idle_secs,
        online_secs,
        address: (idle_secs == 1).then(|| "192.0.2.7".to_owned()),
    }))
}

fn own(
    account: Option<&str>,
    current: Option<Conversation>,
    channels: &[&str],
    away: Option<Away>,
    secs: u64,
) -> Event {
    Event::Info(Box::new(SelfInfo {
        name: user("alice"),
        account: account.map(user),
        current,
        channels: channels.iter().copied().map(channel).collect(),
        address: "192.0.2.7:50412".to_owned(),
        since: TIME,
        connected_secs: secs,
        away,
    }))
}

fn rows() -> Vec<Case> {
    let row = |name, members, topic| Event::Channel { name: channel(name), members, topic };
    let names = |names: &[&str]| names.iter().copied().map(user).collect::<Vec<_>>();
    let head = |name: Option<&str>, list: &[&str]| Event::UsersHead {
        channel: name.map(channel),
        count: list.len(),
        names: names(list),
    };
    let in_row = |place: Option<&str>, operator, away| Event::User {
        name: user("bob"),
        channel: place.map(channel),
        operator,
        away,
    };
    let lunch = || Some(Away { reason: some("lunch") });
    let silent = || Some(Away { reason: None });
    vec![
        ("channels, none", Event::ChannelsHead { count: 0, part: None }),
        ("channels, none like it", Event::ChannelsHead { count: 0, part: some("zzz") }),
        ("channels, one", Event::ChannelsHead { count: 1, part: None }),
        ("channels, more", Event::ChannelsHead { count: 2, part: some("gen") }),
        ("channel", row("general", 3, some("Say hello"))),
        ("channel, no topic", row("Dev", 0, None)),
        ("users of a channel", head(Some("general"), &["alice", "bob", "carol"])),
        ("users of a channel, one", head(Some("general"), &["alice"])),
        ("users of a channel, nobody", head(Some("general"), &[])),
        ("users online", head(None, &["alice", "bob"])),
        ("users, more names", Event::UsersMore { names: names(&["dave", "eve"]) }),
        ("user, in a channel", in_row(Some("general"), false, None)),
        ("user, operator", in_row(Some("general"), true, None)),
        ("user, online", in_row(None, false, None)),
        ("user, away", in_row(Some("general"), false, silent())),
        ("user, away with a reason", in_row(None, false, lunch())),
        ("whois", person(None, None, &["general"], 0, 59)),
        ("whois, minutes", person(None, None, &["general", "dev"], 60, 3599)),
        ("whois, hours", person(None, silent(), &[], 3600, 86_399)),
        ("whois, days", person(None, lunch(), &["general"], 86_400, 90_061 * 10)),
        ("whois, for an operator of the server", person(None, None, &["general"], 1, 59)),
        ("info, nowhere", own(None, None, &[], None, 5)),
        (
            "info, in a channel",
            own(None, Some(in_channel("general")), &["dev", "general"], None, 125),
        ),
        ("info, in a chat", own(None, Some(with("bob")), &["general"], None, 7500)),
        ("info, away", own(None, None, &[], silent(), 0)),
        ("info, away with a reason", own(None, None, &["general"], lunch(), 200_000)),
    ]
}

fn ok(re: &'static str, reply: OkReply) -> Event {
    Event::Ok { re: re.into(), reply }
}

fn answers() -> Vec<Case> {
    let general = || channel("general");
    let last = MessageId(41);
    let created = |topic, last| ok("create", OkReply::Created { channel: general(), topic, last });
    let entered = |topic, operator| OkReply::Entered {
        channel: general(),
        members: 3,
        topic,
        operator,
        last,
    };
    let current = |topic, operator| OkReply::Current {
        channel: general(),
        members: 3,
        topic,
        operator,
        last,
    };
    let left = |conversation, current| ok("leave", OkReply::Left { conversation, current });
    let away = |away, changed| OkReply::Away { away, changed };
    let bob = || user("bob");
    let history = |conversation, count| ok("history", OkReply::History { conversation, count });
    let found = |count, more: bool| {
        let next = more.then(|| text("/search before:2026-11-22T07:44:05.120Z/17 deploy"));
        ok("search", OkReply::Found { count, next })
    };
    let ping = |token| ok("ping", OkReply::Pong { token });
    vec![
        ("told", ok("help", OkReply::Told)),
        ("listed", ok("users", OkReply::Listed { count: 3 })),
        ("listed, none", ok("channels", OkReply::Listed { count: 0 })),
        ("listed, the ignored", ok("ignore", OkReply::Listed { count: 1 })),
        (
            "listed, and there are more",
            ok(
                "channels",
                OkReply::Page { count: 1000, next: text("/channels dev after:#general") },
            ),
        ),
        ("welcomed", ok("name", OkReply::Welcomed { name: user("alice") })),
        ("named", ok("name", OkReply::Named { name: user("Al") })),
        ("created", created(None, MessageId(0))),
        ("created, topic", created(some("Say hello"), last)),
        ("entered", ok("enter", entered(None, false))),
        ("entered, topic", ok("enter", entered(some("Say hello"), false))),
        ("entered, operator", ok("enter", entered(None, true))),
        ("current again", ok("enter", current(None, false))),
        ("current again, topic", ok("enter", current(some("Say hello"), true))),
        ("left a channel", left(in_channel("general"), None)),
        ("left a channel, into a chat", left(in_channel("general"), Some(with("bob")))),
        ("left a chat", left(with("bob"), None)),
        ("left a chat, into a channel", left(with("bob"), Some(in_channel("general")))),
        ("private chat", ok("private", OkReply::PrivateOpened { with: bob(), stamp: None })),
        ("private chat, with a line", {
            ok("private", OkReply::PrivateOpened { with: bob(), stamp: Some(stamp(1)) })
        }),
        ("said in a channel", {
            ok("say", OkReply::Said { to: in_channel("general"), stamp: stamp(43) })
        }),
        ("said privately", ok("msg", OkReply::Said { to: with("bob"), stamp: stamp(2) })),
        ("said once in a channel", {
            ok("once", OkReply::Said { to: in_channel("general"), stamp: stamp(44) })
        }),
        ("said once privately", ok("once", OkReply::Said { to: with("bob"), stamp: stamp(3) })),
        ("history", history(in_channel("general"), 20)),
        ("history, none", history(in_channel("general"), 0)),
        ("history of a chat", history(with("bob"), 1)),
        ("history of a chat, none", history(with("bob"), 0)),
        ("found", found(3, false)),
        ("found, none", found(0, false)),
        ("found, more", found(50, true)),
        ("topic", {
            ok("topic", OkReply::TopicShown { channel: general(), topic: some("Say hello") })
        }),
        ("topic, none", ok("topic", OkReply::TopicShown { channel: general(), topic: None })),
        (
            "topic set",
            ok("topic", OkReply::TopicSet { channel: general(), topic: text("Say hello") }),
        ),
        ("away", ok("away", away(Some(Away { reason: None }), true))),
        ("away, reason", ok("away", away(Some(Away { reason: some("lunch") }), true))),
        ("away, again", ok("away", away(Some(Away { reason: some("lunch") }), false))),
        ("back", ok("back", away(None, true))),
        ("back, never away", ok("back", away(None, false))),
        ("ignoring", ok("ignore", OkReply::Ignoring { user: bob(), changed: true })),
        ("ignoring already", ok("ignore", OkReply::Ignoring { user: bob(), changed: false })),
        ("not ignoring", ok("unignore", OkReply::NotIgnoring { user: bob(), changed: true })),
        ("never ignored", ok("unignore", OkReply::NotIgnoring { user: bob(), changed: false })),
        ("kicked", ok("kick", OkReply::Kicked { channel: general(), user: bob() })),
        ("format text", ok("format", OkReply::Format { format: Format::Text })),
        ("format json", ok("format", OkReply::Format { format: Format::Json })),
        ("pong", ping(None)),
        ("pong, token", ping(some("42"))),
    ]
}

fn refused(re: &str, refusal: Refusal) -> Event {
    Event::Refused { re: re.to_owned().into(), refusal }
}

/// The name of each case begins with the function that returns the refusal.
pub(crate) fn refusals() -> Vec<Case> {
    let (general, genesis) = (channel("general"), channel("genesis"));
    let (bob, rob) = (user("bob"), user("b0b"));
    let spec = CommandKind::spec;
    let name = |error: NameError| refused("name", Refusal::bad_name(&error));
    let no_such_line = |conversation: Conversation, last| {
        refused("history", Refusal::no_such_line(&conversation, MessageId(57), MessageId(last)))
    };
    let unavailable = Refusal::new(Code::Unavailable, "The disk is full. Try again later.");
    let long_word = "x".repeat(100);
    let mut all = vec![
        ("new", refused("say", unavailable)),
        ("line_too_long, one", refused("line", Refusal::line_too_long(1))),
        ("line_too_long, more", refused("line", Refusal::line_too_long(1_000_000))),
        ("not_utf8", refused("line", Refusal::not_utf8())),
        ("blank_line", refused("say", Refusal::blank_line())),
        ("unknown_command", refused("foo", Refusal::unknown_command("foo", &[]))),
        ("unknown_command, near", {
            refused("lsit", Refusal::unknown_command("lsit", &["list", "quit"]))
        }),
        ("unknown_command, long", refused("x", Refusal::unknown_command(&long_word, &[]))),
        ("unknown_command, empty", refused("", Refusal::unknown_command("", &[]))),
        ("ambiguous_command", {
            refused("c", Refusal::ambiguous_command("c", &["channels", "create"]))
        }),
        ("missing_argument", refused("enter", Refusal::missing_argument(spec(CommandKind::Enter)))),
        ("too_many_arguments", {
            refused("enter", Refusal::too_many_arguments(spec(CommandKind::Enter), "and more"))
        }),
        ("too_many_arguments, none wanted", {
            refused("info", Refusal::too_many_arguments(spec(CommandKind::Info), "please"))
        }),
        ("too_long, one", refused("topic", Refusal::too_long(spec(CommandKind::Topic), 300, 1))),
        ("too_long, more", refused("quit", Refusal::too_long(spec(CommandKind::Quit), 200, 12))),
        ("say_where", refused("say", Refusal::say_where(spec(CommandKind::Say), "general"))),
        (
            "say_where, once",
            refused("once", Refusal::say_where(spec(CommandKind::Once), "general")),
        ),
        ("bad_key", refused("once", Refusal::bad_key(&long_word))),
        ("bad_count", refused("history", Refusal::bad_count("0"))),
        ("bad_line_id", refused("history", Refusal::bad_line_id("Before", "yesterday"))),
        ("bad_line_id, none", refused("enter", Refusal::bad_line_id("after", ""))),
        ("no_such_line", no_such_line(in_channel("general"), 41)),
        ("no_such_line, none at all", no_such_line(in_channel("general"), 0)),
        ("no_such_line, in a chat", no_such_line(with("bob"), 7)),
        ("no_such_line, none at all in a chat", no_such_line(with("bob"), 0)),
        ("empty_filter, from", refused("search", Refusal::empty_filter("from"))),
        ("empty_filter, in", refused("search", Refusal::empty_filter("in"))),
        ("empty_filter, before", refused("search", Refusal::empty_filter("before"))),
        ("filter_twice", refused("search", Refusal::filter_twice("from"))),
        ("filter_twice, conversations", refused("search", Refusal::filter_twice("in"))),
        ("bad_day", refused("search", Refusal::bad_day("yesterday"))),
        ("nothing_to_search", refused("search", Refusal::nothing_to_search("***"))),
        ("too_many_search_beginnings", refused("search", Refusal::too_many_search_beginnings(5))),
        ("too_many_search_words", refused("search", Refusal::too_many_search_words(17))),
        ("search_too_costly", refused("search", Refusal::search_too_costly())),
        ("search_busy", refused("search", Refusal::search_busy())),
        ("not_stored", refused("say", Refusal::not_stored())),
        ("not_read", refused("history", Refusal::not_read())),
        ("stopping", refused("say", Refusal::stopping())),
        ("unknown_form", refused("format", Refusal::unknown_form("xml"))),
        ("yourself", refused("msg", Refusal::yourself(spec(CommandKind::Msg)))),
        ("bad_name, empty", name(NameError::Empty)),
        ("bad_name, too long", name(NameError::TooLong { max: 32, was: 40 })),
        ("bad_name, start", name(NameError::BadStart('-'))),
        ("bad_name, blank", name(NameError::BadChar(' '))),
        ("bad_name, not shown", name(NameError::BadChar('\u{1b}'))),
        ("bad_name, reserved", name(NameError::Reserved)),
        ("bad_name, together", name(NameError::NotAllowed)),
        ("name_taken", refused("name", Refusal::name_taken(&bob, &bob))),
        ("name_taken, looks like it", refused("name", Refusal::name_taken(&rob, &bob))),
        ("not_named", refused("enter", Refusal::not_named(Some(spec(CommandKind::Enter))))),
        ("not_named, no command", refused("say", Refusal::not_named(None))),
        ("no_such_channel", refused("enter", Refusal::no_such_channel(&general, &[]))),
        ("no_such_channel, near", {
            refused("enter", Refusal::no_such_channel(&general, &["genesis", "genera"]))
        }),
        ("channel_exists", refused("create", Refusal::channel_exists(&general, &general))),
        ("channel_exists, looks like it", {
            refused("create", Refusal::channel_exists(&genesis, &general))
        }),
        ("not_in_channel", refused("say", Refusal::not_in_channel(&general))),
        ("user_not_in_channel", refused("kick", Refusal::user_not_in_channel(&bob, &general))),
        ("no_such_user", refused("msg", Refusal::no_such_user("bob", &[]))),
        ("no_such_user, near", refused("msg", Refusal::no_such_user("bbo", &["bob", "rob"]))),
        ("no_private_chat", refused("leave", Refusal::no_private_chat(&bob))),
        ("no_conversation", refused("say", Refusal::no_conversation())),
        (
            "needs_channel",
            refused("topic", Refusal::needs_channel(spec(CommandKind::Topic), &with("bob"))),
        ),
        ("nobody_to_reply_to", refused("reply", Refusal::nobody_to_reply_to())),
        ("too_many_conversations", refused("enter", Refusal::too_many_conversations(50))),
        ("too_many_channels", refused("create", Refusal::too_many_channels(10_000))),
        ("too_many_accounts", refused("register", Refusal::too_many_accounts(200_000))),
        ("no_number_left", refused("say", Refusal::no_number_left())),
        ("user_busy", refused("msg", Refusal::user_busy(&bob))),
        (
            "for_operators",
            refused(
                "kick",
                Refusal::for_operators(
                    spec(CommandKind::Kick),
                    &general,
                    std::slice::from_ref(&bob),
                ),
            ),
        ),
        (
            "for_operators, none there",
            refused("kick", Refusal::for_operators(spec(CommandKind::Kick), &general, &[])),
        ),
        ("leave_whom", refused("leave", Refusal::leave_whom(&general, &bob))),
        ("gone_from_chat", refused("say", Refusal::gone_from_chat(&bob, false))),
        ("gone_from_chat, taken over", refused("say", Refusal::gone_from_chat(&bob, true))),
        ("too_many_ignored", refused("ignore", Refusal::too_many_ignored(100))),
        ("server_full", refused("connect", Refusal::server_full(false))),
        ("connects_too_often", refused("connect", Refusal::connects_too_often(12))),
        ("stored_too_much", refused("say", Refusal::stored_too_much(2))),
        ("disk_nearly_full", refused("say", Refusal::disk_nearly_full())),
        ("server_full, one address", refused("connect", Refusal::server_full(true))),
        ("internal", refused("say", Refusal::internal())),
    ];
    all.extend(account::refusals());
    all.extend(operator::refusals());
    all.extend(running::refusals());
    all
}

/// Names, topics and texts that try to imitate other output or to break a line.
fn hostile() -> Vec<Case> {
    let said = |words: &str| message("general", "bob", words, false, false);
    let titled =
        |words: &str| Event::Channel { name: channel("general"), members: 3, topic: some(words) };
    let gone = |reason: &str| Event::Gone { user: user("bob"), reason: some(reason) };
    let entered =
        |name: &str| Event::Entered { channel: channel(name), user: user(name), time: TIME };
    vec![
        ("a text like an event", said("* alice left the system: bye")),
        ("a text like a refusal", said("! banned: You are banned.")),
        ("a text like a message", said("[#general] alice: I owe bob a beer")),
        ("a text like an action", message("general", "bob", "* alice agrees", true, false)),
        ("a text like a JSON line", said("{\"type\":\"bye\",\"reason\":\"you left\"}")),
        ("a text like a command", said("/quit")),
        ("quotes and backslashes", said("\"\\\",\"type\":\"bye\\u000a")),
        ("line endings", said("one\r\n* bob left\ntwo\0three\u{85}four\u{2028}five\u{2029}six")),
        ("escape sequences", said("\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31mred\u{7f}\u{8}")),
        ("telnet's command", said("\u{ff}\u{f4} ÿû")),
        ("tabs", said("a\tb")),
        ("overrides", said("safe\u{202e}txt.exe\u{202c} \u{2066}a\u{2069}")),
        ("right to left", message("שלום", "דוד", "שלום לכם", false, false)),
        ("right to left and numbers", message("كتاب", "كاتب", "١٢٣ abc", false, true)),
        ("wide characters", message("世界", "田中", "こんにちは　世界", false, false)),
        ("marks", private("हिन्दी", "Zoë", "e\u{301}\u{301}\u{301}\u{301}\u{301}", true, false)),
        ("joined faces", said("👩\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈")),
        ("beyond the basic plane", said("𝕳𝖊𝖑𝖑𝖔 \u{10ffff}")),
        ("nothing to see", said("a\u{200b}\u{feff}\u{3164}")),
        ("a topic like an answer", titled("3 here  Say hello  * You entered #secret (1 here).")),
        ("a reason like the next line", gone("good night. * alice left the system")),
        ("a name like a command", entered("quit")),
        ("a name like a word of the server", entered("left")),
        ("a name like a number", entered("3")),
        ("a name that ends a sentence", entered("general.Topic-Say.")),
        ("a notice of more lines", Event::Notice(Sentence::new("one\r\n* two\u{1b}[m"))),
        ("a refusal of more lines", {
            refused("say", Refusal::new(Code::Internal, "one\r\n* two\u{202e}."))
        }),
        ("a command word that is quoted", {
            refused("\"}\\", Refusal::unknown_command("\"}\\\r\n", &[]))
        }),
        ("a moment after all days", {
            let stamp = MessageStamp { id: MessageId(0), time: Timestamp(i64::MAX) };
            let (channel, from, text) = (channel("general"), user("bob"), text("hi"));
            Event::Message { stamp, channel, from, text, action: false, past: true }
        }),
        ("a moment before all days", {
            let stamp = MessageStamp { id: MessageId(0), time: Timestamp(i64::MIN) };
            let (channel, from, text) = (channel("general"), user("bob"), text("hi"));
            Event::Message { stamp, channel, from, text, action: false, past: true }
        }),
    ]
}
