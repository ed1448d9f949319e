//! How a word filter reads a text: words that look the same are equal.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;

use crate::fold::{case_folded, is_accent};

/// One or two spellings of a text for the word filter: without case, accents and invisible
/// characters, with each letter replaced by its look-alike (UTS #39), and with `0` and `1` within a
/// word as letters.
///
/// The second spelling is returned if it differs: it replaces capitals by their look-alikes, such
/// as `I` by `l`. Plain lower-case letters stay as they are: `rn` isn't `m`, so that a pattern
/// doesn't match another word. The time is linear in the length of the text.
pub fn spellings(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let first = spelled(text, false);
    let has_look = |c: char| c == 'I' || !c.is_ascii() && c.is_uppercase();
    let second = text.contains(has_look).then(|| spelled(text, true));
    let second = second.filter(|second| *second != first);
    std::iter::once(first).chain(second)
}

/// With the look-alikes of capitals, or of the lower-case letters in their place.
fn spelled(text: &str, capitals: bool) -> Cow<'_, str> {
    if text.is_ascii() {
        let is_plain = |byte: u8| !matches!(byte, b'0' | b'1' | b'A'..=b'Z');
        if text.bytes().all(is_plain) {
            return Cow::Borrowed(text);
        }
        let like = |c: char| if capitals && c == 'I' { 'l' } else { c.to_ascii_lowercase() };
        return Cow::Owned(with_letters(text.chars().map(like)));
    }
    let mut seen = String::with_capacity(text.len());
    let mut base = ' ';
    for c in text.nfkd() {
        if is_combining_mark(c) && (base.is_ascii() || is_accent(c)) {
            continue;
        }
        if capitals && c.is_uppercase() {
            push_look(&mut seen, c);
        } else {
            case_folded(c).for_each(|c| push_look(&mut seen, c));
        }
        base = seen.chars().next_back().unwrap_or(' ');
    }
    Cow::Owned(with_letters(seen.nfc()))
}

/// Appends the lower-case look-alike of a character; nothing if it is invisible.
fn push_look(seen: &mut String, c: char) {
    match c {
        'I' => seen.push('l'),
        c if c.is_ascii() => seen.push(c.to_ascii_lowercase()),
        c => {
            let begin = seen.len();
            for c in skeleton(c.encode_utf8(&mut [0; 4])) {
                if !is_combining_mark(c) || !is_accent(c) {
                    seen.extend(c.to_lowercase());
                }
            }
            // The tables map `m` to it.
            if seen.get(begin..) == Some("rn") {
                seen.truncate(begin);
                seen.push('m');
            }
        }
    }
}

/// In a word with a letter, `0` and `1` are letters too.
fn with_letters(text: impl Iterator<Item = char>) -> String {
    let mut all = String::new();
    let mut word = 0;
    let mut has_letter = false;
    for c in text.chain([' ']) {
        if c.is_alphanumeric() {
            has_letter |= c.is_alphabetic();
        } else {
            if has_letter && all.get(word..).is_some_and(|word| word.contains(['0', '1'])) {
                let letters = all.split_off(word).replace('0', "o").replace('1', "l");
                all.push_str(&letters);
            }
            has_letter = false;
            word = all.len() + c.len_utf8();
        }
        all.push(c);
    }
    all.pop();
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn look_alikes_have_the_same_spelling() {
        for (text, first, second) in [
            ("bad", "bad", None),
            ("BAD!", "bad!", None),
            ("b\u{200B}a\u{AD}d", "bad", None),
            ("b\u{2060}a\u{FE0F}d\u{200D}", "bad", None),
            ("b\u{430}d", "bad", None),
            ("b\u{E1}d ba\u{301}d", "bad bad", None),
            ("\u{FF42}\u{FF41}\u{FF44}", "bad", None),
            ("\u{412}AD", "\u{299}ad", Some("bad")),
            ("heIl", "heil", Some("hell")),
            ("b00k l1st 101 1.0", "book llst 101 1.0", None),
            ("pom porn", "pom porn", None),
            ("\u{217F}an", "man", None),
            ("c++ a|bad", "c++ a|bad", None),
        ] {
            let found: Vec<_> = spellings(text).collect();
            let found: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
            assert_eq!(
                found,
                [Some(first), second].into_iter().flatten().collect::<Vec<_>>(),
                "{text}"
            );
        }
    }

    #[test]
    fn vowels_that_are_marks_are_letters_of_their_own() {
        let [short, long] = ["\u{915}\u{93F}", "\u{915}\u{940}"].map(|word| spelled(word, false));
        assert_ne!(spelled("\u{304C}", false), spelled("\u{304B}", false));
        assert!(short != long && short != spelled("\u{915}", false));
    }

    proptest! {
        /// The fast path for ASCII returns the same as the tables.
        #[test]
        fn a_letter_beyond_ascii_changes_nothing_before_it(text in "[ -~]{0,60}") {
            for (capitals, longer) in [(false, format!("{text} \u{E9}")), (true, format!("{text} \u{E9}"))] {
                let expected = format!("{} e", spelled(&text, capitals));
                prop_assert_eq!(spelled(&longer, capitals), expected);
            }
        }
    }
}
