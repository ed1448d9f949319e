//! Mentions: whether a text contains a name.

use std::ops::Range;

use chat_proto::fold::folded;

/// Whether two names are the same, ignoring case.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    let folded = |name: &str| name.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    one == other || folded(one) == folded(other)
}

/// The first match of the name in the text, as a whole word, ignoring case.
pub(crate) fn first(text: &str, name: &str) -> Option<Range<usize>> {
    word_at(text, name, false)
}

/// The first match of the word in the text, ignoring case: as a whole word, or with `beginning`
/// also as the prefix of another.
pub(crate) fn word_at(text: &str, name: &str, beginning: bool) -> Option<Range<usize>> {
    if name.is_empty() {
        return None;
    }
    let mut before = None;
    for (start, c) in text.char_indices() {
        let begins = before.is_none_or(|before| !in_word(before));
        before = Some(c);
        if !begins {
            continue;
        }
        if let Some(length) = prefix(&text[start..], name) {
            let end = start + length;
            // `al.ice` is a name, but the dot after `alice.` ends a sentence.
            let ends = text[end..].chars().next().is_none_or(|after| !in_word(after));
            if ends || beginning {
                return Some(start..end);
            }
        }
    }
    None
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// The length in bytes of the name at the start of `text`. The server matches in the same way.
fn prefix(text: &str, name: &str) -> Option<usize> {
    let name = folded(name);
    let mut length = None;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let begins = folded(&text[..end]);
        if *begins == *name {
            length = Some(end);
        } else if length.is_some() || !name.starts_with(&*begins) {
            break;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_of_its_own() {
        for (text, name, found) in [
            ("alice: hi", "alice", Some("alice")),
            ("hi ALICE.", "alice", Some("ALICE")),
            ("@alice, look", "alice", Some("alice")),
            ("(alice)", "alice", Some("alice")),
            ("malice", "alice", None),
            ("alice2", "alice", None),
            ("alice-b", "alice", None),
            ("alices alice", "alice", Some("alice")),
            ("привет Алиса!", "алиса", Some("Алиса")),
            ("", "alice", None),
            ("alic", "alice", None),
            ("alice", "", None),
            ("ǅ", "ǆ", Some("ǅ")),
            ("in ΑΘΗΝΑ!", "Αθήνα", Some("ΑΘΗΝΑ")),
            ("STRASSE 7", "straße", Some("STRASSE")),
            ("hi Jose\u{301}, you", "josé", Some("Jose\u{301}")),
        ] {
            assert_eq!(first(text, name).map(|at| &text[at]), found, "{text} / {name}");
        }
    }

    #[test]
    fn names_match_in_any_case() {
        assert!(same_name("Alice", "aLICE") && same_name("Ünal", "ünal"));
        assert!(!same_name("alice", "alic") && !same_name("alice", "bob"));
    }
}
