//! The words of a search, for highlighting them in the lines found.

use std::ops::Range;

use chat_proto::command::{Command, parse};

use crate::mention::word_at;

/// A word or a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Highlight {
    text: String,
    /// Also matches a word that begins with this one.
    prefix: bool,
}

impl Highlight {
    /// This word.
    pub(crate) fn word(word: &str) -> Self {
        Self { text: word.to_owned(), prefix: false }
    }

    /// The words that the line of a `/search` looks for; empty if the line is no search.
    pub(crate) fn all_in(line: &str) -> Vec<Self> {
        let Ok(Command::Search(search)) = parse(line).command else { return Vec::new() };
        let sought = |phrase: chat_proto::command::SearchPhrase| Self {
            text: phrase.text.as_str().to_owned(),
            prefix: phrase.prefix,
        };
        search.words.into_iter().map(sought).collect()
    }

    /// The first match of any of them in the text; the longest at that position.
    pub(crate) fn first_of(all: &[Self], text: &str) -> Option<Range<usize>> {
        all.iter()
            .filter_map(|sought| word_at(text, &sought.text, sought.prefix))
            .min_by_key(|at| (at.start, usize::MAX - at.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_words_are_found_in_hits() {
        for (search, text, found) in [
            ("/search deploy", "we Deploy now", Some("Deploy")),
            ("/search deploy", "redeploy deployed", None),
            ("/search dep*", "redeploy deployed", Some("dep")),
            ("/search \"release notes\" now", "the release notes now", Some("release notes")),
            ("/sea #dev from:bob now", "not now", Some("now")),
            ("/search from:bob", "hello bob", None),
            ("/users now", "now", None),
        ] {
            let all = Highlight::all_in(search);
            assert_eq!(
                Highlight::first_of(&all, text).map(|at| &text[at]),
                found,
                "{search}: {text}"
            );
        }
    }
}
