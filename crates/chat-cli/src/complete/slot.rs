//! The kind of each argument of a command, from the command's row in the table.

use crate::proto::{CommandKind, CommandSpec, EVERYWHERE};

/// The kind of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgumentSlot<'a> {
    Channel,
    User,
    /// A command's word.
    Command,
    /// One of these words, as in the row: `text or json`.
    OneOf(&'static str),
    /// A channel's setting.
    Setting,
    /// A value of the setting with this name.
    Value(&'a str),
    /// A user, or before that `everywhere`, which is for operators of the server.
    UserOrEverywhere,
    /// `for`, followed by a duration; or text.
    For,
    /// Text of a message, which may contain names.
    Text,
    /// No completion is known.
    Other,
}

/// The kind of the next argument, after these.
pub(super) fn next<'a>(spec: &CommandSpec, words: &[&'a str]) -> ArgumentSlot<'a> {
    let mut arguments = spec.arguments;
    let mut words = words.iter().copied().peekable();
    if !spec.everywhere.is_empty() && words.next_if(|word| is_everywhere(word)).is_some() {
        arguments = spec.everywhere;
    } else if spec.for_operators && !arguments.starts_with("channel") {
        // The channel is optional: the `#` identifies it.
        words.next_if(|word| word.starts_with('#'));
    }
    if spec.kind == CommandKind::Set {
        return match (words.next(), words.next()) {
            (None, _) => ArgumentSlot::Setting,
            (Some(setting), None) => ArgumentSlot::Value(setting),
            _ => ArgumentSlot::Other,
        };
    }
    for slot in slots(arguments) {
        let is_time = slot.starts_with("[for ");
        // The text at the end takes the remaining words.
        if words.peek().is_none() || slot.contains('…') {
            return if is_time { ArgumentSlot::For } else { kind(slot, spec, arguments) };
        }
        if !is_time {
            words.next();
        } else if words.next_if(|word| word.eq_ignore_ascii_case("for")).is_some()
            && words.next().is_none()
        {
            return ArgumentSlot::Other;
        }
    }
    ArgumentSlot::Other
}

fn is_everywhere(word: &str) -> bool {
    word.eq_ignore_ascii_case(EVERYWHERE)
}

/// The parts of `user [for 2h] [reason…]`; `text or json` is one part.
fn slots(arguments: &'static str) -> impl Iterator<Item = &'static str> {
    let mut rest = arguments;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let mut end = word_end(rest);
        while let Some(more) = more(&rest[..end], &rest[end..]) {
            end = rest.len() - more.len() + word_end(more);
        }
        let (slot, after) = rest.split_at(end);
        rest = after;
        Some(slot)
    })
}

/// What follows a part that is incomplete: `user` of `user or address`, `user,` of `user, address`.
fn more<'a>(part: &str, rest: &'a str) -> Option<&'a str> {
    let is_list = part.ends_with(',');
    rest.strip_prefix(" or ").or_else(|| rest.strip_prefix(' ').filter(|_| is_list))
}

fn word_end(text: &str) -> usize {
    let close =
        if text.starts_with('[') { text.find(']').map(|at| at + 1) } else { text.find(' ') };
    close.unwrap_or(text.len())
}

fn kind<'a>(slot: &'static str, spec: &CommandSpec, arguments: &str) -> ArgumentSlot<'a> {
    let bare = slot.trim_matches(['[', ']', '#']);
    if spec.secret {
        ArgumentSlot::Other
    } else if bare.starts_with("channel") || bare == "conversation" {
        // A channel to create has a new name, so there is nothing to complete.
        if spec.name == "create" { ArgumentSlot::Other } else { ArgumentSlot::Channel }
    } else if bare.starts_with("user") {
        let may_be_everywhere = !spec.everywhere.is_empty() && arguments == spec.arguments;
        if may_be_everywhere { ArgumentSlot::UserOrEverywhere } else { ArgumentSlot::User }
    } else if bare == "command" {
        ArgumentSlot::Command
    } else if bare.contains('…') {
        ArgumentSlot::Text
    } else if bare.contains(" or ") && bare == bare.to_lowercase() {
        ArgumentSlot::OneOf(bare)
    } else {
        ArgumentSlot::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::spec;

    #[test]
    fn arguments_are_split_into_their_parts() {
        for (arguments, expected) in [
            ("", &[][..]),
            ("user text…", &["user", "text…"]),
            ("text or json", &["text or json"]),
            ("[channel or @user] [reason…]", &["[channel or @user]", "[reason…]"]),
            ("[user or address] [for 2h]", &["[user or address]", "[for 2h]"]),
            ("user, address or pattern", &["user, address or pattern"]),
        ] {
            assert_eq!(slots(arguments).collect::<Vec<_>>(), expected, "{arguments}");
        }
    }

    #[test]
    fn the_kind_of_the_next_argument_is_known() {
        for (word, words, slot) in [
            ("enter", &[][..], ArgumentSlot::Channel),
            ("enter", &["dev"], ArgumentSlot::Other),
            ("create", &[], ArgumentSlot::Other),
            ("create", &["dev"], ArgumentSlot::Text),
            ("leave", &["dev"], ArgumentSlot::Text),
            ("history", &[], ArgumentSlot::Channel),
            ("msg", &[], ArgumentSlot::User),
            ("msg", &["bob"], ArgumentSlot::Text),
            ("msg", &["bob", "hi", "you"], ArgumentSlot::Text),
            ("whois", &["bob"], ArgumentSlot::Other),
            ("kick", &["bob"], ArgumentSlot::Text),
            ("help", &[], ArgumentSlot::Command),
            ("format", &[], ArgumentSlot::OneOf("text or json")),
            ("login", &[], ArgumentSlot::Other),
            ("login", &["alice"], ArgumentSlot::Other),
            ("register", &[], ArgumentSlot::Other),
            ("name", &[], ArgumentSlot::Other),
            ("info", &[], ArgumentSlot::Other),
        ] {
            assert_eq!(next(spec(word).unwrap(), words), slot, "/{word} {words:?}");
        }
    }

    #[test]
    fn the_kind_of_an_operators_next_argument_is_known() {
        for (word, words, slot) in [
            ("kick", &[][..], ArgumentSlot::User),
            ("kick", &["#dev"], ArgumentSlot::User),
            ("kick", &["#dev", "bob"], ArgumentSlot::Text),
            ("ban", &[], ArgumentSlot::UserOrEverywhere),
            ("ban", &["#dev"], ArgumentSlot::UserOrEverywhere),
            ("ban", &["bob"], ArgumentSlot::For),
            ("ban", &["#dev", "bob"], ArgumentSlot::For),
            ("ban", &["bob", "for"], ArgumentSlot::Other),
            ("ban", &["bob", "for", "2h"], ArgumentSlot::Text),
            ("ban", &["bob", "spam"], ArgumentSlot::Text),
            ("ban", &["everywhere"], ArgumentSlot::User),
            ("ban", &["EVERYWHERE", "bob"], ArgumentSlot::For),
            ("ban", &["#dev", "everywhere"], ArgumentSlot::For),
            ("unban", &[], ArgumentSlot::UserOrEverywhere),
            ("unban", &["everywhere"], ArgumentSlot::User),
            ("unban", &["everywhere", "bob"], ArgumentSlot::Other),
            ("mute", &["bob"], ArgumentSlot::For),
            ("drop", &[], ArgumentSlot::Channel),
            ("drop", &["#dev"], ArgumentSlot::Text),
            ("kill", &[], ArgumentSlot::User),
            ("announce", &[], ArgumentSlot::Text),
            ("set", &[], ArgumentSlot::Setting),
            ("set", &["slow"], ArgumentSlot::Value("slow")),
            ("set", &["#dev", "slow"], ArgumentSlot::Value("slow")),
            ("set", &["slow", "10s"], ArgumentSlot::Other),
            ("log", &[], ArgumentSlot::Other),
        ] {
            assert_eq!(next(spec(word).unwrap(), words), slot, "/{word} {words:?}");
        }
    }
}
