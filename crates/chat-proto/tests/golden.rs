//! Compares every event in each format with golden files.
//!
//! After an intended change, `UPDATE=1 cargo test -p chat-proto --test golden` regenerates the
//! files; their diff is part of the change and is reviewed with it. In the text files the name of a
//! case is above its line, after a `#`, with which no line of the server begins; the JSON files are
//! one object that maps the name of a case to its line.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use chat_proto::encoding::{TYPES, encoded};
use chat_proto::event::{CloseReason, Event, OkReply, PasswordPurpose, SignOutReason};
use chat_proto::format::Format;
use chat_proto::refusal::Code;

#[path = "golden/cases.rs"]
mod cases;

use cases::Case;

/// The line without its ending; `None` if the format has none for the event.
fn line(event: &Event, format: Format) -> Option<String> {
    let bytes = encoded(event, format);
    let line = String::from_utf8(bytes.to_vec()).unwrap();
    let ending = match format {
        Format::Text => "\r\n",
        Format::Json => "\n",
    };
    (!line.is_empty()).then(|| line.strip_suffix(ending).unwrap().to_owned())
}

fn text_file(cases: &[Case]) -> String {
    let mut file = String::new();
    for (name, event) in cases {
        let line = line(event, Format::Text).unwrap_or_else(|| "(no line)".to_owned());
        writeln!(file, "# {name}\n{line}").unwrap();
    }
    file
}

fn json_file(cases: &[Case]) -> String {
    let rows: Vec<String> = cases
        .iter()
        .map(|(name, event)| {
            let line = line(event, Format::Json).unwrap_or_else(|| "null".to_owned());
            format!("\"{name}\":\n{line}")
        })
        .collect();
    format!("{{\n{}\n}}\n", rows.join(",\n"))
}

fn check(file: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, seen).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    for (at, (kept, seen)) in kept.lines().zip(seen.lines()).enumerate() {
        assert_eq!(seen, kept, "{file}, line {}; UPDATE=1 if it is meant", at + 1);
    }
    assert_eq!(seen.len(), kept.len(), "{file} ends elsewhere; UPDATE=1 if it is meant");
}

#[test]
fn every_event_is_rendered_as_it_was() {
    for (file, cases) in cases::files() {
        check(&format!("{file}.txt"), &text_file(&cases));
        let json = json_file(&cases);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{file}.json");
        check(&format!("{file}.json"), &json);
    }
}

#[test]
fn no_case_occurs_twice() {
    for (file, cases) in cases::files() {
        let mut names = HashSet::new();
        for (name, _) in &cases {
            assert!(names.insert(*name), "{name} is twice in {file}");
        }
    }
}

fn all_events() -> Vec<Event> {
    cases::files().into_iter().flat_map(|(_, cases)| cases).map(|(_, event)| event).collect()
}

/// Every variant of an enum by its name. A variant that isn't listed does not compile; one that is
/// listed and isn't in a golden file fails the test.
macro_rules! variants {
    ($all:ident, $name_of:ident, $enum:ident { $($variant:ident)* }) => {
        const $all: &[&str] = &[$(stringify!($variant)),*];

        fn $name_of(value: &$enum) -> &'static str {
            match value { $($enum::$variant { .. } => stringify!($variant),)* }
        }
    };
}

variants!(EVENTS, event_name, Event {
    Message Private Opened Entered Left YouLeft Presence Gone Renamed Topic Kicked YouWereKicked
    Muted Unmuted Operator Set Purged Invited Dropped
    ChannelsHead Channel UsersHead UsersMore User ModListHead Restriction Setting LogEntry
    Whois Info LastSeen PasswordAsked
    SignedOut Reentered Unread UnreadPrivate Announcement Killed ServerBansHead ServerBan Stat Missed Notice Bye Ok Refused
});

variants!(DONES, done_name, OkReply {
    Told Listed Page Welcomed Named Created Entered Current Left PrivateOpened Said History Found Mentions TopicShown
    TopicSet Away Ignoring NotIgnoring Kicked ListedOf Banned Unbanned Muted Unmuted Invited Operator Set Purged
    Dropped Killed ServerBanned ServerUnbanned Announced Invitation Registered SignedIn SignedOut PasswordChanged Forgotten Format Pong
});

variants!(ASKS, ask_name, PasswordPurpose {
    New Old Login Forget
});

variants!(SIGNED_OUT_BY, signed_out_by_name, SignOutReason {
    NewPassword Forgotten Operator Deleted
});

variants!(FAREWELLS, farewell_name, CloseReason {
    Quit EndOfInput NoName Shutdown Fault Killed
});

#[test]
fn no_variant_is_missing() {
    let events = all_events();
    let seen: HashSet<&str> = events.iter().map(event_name).collect();
    let dones: HashSet<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Ok { reply, .. } => Some(done_name(reply)),
            _ => None,
        })
        .collect();
    let farewells: HashSet<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Bye(farewell) => Some(farewell_name(farewell)),
            _ => None,
        })
        .collect();
    let asks: HashSet<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::PasswordAsked { what, .. } => Some(ask_name(what)),
            _ => None,
        })
        .collect();
    let signed_out: HashSet<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::SignedOut { by, .. } => Some(signed_out_by_name(by)),
            _ => None,
        })
        .collect();
    for (all, seen) in [
        (EVENTS, seen),
        (DONES, dones),
        (FAREWELLS, farewells),
        (ASKS, asks),
        (SIGNED_OUT_BY, signed_out),
    ] {
        for variant in all {
            assert!(seen.contains(variant), "{variant} is in no golden file");
        }
    }
}

#[test]
fn no_type_of_the_json_format_is_missing() {
    let seen: HashSet<String> = all_events()
        .iter()
        .filter_map(|event| line(event, Format::Json))
        .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
        .map(|line| line["type"].as_str().unwrap().to_owned())
        .collect();
    let all: HashSet<String> = TYPES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(seen, all);
}

/// Every refusal has its own function. Functions can't be enumerated, so the test reads their
/// source.
#[test]
fn no_refusal_is_missing() {
    let sources = [
        include_str!("../src/refusal.rs"),
        include_str!("../src/refusal/account.rs"),
        include_str!("../src/refusal/operator.rs"),
        include_str!("../src/refusal/channel.rs"),
    ];
    let made: Vec<&str> = sources
        .into_iter()
        .flat_map(|source| {
            let (_, methods) = source.split_once("impl Refusal {").unwrap();
            let (methods, _) = methods.split_once("\n}\n").unwrap();
            methods.split("    pub fn ").skip(1)
        })
        .filter(|method| method.split('{').next().is_some_and(|head| head.contains("-> Self")))
        .filter_map(|method| method.split('(').next())
        .collect();
    assert!(made.len() > 50, "{made:?}");
    let refusals = cases::refusals();
    for made in made {
        let tried = refusals.iter().any(|(name, _)| name.split(',').next() == Some(made));
        assert!(tried, "Refusal::{made} is in no golden file");
    }
    for (name, event) in &refusals {
        let Event::Refused { refusal, .. } = event else { panic!("{name} is no refusal") };
        assert!(Code::ALL.contains(&refusal.code()));
        assert!(refusal.text().ends_with(['.', '…']) || refusal.text().contains(" – as in /"));
    }
}
