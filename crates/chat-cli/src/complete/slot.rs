//! What may stand where in a command's arguments, as its row in the table tells.

use crate::proto::Verb;

/// What a word of the arguments is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Channel,
    User,
    /// A command's word.
    Command,
    /// One of these words, as the row has them: `text or json`.
    OneOf(&'static str),
    /// Text for others, in which names may stand.
    Text,
    /// Nothing that is known.
    Other,
}

/// What the next word is, after these words of the arguments.
pub(super) fn next(verb: &Verb, words: &[&str]) -> Slot {
    let mut slots = slots(verb.arguments).peekable();
    let mut words = words.iter().peekable();
    // It can be left out, since it is known by its sign.
    if slots.peek() == Some(&"[#channel]") {
        slots.next();
        words.next_if(|word| word.starts_with('#'));
    }
    let mut before = words.count();
    // The text at the end takes all words.
    let is_next = |slot: &&'static str| {
        let is_it = before == 0 || slot.contains('…');
        before = before.saturating_sub(1);
        is_it
    };
    slots.find(is_next).map_or(Slot::Other, |slot| kind(slot, verb))
}

/// The parts of `user [for 2h] [reason…]`; `text or json` is one.
fn slots(arguments: &'static str) -> impl Iterator<Item = &'static str> {
    let mut rest = arguments;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let mut end = word_end(rest);
        while let Some(more) = rest[end..].strip_prefix(" or ") {
            end = rest.len() - more.len() + word_end(more);
        }
        let (slot, after) = rest.split_at(end);
        rest = after;
        Some(slot)
    })
}

fn word_end(text: &str) -> usize {
    let close =
        if text.starts_with('[') { text.find(']').map(|at| at + 1) } else { text.find(' ') };
    close.unwrap_or(text.len())
}

fn kind(slot: &'static str, verb: &Verb) -> Slot {
    let bare = slot.trim_matches(['[', ']', '#']);
    if verb.secret {
        Slot::Other
    } else if bare.starts_with("channel") || bare == "conversation" {
        // One that is to be made has a new name.
        if verb.name == "create" { Slot::Other } else { Slot::Channel }
    } else if bare.starts_with("user") {
        Slot::User
    } else if bare == "command" {
        Slot::Command
    } else if bare.contains('…') {
        Slot::Text
    } else if bare.contains(" or ") && bare == bare.to_lowercase() {
        Slot::OneOf(bare)
    } else {
        Slot::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{VERBS, verb};

    #[test]
    fn arguments_are_cut_into_their_parts() {
        for (arguments, expected) in [
            ("", &[][..]),
            ("user text…", &["user", "text…"]),
            ("text or json", &["text or json"]),
            ("[channel or @user] [reason…]", &["[channel or @user]", "[reason…]"]),
            ("[#channel] user or address [for 2h]", &["[#channel]", "user or address", "[for 2h]"]),
        ] {
            assert_eq!(slots(arguments).collect::<Vec<_>>(), expected, "{arguments}");
        }
    }

    #[test]
    fn what_comes_next() {
        for (word, words, slot) in [
            ("enter", &[][..], Slot::Channel),
            ("enter", &["dev"], Slot::Other),
            ("create", &[], Slot::Other),
            ("create", &["dev"], Slot::Text),
            ("leave", &["dev"], Slot::Text),
            ("history", &[], Slot::Channel),
            ("msg", &[], Slot::User),
            ("msg", &["bob"], Slot::Text),
            ("msg", &["bob", "hi", "you"], Slot::Text),
            ("whois", &["bob"], Slot::Other),
            ("kick", &["bob"], Slot::Text),
            ("help", &[], Slot::Command),
            ("format", &[], Slot::OneOf("text or json")),
            ("login", &[], Slot::Other),
            ("login", &["alice"], Slot::Other),
            ("register", &[], Slot::Other),
            ("name", &[], Slot::Other),
            ("info", &[], Slot::Other),
        ] {
            assert_eq!(next(verb(word).unwrap(), words), slot, "/{word} {words:?}");
        }
        let ban = Verb {
            arguments: "[#channel] [user or address] [reason…]",
            ..*VERBS.first().unwrap()
        };
        for (words, slot) in [
            (&[][..], Slot::User),
            (&["#dev"], Slot::User),
            (&["bob"], Slot::Text),
            (&["#dev", "bob"], Slot::Text),
        ] {
            assert_eq!(next(&ban, words), slot, "{words:?}");
        }
    }
}
