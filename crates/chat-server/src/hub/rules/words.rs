//! Words and links that are refused.

use chat_proto::setting::Pattern;
use chat_proto::spelling::spellings;
use regex::{RegexSet, RegexSetBuilder};

/// Bytes that the compiled patterns of a channel may take. All patterns that a channel can have take a fraction.
const MAX_COMPILED_BYTES: usize = 8 * 1024 * 1024;

/// Patterns of words, compiled into one automaton: a text is looked through in a time that grows with its length
/// alone, whatever the patterns are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    patterns: Vec<Pattern>,
    compiled: Option<RegexSet>,
}

impl Words {
    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    pub(super) fn add(&mut self, pattern: Pattern) {
        if !self.patterns.contains(&pattern) {
            self.patterns.push(pattern);
            self.compile();
        }
    }

    pub(super) fn remove(&mut self, pattern: &Pattern) {
        self.patterns.retain(|other| other != pattern);
        self.compile();
    }

    fn compile(&mut self) {
        let expressions = self.patterns.iter().map(|pattern| {
            let spelled: String = spellings(pattern.as_str()).take(1).collect();
            let parts: Vec<String> = spelled.split('*').map(regex::escape).collect();
            format!("^{}$", parts.join(".*"))
        });
        let compiled = RegexSetBuilder::new(expressions).size_limit(MAX_COMPILED_BYTES).build();
        self.compiled = match compiled {
            Ok(compiled) => Some(compiled).filter(|_| !self.patterns.is_empty()),
            Err(error) => {
                tracing::error!(%error, "patterns of words that can't be compiled are passed over");
                None
            }
        };
    }

    /// The first pattern that a word of the text fits. Words are what stands between blanks, and the runs of
    /// letters and digits in it, however they are spelled.
    pub(crate) fn find(&self, text: &str) -> Option<&Pattern> {
        let compiled = self.compiled.as_ref()?;
        let found = spellings(text).find_map(|text| {
            let runs = text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty());
            let mut words = text.split_whitespace().chain(runs);
            words.find_map(|word| compiled.matches(word).iter().next())
        });
        self.patterns.get(found?)
    }
}

/// Whether a text holds a link: what has a scheme, or begins as the names of web servers do.
pub(crate) fn has_link(text: &str) -> bool {
    let begins_like_one = |word: &str| {
        let bare = word.trim_start_matches(|c: char| !c.is_alphanumeric());
        bare.starts_with("www.") || bare.starts_with("mailto:")
    };
    spellings(text).any(|text| text.contains("://") || text.split_whitespace().any(begins_like_one))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use chat_proto::limits::{MAX_LINE_BYTES, MAX_PATTERN_CHARS, MAX_PATTERNS};

    use super::*;

    fn words(patterns: &[&str]) -> Words {
        let mut words = Words::default();
        for pattern in patterns {
            words.add(Pattern::new(pattern).unwrap());
        }
        words
    }

    #[test]
    fn a_word_is_found_however_it_is_written() {
        let words = words(&["bad", "spam*", "*坏话*", "c++", "größe"]);
        for (text, found) in [
            ("a bad word", Some("bad")),
            ("BAD!", Some("bad")),
            ("not-bad", Some("bad")),
            ("ｂａｄ", Some("bad")),
            ("b\u{200B}ad", Some("bad")),
            ("b\u{AD}ad", Some("bad")),
            ("b\u{430}d", Some("bad")),
            ("b\u{E1}d", Some("bad")),
            ("sparn", None),
            ("badly put", None),
            ("spammers", Some("spam*")),
            ("no spa m", None),
            ("你说坏话了", Some("*坏话*")),
            ("I write c++ code", Some("c++")),
            ("I write c code", None),
            ("GRÖSSE", Some("größe")),
            ("grosse", Some("größe")),
            ("GRÖßE", Some("größe")),
            ("Große", Some("größe")),
            ("nothing", None),
        ] {
            assert_eq!(words.find(text).map(Pattern::as_str), found, "{text}");
        }
    }

    #[test]
    fn what_is_taken_out_is_found_no_more() {
        let mut words = words(&["bad", "worse"]);
        words.remove(&Pattern::new("bad").unwrap());
        assert!(words.find("bad").is_none() && words.find("worse").is_some());
        words.remove(&Pattern::new("worse").unwrap());
        assert!(words.find("worse").is_none());
    }

    #[test]
    fn the_worst_patterns_and_the_longest_line_take_no_time() {
        let worst: Vec<String> = ('a'..='z')
            .chain('α'..='ω')
            .take(MAX_PATTERNS)
            .map(|c| format!("{}{c}", "*a".repeat(MAX_PATTERN_CHARS / 2 - 1)))
            .collect();
        let worst: Vec<&str> = worst.iter().map(String::as_str).collect();
        let words = words(&worst);
        assert_eq!(words.patterns().len(), MAX_PATTERNS);
        assert!(words.find(&format!("{}a", "a".repeat(100))).is_some());
        let line = format!("{}!", "a".repeat(MAX_LINE_BYTES - 1));
        let begun = Instant::now();
        for _ in 0..10 {
            words.find(&line);
        }
        // A backtracking matcher would take years.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn links_are_found() {
        for (text, is_link) in [
            ("see https://example.org/x", true),
            ("HTTP://EXAMPLE.ORG", true),
            ("(www.example.org)", true),
            ("write to mailto:bob@example.org", true),
            ("a//b and c:d", false),
            ("example.org is a name", false),
            ("h\u{200B}ttps:\u{AD}//example.org", true),
            ("ｗｗｗ.example.org", true),
            ("awww. no", false),
        ] {
            assert_eq!(has_link(text), is_link, "{text}");
        }
    }
}
