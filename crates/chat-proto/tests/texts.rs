//! Texts of users can't affect a terminal.

use std::borrow::Cow;

use chat_proto::text::{Text, clean};
use proptest::prelude::*;

/// The forbidden characters as numbers, independent of the code under test.
fn forbidden(c: char) -> bool {
    matches!(
        u32::from(c),
        0..=0x1F | 0x7F..=0x9F | 0x202A..=0x202E | 0x2066..=0x2069 | 0x2028 | 0x2029 | 0xFEFF
    )
}

#[test]
fn terminal_controls_are_removed() {
    for (raw, expected) in [
        ("plain ASCII", "plain ASCII"),
        ("grüße, 世界 \u{1F600}", "grüße, 世界 \u{1F600}"),
        ("a\tb", "a b"),
        ("\t", " "),
        ("a\r\nb\0c", "a bc"),
        ("\u{1b}[2Jgone", "[2Jgone"),
        ("a\u{7f}b\u{9b}31mc", "ab31mc"),
        ("\u{85}next\u{2028}line\u{2029}", "nextline"),
        ("one\rtwo\u{c}three\u{85}four\u{b}five\r", "one two three fourfive"),
        ("\r\u{c}\u{85}", ""),
        ("\u{feff}hello\u{feff}", "hello"),
        // At most as many consecutive marks as in a name.
        (
            "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}a\u{306}",
            "Z\u{300}\u{301}\u{302}\u{303}a\u{306}",
        ),
        (
            "e\u{301}, \u{5e9}\u{5c1}\u{5b8}, \u{e01}\u{e33}, 1\u{fe0f}\u{20e3}",
            "e\u{301}, \u{5e9}\u{5c1}\u{5b8}, \u{e01}\u{e33}, 1\u{fe0f}\u{20e3}",
        ),
        ("\u{2764}\u{fe0f}\u{200d}\u{1f525}", "\u{2764}\u{fe0f}\u{200d}\u{1f525}"),
        (
            "Z\u{301}\u{200b}\u{301}\u{2060}\u{301}\u{200d}\u{301}\u{200b}\u{301}a",
            "Z\u{301}\u{200b}\u{301}\u{2060}\u{301}\u{200d}\u{301}\u{200b}a",
        ),
        ("safe\u{202e}exe.txt\u{202c}", "safeexe.txt"),
        ("\u{2066}a\u{2067}b\u{2068}c\u{2069}", "abc"),
        ("", ""),
    ] {
        assert_eq!(clean(raw), expected, "{raw:?}");
    }
}

#[test]
fn every_character_is_preserved_or_removed_by_the_list() {
    for c in '\0'..=char::MAX {
        let raw = format!("<{c}>");
        let expected = match c {
            '\t' | '\r' | '\u{c}' | '\u{85}' => "< >".to_owned(),
            c if forbidden(c) => "<>".to_owned(),
            _ => raw.clone(),
        };
        assert_eq!(clean(&raw), expected, "{raw:?}");
    }
}

#[test]
fn clean_text_is_not_copied() {
    for text in ["", "plain", "grüße"] {
        assert!(matches!(clean(text), Cow::Borrowed(_)), "{text:?}");
    }
}

#[test]
fn a_text_is_never_blank() {
    for blank in ["", " ", "\t", " \t ", "\u{a0}\u{3000}", "\r\n", "\0", "\u{202e}", "\u{202e} \r"]
    {
        assert_eq!(Text::new(blank), None, "{blank:?}");
    }
    let shows_nothing = "\u{2800}\u{3164}\u{ffa0}\u{200b}\u{200c}\u{200d}\u{2060}\u{ad}\u{34f}\u{180e}\u{115f}\u{1160}\u{17b4}\u{fe0f}\u{e0001}\u{fff9}\u{1d159}";
    for blank in shows_nothing.chars() {
        assert_eq!(Text::new(&format!(" {blank}{blank}")), None, "{blank:?}");
        assert!(Text::new(&format!("a{blank}")).is_some(), "{blank:?}");
    }
    assert_eq!(Text::new(" a ").unwrap().as_str(), " a ");
}

#[test]
fn invisible_characters_are_removed_unless_they_belong_to_an_emoji_or_a_letter() {
    for (raw, expected) in [
        ("pay\u{200b}pal", "paypal"),
        ("s\u{ad}p\u{2060}a\u{200d}m\u{200c}!", "spam!"),
        ("a\u{200e}b\u{200f}c\u{61c}d\u{34f}e\u{115f}f\u{3164}g", "abcdefg"),
        ("a\u{fe0f}b\u{e0100}c\u{e0041}\u{e007f}d\u{180e}", "abcd"),
        // Emoji: a family, a heart on fire, a keycap, a flag with tags, text style.
        (
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        ),
        ("\u{2764}\u{fe0f}\u{200d}\u{1f525}", "\u{2764}\u{fe0f}\u{200d}\u{1f525}"),
        ("1\u{fe0f}\u{20e3}", "1\u{fe0f}\u{20e3}"),
        (
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ),
        ("\u{260e}\u{fe0e}", "\u{260e}\u{fe0e}"),
        ("\u{1f44d}\u{200b}\u{200d}x", "\u{1f44d}x"),
        // Persian and Hindi are written with joiners.
        ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ("क\u{94d}\u{200d}ष", "क\u{94d}\u{200d}ष"),
        ("سلام\u{200c}", "سلام"),
        ("grüße", "grüße"),
        ("a \u{200b}", "a"),
        ("\u{2060} a ", "a "),
    ] {
        assert_eq!(Text::new(raw).unwrap().as_str(), expected, "{raw:?}");
    }
}

#[test]
fn the_excess_of_a_long_text_is_reported() {
    let text = Text::new("grüße").unwrap();
    let over = [3, 4, 5, 6, 7].map(|max| text.chars_over(max));
    assert_eq!(over, [Some(2), Some(1), None, None, None]);
}

proptest! {
    #[test]
    fn cleaning_is_complete_and_idempotent(raw in "(\\PC|\\p{C}|[ -~]){0,40}") {
        let cleaned = clean(&raw);
        prop_assert!(!cleaned.contains(forbidden), "{:?}", cleaned);
        prop_assert!(matches!(clean(&cleaned), Cow::Borrowed(again) if again == cleaned));
    }

    #[test]
    fn one_text_is_one_line(raw in any::<String>()) {
        if let Some(text) = Text::new(&raw) {
            prop_assert!(!text.as_str().contains(forbidden));
            prop_assert_eq!(text.to_string().lines().count(), 1);
            prop_assert_eq!(Text::new(text.as_str()), Some(text));
        }
    }
}
