//! What Tab makes of the line: commands, #channels, names.

use crate::known::Known;
use crate::proto::{VERBS, verb};
use crate::typed::command;

/// What the word at the cursor could become.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    /// Where the word begins, in bytes.
    pub(crate) start: usize,
    /// What can stand there instead, best first, with what follows it (`: ` or a blank).
    pub(crate) candidates: Vec<String>,
}

/// Completes the word that ends at the end of `before`, the line up to the cursor.
pub(crate) fn complete(before: &str, known: &Known) -> Completion {
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
    } else if wants_channel(&before[..start]) {
        followed(known.channels(&format!("#{word}")), " ")
    } else if word.is_empty() && !first && command(before).is_none() {
        // Nothing is begun: after a blank inside a sentence Tab has nothing to go by.
        Vec::new()
    } else {
        followed(known.people(word), if first { ": " } else { " " })
    };
    Completion { start, candidates }
}

fn commands(beginning: &str) -> Vec<String> {
    let beginning = beginning.to_lowercase();
    let begins = |word: &&str| word.starts_with(&beginning);
    let mut found: Vec<&str> = VERBS.iter().map(|verb| verb.name).filter(begins).collect();
    if found.is_empty() {
        found = VERBS.iter().flat_map(|verb| verb.aliases).copied().filter(begins).collect();
    }
    found.into_iter().map(|name| format!("/{name} ")).collect()
}

/// Whether the line is a command whose first argument is a channel, and that comes next.
fn wants_channel(line: &str) -> bool {
    let Some((word, "")) = command(line) else { return false };
    verb(word).is_some_and(|verb| {
        let arguments = verb.arguments.trim_start_matches(['[', '#']);
        arguments.starts_with("channel") && verb.name != "create"
    })
}

fn followed(names: Vec<String>, by: &str) -> Vec<String> {
    names.into_iter().map(|name| name + by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let mut known = Known::default();
        for channel in ["#gentoo", "#dev", "#general"] {
            known.channel(channel);
        }
        for name in ["alice", "bob", "Bea"] {
            known.spoke(name);
        }
        known
    }

    #[test]
    fn words_and_what_they_become() {
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
