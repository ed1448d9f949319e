//! Tab completion: commands, #channels, names, settings.

mod slot;

use crate::completions::KnownNames;
use crate::input_line::command;
use crate::proto::{COMMANDS, EVERYWHERE, SETTINGS, spec};
use slot::ArgumentSlot;

/// The completions of the word at the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    /// Where the word begins, in bytes.
    pub(crate) start: usize,
    /// The replacements, best first, with the suffix of each (`: ` or a blank).
    pub(crate) candidates: Vec<String>,
}

/// Completes the word that ends at the end of `before`, the line up to the cursor.
pub(crate) fn complete(before: &str, known: &KnownNames) -> Completion {
    let start = before.rfind(' ').map_or(0, |blank| blank + 1);
    let word = &before[start..];
    let first = start == 0;
    let candidates = if first && word.starts_with('/') && !word.starts_with("//") {
        commands(&word[1..])
    } else if word.starts_with('#') {
        followed(known.channels(word), " ")
    } else if let Some(name) = word.strip_prefix('@') {
        let names = known.people(name);
        followed(names.into_iter().map(|name| format!("@{name}")).collect(), " ")
    } else if let Some((name, rest)) = command(&before[..start]) {
        arguments(name, rest, word, known)
    } else if word.is_empty() && !first {
        // The word is empty and not the first: there is nothing to complete.
        Vec::new()
    } else {
        followed(known.people(word), if first { ": " } else { " " })
    };
    Completion { start, candidates }
}

fn commands(beginning: &str) -> Vec<String> {
    let beginning = beginning.to_lowercase();
    let begins = |word: &&str| word.starts_with(&beginning);
    let mut found: Vec<&str> = COMMANDS.iter().map(|spec| spec.name).filter(begins).collect();
    if found.is_empty() {
        found = COMMANDS.iter().flat_map(|spec| spec.aliases).copied().filter(begins).collect();
    }
    found.into_iter().map(|name| format!("/{name} ")).collect()
}

/// Completions of an argument of a command.
fn arguments(name: &str, rest: &str, word: &str, known: &KnownNames) -> Vec<String> {
    let Some(spec) = spec(name) else { return followed(known.people(word), " ") };
    if spec.name == "search" {
        return search_item(word, known);
    }
    let words: Vec<_> = rest.split(' ').filter(|word| !word.is_empty()).collect();
    match slot::next(spec, &words) {
        ArgumentSlot::Channel => followed(known.channels(&format!("#{word}")), " "),
        ArgumentSlot::User | ArgumentSlot::Text => followed(known.people(word), " "),
        ArgumentSlot::UserOrEverywhere => with_word(EVERYWHERE, known.people(word), word),
        ArgumentSlot::For => with_word("for", known.people(word), word),
        ArgumentSlot::Setting => beginning_with(word, SETTINGS.iter().map(|(name, ..)| *name)),
        ArgumentSlot::Value(setting) => beginning_with(word, values(setting)),
        ArgumentSlot::Command => {
            let found = commands(word).into_iter();
            found.map(|name| name.trim_start_matches('/').to_owned()).collect()
        }
        ArgumentSlot::OneOf(words) => beginning_with(word, words.split(" or ")),
        ArgumentSlot::Other => Vec::new(),
    }
}

fn beginning_with<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let begin = word.to_lowercase();
    followed(words.filter(|own| own.starts_with(&begin)).map(ToOwned::to_owned).collect(), " ")
}

/// The names, followed by `one` if the word begins it. With an empty word `one` is left out, since
/// it is rarely typed.
fn with_word(one: &str, names: Vec<String>, word: &str) -> Vec<String> {
    let mut found = followed(names, " ");
    if !word.is_empty() {
        found.extend(beginning_with(word, std::iter::once(one)));
    }
    found
}

/// The values of a setting, from its row in the table: `10s or off`. Placeholders such as `+word`
/// are left out.
fn values(setting: &str) -> impl Iterator<Item = &'static str> {
    let row = SETTINGS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(setting));
    let values = row.map_or("", |(_, values, _)| *values);
    let words = values.split(" or ").flat_map(|part| part.split(", "));
    words.filter(|word| !word.is_empty() && !word.starts_with(['+', '-']))
}

/// A name stands alone or after a prefix such as `from:`.
fn search_item(word: &str, known: &KnownNames) -> Vec<String> {
    let found = match word.split_once(':') {
        Some(("from", name)) => known.people(name),
        Some(("in", name)) if name.starts_with('#') => known.channels(name),
        Some(("in", name)) => known.channels(&format!("#{name}")),
        Some(_) => Vec::new(),
        None => return followed(known.people(word), " "),
    };
    let item = word.split_once(':').map_or("", |(item, _)| item);
    followed(found.into_iter().map(|name| format!("{item}:{name}")).collect(), " ")
}

fn followed(names: Vec<String>, by: &str) -> Vec<String> {
    names.into_iter().map(|name| name + by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[&str] =
        &["invite-only ", "hidden ", "slow ", "topic-lock ", "history ", "words ", "links "];

    fn known() -> KnownNames {
        let mut known = KnownNames::default();
        for channel in ["#gentoo", "#dev", "#general"] {
            known.channel(channel);
        }
        for name in ["alice", "bob", "Bea"] {
            known.spoke(name);
        }
        known
    }

    #[test]
    fn words_are_completed() {
        for (before, start, candidates) in [
            ("/he", 0, &["/help "][..]),
            ("/HE", 0, &["/help "]),
            ("/e", 0, &["/enter "]),
            ("/jo", 0, &["/join "]),
            ("/wh", 0, &["/whois "]),
            ("/xyz", 0, &[]),
            ("//he", 0, &[]),
            ("#ge", 0, &["#general ", "#gentoo "]),
            ("/enter #de", 7, &["#dev "]),
            ("/enter ge", 7, &["#general ", "#gentoo "]),
            ("/leave d", 7, &["#dev "]),
            ("/leave @b", 7, &["@Bea ", "@bob "]),
            ("/say #ge", 5, &["#general ", "#gentoo "]),
            ("/msg b", 5, &["Bea ", "bob "]),
            ("/msg bob a", 9, &["alice "]),
            ("/kick ", 6, &["Bea ", "bob ", "alice "]),
            ("/history ge", 9, &["#general ", "#gentoo "]),
            ("/whois bob a", 11, &[]),
            ("/set ", 5, SET),
            ("/set T", 5, &["topic-lock "]),
            ("/set hidden ", 12, &["on ", "off "]),
            ("/set #dev HIDDEN of", 17, &["off "]),
            ("/set slow ", 10, &["10s ", "off "]),
            ("/set words ", 11, &["off "]),
            ("/set xyzzy ", 11, &[]),
            ("/ban #dev b", 10, &["Bea ", "bob "]),
            ("/ban ", 5, &["Bea ", "bob ", "alice "]),
            ("/ban e", 5, &["everywhere "]),
            ("/ban everywhere b", 16, &["Bea ", "bob "]),
            ("/unban EV", 7, &["everywhere "]),
            ("/mute bob f", 10, &["for "]),
            ("/mute bob for 2h b", 17, &["Bea ", "bob "]),
            ("/drop d", 6, &["#dev "]),
            ("/kill b", 6, &["Bea ", "bob "]),
            ("/inv", 0, &["/invite ", "/invitation "]),
            ("/create ge", 8, &[]),
            ("/help le", 6, &["leave "]),
            ("/format J", 8, &["json "]),
            ("/format ", 8, &["text ", "json "]),
            ("/login a", 7, &[]),
            ("/login alice a", 13, &[]),
            ("/register b", 10, &[]),
            ("/for", 0, &["/forget ", "/format "]),
            ("/search from:b", 8, &["from:Bea ", "from:bob "]),
            ("/search deploy in:d", 15, &["in:#dev "]),
            ("/search in:#g", 8, &["in:#general ", "in:#gentoo "]),
            ("/search b", 8, &["Bea ", "bob "]),
            ("/xyzzy b", 7, &["Bea ", "bob "]),
            ("b", 0, &["Bea: ", "bob: "]),
            ("", 0, &["Bea: ", "bob: ", "alice: "]),
            ("hi b", 3, &["Bea ", "bob "]),
            ("hi ", 3, &[]),
            ("see #d", 4, &["#dev "]),
            ("zz", 0, &[]),
        ] {
            let found = complete(before, &known());
            assert_eq!(
                (found.start, found.candidates.as_slice()),
                (start, &candidates.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{before:?}"
            );
        }
    }
}
