//! Names can't be invalid, forged or confused with another.

#![allow(clippy::panic, reason = "a test may panic")]

use std::collections::HashSet;

use chat_proto::limits::{MAX_CHANNEL_NAME_CHARS, MAX_USER_NAME_CHARS};
use chat_proto::name::{ChannelName, NameError, UserName};
use proptest::prelude::*;

fn user(raw: &str) -> UserName {
    UserName::new(raw).unwrap_or_else(|error| panic!("{raw:?} is refused: {error}"))
}

fn skeletons(name: &UserName) -> HashSet<String> {
    name.skeletons().map(String::from).collect()
}

fn clash(one: &str, other: &str) -> bool {
    !skeletons(&user(one)).is_disjoint(&skeletons(&user(other)))
}

#[test]
fn a_name_preserves_its_shown_form_and_is_found_in_any_case() {
    for (raw, shown, key) in [
        ("alice", "alice", "alice"),
        ("Alice-B_2.x", "Alice-B_2.x", "alice-b_2.x"),
        ("7of9", "7of9", "7of9"),
        ("Zoë", "Zoë", "zoë"),
        // Names are in NFC.
        ("Zoe\u{308}", "Zoë", "zoë"),
        // Full-width forms are the same letters.
        ("\u{FF22}ob", "Bob", "bob"),
        ("Ärger", "Ärger", "ärger"),
        ("Иван", "Иван", "иван"),
        ("世界", "世界", "世界"),
        ("हिन्दी", "हिन्दी", "हिन्दी"),
        ("שלום", "שלום", "שלום"),
        // One capital letter has two lower-case forms, which are the same name.
        ("ΟΔΟΣ", "ΟΔΟΣ", "οδοσ"),
        ("οδος", "οδος", "οδοσ"),
    ] {
        let name = user(raw);
        assert_eq!((name.as_str(), name.key()), (shown, key), "{raw:?}");
        assert_eq!(name.to_string(), shown);
        assert_eq!(name, user(key));
    }
    assert_ne!(user("alice"), user("alicia"));
}

#[test]
fn an_invalid_name_is_refused_with_its_reason() {
    use NameError::{BadChar, BadStart, Empty, NotAllowed, Reserved};
    for (raw, expected) in [
        ("", Empty),
        (" bob", BadStart(' ')),
        ("@bob", BadStart('@')),
        ("#bob", BadStart('#')),
        ("-bob", BadStart('-')),
        (".bob", BadStart('.')),
        ("_", BadStart('_')),
        ("\u{301}a", BadStart('\u{301}')),
        ("\u{93e}क", BadStart('\u{93e}')),
        ("\u{1F600}", BadStart('\u{1F600}')),
        ("bob alice", BadChar(' ')),
        ("bob:", BadChar(':')),
        ("bob,", BadChar(',')),
        ("bob/x", BadChar('/')),
        ("bob\u{1b}[m", BadChar('\u{1b}')),
        ("bob\r", BadChar('\r')),
        ("zoë\u{1F600}", BadChar('\u{1F600}')),
        ("zoë!", BadChar('!')),
        // Invisible or no letters, though PRECIS allows them in some contexts.
        ("नी\u{94d}\u{200d}", BadChar('\u{200d}')),
        ("l\u{b7}l", BadChar('\u{b7}')),
        ("bo\u{200b}b", BadChar('\u{200b}')),
        ("bob\u{202e}", BadChar('\u{202e}')),
        ("\u{fb01}sh", BadStart('\u{fb01}')),
        // Mixed directions, which would reorder the line.
        ("שלוםabc", NotAllowed),
        ("a\u{323}\u{331}\u{332}\u{333}\u{346}\u{347}", NotAllowed),
        ("server", Reserved),
    ] {
        assert_eq!(UserName::new(raw).err(), Some(expected), "{raw:?}");
    }
}

#[test]
fn a_name_has_a_length() {
    for letter in ["a", "A", "ä", "世", "e\u{301}"] {
        for len in [1, 32, 33, 48, 49, 200] {
            let raw = letter.repeat(len);
            let too_long = |max: usize| {
                (len > max).then(|| match len * letter.chars().count() {
                    was if was > 4 * max => NameError::TooLong { max, was },
                    _ => NameError::TooLong { max, was: len },
                })
            };
            assert_eq!(UserName::new(&raw).err(), too_long(MAX_USER_NAME_CHARS), "{raw}");
            assert_eq!(ChannelName::new(&raw).err(), too_long(MAX_CHANNEL_NAME_CHARS), "{raw}");
        }
    }
}

#[test]
fn reserved_names_are_refused() {
    for raw in [
        "server",
        "system",
        "admin",
        "root",
        "guest",
        "Server",
        "ADMIN",
        "r00t",
        "R00T",
        "adm1n",
        "adrnin",
        "sуstem",
        "ѕerver",
        "ｓｅｒｖｅｒ",
        "AlI",
        "h3lp",
        "heIp",
        "me",
        "you",
        "chat-server",
        "οperator",
    ] {
        let refused = UserName::new(raw).err() == Some(NameError::Reserved);
        // In UTS #39, 3 and e are not confusable, nor are 1 and i.
        assert_eq!(refused, !matches!(raw, "h3lp" | "adm1n"), "{raw}");
    }
    for raw in ["servers", "sam", "guest7", "melissa", "alan", "roo", "hal"] {
        assert!(UserName::new(raw).is_ok(), "{raw}");
    }
    assert!(ChannelName::new("help").is_ok(), "reserved for people only");
}

#[test]
fn look_alikes_clash() {
    for (one, other) in [
        ("b0b", "bob"),
        ("B0B", "bob"),
        ("aI", "al"),
        ("a1", "al"),
        ("wAIl", "wa11"),
        ("MIKE", "MlKE"),
        ("аlice", "alice"), // Cyrillic а
        ("Аlice", "alice"), // Cyrillic А
        ("АLIСЕ", "ALICE"), // Cyrillic А, С, Е
        ("Вob", "bob"),     // Cyrillic В
        ("rnary", "mary"),
        ("RNARY", "Mary"),
        ("οδος", "οδοσ"),
        ("ıvan", "ivan"),
    ] {
        assert!(clash(one, other), "{one} and {other}");
        assert!(clash(other, one), "{other} and {one}");
    }
    for (one, other) in [("bob", "rob"), ("anna", "ana"), ("zoe", "zoë"), ("ian", "lan")] {
        assert!(!clash(one, other), "{one} and {other}");
    }
}

#[test]
fn new_names_are_compared_by_loose_skeletons() {
    let alike = |one: &str, other: &str| {
        let (one, other) = (user(one), user(other));
        one.loose_skeletons().any(|look| other.loose_skeletons().any(|other| other == look))
    };
    for (one, other) in [
        ("vict1m-bob", "victim-bob"),
        ("vlctim-bob", "victim-bob"),
        ("VICTlM-BOB", "victim-bob"),
        ("victim-bob.", "victim-bob"),
        ("victim-bob-_.", "Victim-Bob"),
        ("v1ctim-b0b_", "victim-bob"),
        ("vіctim", "v1ctim"), // Cyrillic і
        ("ian", "lan"),
    ] {
        assert!(alike(one, other), "{one} and {other}");
    }
    for (one, other) in [
        ("bob1", "bob2"),
        ("bob", "bob1"),
        ("tim", "tom"),
        ("user10", "user1"),
        ("user10", "user100"),
        ("bob_a", "bob-a"),
        ("zoe", "zoë"),
        // Each looks like a full stop, which a longer name may end with.
        ("\u{6f0}", "\u{6f0}\u{6f0}"),
    ] {
        assert!(!alike(one, other), "{one} and {other}");
    }
    for like in ["adm1n", "admln", "ADMIN-", "adm1n_", "serv1ce", "nuIl", "chat-c1i"] {
        assert!(UserName::new(like).map_or(true, |name| name.resembles_reserved()), "{like}");
    }
    for like in ["server.", "system-", "root_", "all.", "help..", "AlI_"] {
        assert!(user(like).resembles_reserved(), "{like}");
    }
    for name in ["ali", "Ali", "alice", "tim", "servers", "administration", "allen", "lia"] {
        assert!(!user(name).resembles_reserved(), "{name}");
    }
}

#[test]
fn a_channel_may_be_typed_with_or_without_its_sign() {
    let channel = ChannelName::new("General").unwrap();
    assert_eq!(channel, ChannelName::new("#general").unwrap());
    assert_eq!(channel.to_string(), "#General");
    assert_eq!((channel.bare(), channel.key()), ("General", "general"));
    assert_eq!(ChannelName::new("#").err(), Some(NameError::Empty));
    assert_eq!(ChannelName::new("##a").err(), Some(NameError::BadStart('#')));
    assert_eq!(ChannelName::new("@bob").err(), Some(NameError::BadStart('@')));
}

#[test]
fn a_refusal_is_one_clear_sentence() {
    for (raw, expected) in [
        (
            "bob smith",
            "A name cannot hold a space; it may hold letters, digits, - _ and ., beginning with a \
             letter or digit.",
        ),
        (
            "\u{1b}[2J",
            "A name cannot begin with U+001B; it may hold letters, digits, - _ and ., beginning \
             with a letter or digit.",
        ),
        ("root", "This name is reserved; choose another one."),
    ] {
        assert_eq!(UserName::new(raw).unwrap_err().to_string(), expected);
    }
    let long = UserName::new(&"a".repeat(40)).unwrap_err();
    assert_eq!(long.to_string(), "A name may have at most 32 characters; this one has 40.");
}

#[test]
fn every_character_alone_is_refused_or_a_stable_name() {
    for c in '\0'..=char::MAX {
        if let Ok(name) = ChannelName::new(&format!("{c}{c}")) {
            let shown = name.bare();
            assert!(shown.chars().all(char::is_alphanumeric), "{c:?}");
            let again = ChannelName::new(shown).unwrap();
            assert_eq!((again.bare(), again.key()), (shown, name.key()), "{c:?}");
            let by_key = ChannelName::new(name.key());
            assert_eq!(by_key.as_ref(), Ok(&name), "{c:?}");
        }
    }
}

/// Letters of many scripts, marks, look-alikes, and what is close to being allowed.
fn raw_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-_.a-zA-Z0-9]{1,34}",
        "[\\p{L}\\p{N}][\\p{L}\\p{N}\\p{M}._-]{0,34}",
        "[a-zA-Zà-žÀ-ŽΑ-Ωα-ωА-Яа-яİıſßẞǅ0-9]{1,12}",
        "[\\p{Arabic}\\p{Hebrew}]{1,8}[0-9]{0,2}",
        "[\\p{Devanagari}\\p{Thai}\\p{Tibetan}\\p{Hangul}]{1,8}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_name_that_was_accepted_is_accepted_again_as_the_same(raw in raw_name()) {
        if let Ok(name) = UserName::new(&raw) {
            let again = user(&name.to_string());
            prop_assert_eq!(again.as_str(), name.as_str());
            prop_assert_eq!(again.key(), name.key());
            prop_assert_eq!(skeletons(&again), skeletons(&name));
        }
        if let Ok(name) = ChannelName::new(&raw) {
            let again = ChannelName::new(&name.to_string()).unwrap();
            prop_assert_eq!(again.bare(), name.bare());
            prop_assert_eq!(again.key(), name.key());
        }
    }

    #[test]
    fn a_key_has_no_case(raw in raw_name()) {
        if let Ok(name) = ChannelName::new(&raw) {
            prop_assert!(!name.key().contains(char::is_uppercase), "{}", name.key());
            let lowered = name.key().to_lowercase().replace('ς', "σ");
            prop_assert_eq!(&lowered, name.key());
            for look in name.skeletons() {
                prop_assert!(!look.contains(char::is_uppercase), "{}", look);
                prop_assert!(!look.is_empty());
            }
        }
    }

    #[test]
    fn equal_names_share_a_skeleton_in_any_case(raw in raw_name()) {
        if let Ok(name) = UserName::new(&raw) {
            prop_assert!((1..=2).contains(&name.skeletons().count()));
            prop_assert!((1..=2).contains(&name.loose_skeletons().count()));
            prop_assert!(name.loose_skeletons().all(|look| !look.is_empty()));
            for other in [raw.to_lowercase(), name.key().to_owned()] {
                if let Ok(other) = UserName::new(&other) && other == name {
                    prop_assert!(!skeletons(&other).is_disjoint(&skeletons(&name)));
                }
            }
        }
    }

    #[test]
    fn letters_of_another_alphabet_forge_no_name(
        name in "[a-zA-Z0-9]{2,16}",
        swaps in prop::collection::vec(any::<bool>(), 16),
    ) {
        let forged: String = name.chars().zip(swaps).map(|(c, swap)| match c {
            c if !swap => c.to_string(),
            'a' => "а".into(), 'A' => "А".into(), 'c' => "с".into(), 'e' => "е".into(),
            'B' => "В".into(), 'o' => "ο".into(), 'O' => "0".into(), 'p' => "р".into(),
            'x' => "х".into(), 'I' => "l".into(), '1' => "I".into(), 'm' => "rn".into(),
            'K' => "Κ".into(), 's' => "ѕ".into(), 'i' => "і".into(),
            c => c.to_string(),
        }).collect();
        let (one, other) = (ChannelName::new(&name).unwrap(), ChannelName::new(&forged).unwrap());
        prop_assert!(one.skeletons().any(|look| other.skeletons().any(|l| l == look)), "{} {}", name, forged);
    }

    #[test]
    fn an_accepted_name_cannot_break_a_line_or_look_like_two(raw in raw_name()) {
        if let Ok(name) = UserName::new(&raw) {
            let shown = name.as_str();
            let count = shown.chars().count();
            prop_assert!((1..=MAX_USER_NAME_CHARS).contains(&count));
            prop_assert!(!shown.contains(|c: char| c.is_control() || c.is_whitespace()));
            prop_assert!(!shown.contains(|c: char| c.is_ascii_punctuation() && !"-_.".contains(c)));
            prop_assert_eq!(chat_proto::text::clean(shown), shown);
        }
    }

    #[test]
    fn a_refusal_never_echoes_what_it_refuses(raw in "\\PC?(\\p{C}|\\p{Z}|\\PC){1,4}") {
        if let Err(error) = UserName::new(&raw) {
            let output = error.to_string();
            prop_assert!(output.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", output);
            prop_assert!(output.ends_with('.'));
        }
    }

    #[test]
    fn the_fast_path_for_ascii_names_agrees(raw in "[a-zA-Z0-9][-_.a-zA-Z0-9]{0,31}") {
        use precis_profiles::{UsernameCaseMapped, precis_core::profile::PrecisFastInvocation as _};
        let enforced = UsernameCaseMapped::enforce(raw.as_str()).unwrap();
        let channel = ChannelName::new(&raw).unwrap();
        prop_assert_eq!(channel.key(), enforced);
        prop_assert_eq!(channel.bare(), raw);
    }
}
