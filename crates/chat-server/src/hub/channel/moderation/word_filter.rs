//! Filters words and links.
//!
//! Patterns are compiled on first use, by the thread that needs them and not under a channel's
//! lock. Matching takes time linear in the length of the text, whatever the patterns are.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use chat_proto::setting::WordPattern;
use chat_proto::spelling::spellings;
use memchr::memmem;

/// Hits in one word before all patterns are tried on it instead. A long word of one letter can
/// contain a part of each pattern at each position.
const MOST_FOUND: usize = 64;

/// A set of patterns.
#[derive(Clone, Debug, Default)]
pub(crate) struct WordFilter(Arc<Patterns>);

#[derive(Debug, Default)]
struct Patterns {
    all: Vec<WordPattern>,
    matcher: OnceLock<Matcher>,
}

/// A changed set is compiled again.
impl Clone for Patterns {
    fn clone(&self) -> Self {
        Self { all: self.all.clone(), matcher: OnceLock::new() }
    }
}

impl WordFilter {
    pub(crate) fn patterns(&self) -> &[WordPattern] {
        &self.0.all
    }

    pub(super) fn add(&mut self, pattern: WordPattern) {
        if !self.0.all.contains(&pattern) {
            self.change(|all| all.push(pattern));
        }
    }

    pub(super) fn remove(&mut self, pattern: &WordPattern) {
        self.change(|all| all.retain(|other| other != pattern));
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<WordPattern>)) {
        let patterns = Arc::make_mut(&mut self.0);
        patterns.matcher = OnceLock::new();
        change(&mut patterns.all);
    }

    /// The first pattern that matches a word of the text. Words are separated by spaces; runs of
    /// letters and digits in them count too, in every spelling.
    fn find(&self, text: &str) -> Option<&WordPattern> {
        let Patterns { all, matcher } = &*self.0;
        if all.is_empty() {
            return None;
        }
        let matcher = matcher.get_or_init(|| Matcher::new(all));
        let found = spellings(text).find_map(|text| matcher.find(&text));
        all.get(found?)
    }
}

/// Compiled patterns, by number.
#[derive(Debug)]
struct Matcher {
    /// Those without a star.
    whole: HashMap<Box<str>, usize>,
    starred: Vec<(usize, Starred)>,
    /// Finds the longest part of each pattern with a star; without a value, each pattern is tried
    /// on each word.
    parts: Option<AhoCorasick>,
}

/// A pattern with stars: the parts before, between and after them.
#[derive(Debug)]
struct Starred(Box<[Box<str>]>);

impl Matcher {
    fn new(patterns: &[WordPattern]) -> Self {
        let (mut whole, mut starred) = (HashMap::new(), Vec::new());
        for (number, pattern) in patterns.iter().enumerate() {
            let spelled: String = spellings(pattern.as_str()).take(1).collect();
            if spelled.contains('*') {
                starred.push((number, Starred(spelled.split('*').map(Into::into).collect())));
            } else {
                whole.entry(spelled.into()).or_insert(number);
            }
        }
        let longest = starred.iter().map(|(_, pattern)| pattern.longest());
        let parts =
            AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(longest);
        if let Err(error) = &parts {
            tracing::warn!(%error, "can't build the matcher of a word filter; its patterns are matched one by one");
        }
        Self { whole, starred, parts: parts.ok() }
    }

    /// The number of the first pattern that matches, in the first word with a match.
    fn find(&self, text: &str) -> Option<usize> {
        let is_between = |c: char| !c.is_alphanumeric();
        // A run that is a whole word was tried already.
        let broken = text.split_whitespace().filter(|word| word.contains(is_between));
        let runs = broken.flat_map(|word| word.split(is_between)).filter(|run| !run.is_empty());
        text.split_whitespace().chain(runs).find_map(|word| {
            let whole = self.whole.get(word).copied();
            whole.into_iter().chain(self.find_starred(word)).min()
        })
    }

    fn find_starred(&self, word: &str) -> Option<usize> {
        let fits = |(number, pattern): &(usize, Starred)| pattern.fits(word).then_some(*number);
        let Some(parts) = &self.parts else { return self.starred.iter().find_map(fits) };
        // Most words contain no part.
        let mut found = parts.find_overlapping_iter(word).map(|found| found.pattern().as_usize());
        let one = found.next()?;
        let mut has_part = vec![false; self.starred.len()];
        for (nth, one) in std::iter::once(one).chain(found).enumerate() {
            if nth == MOST_FOUND {
                return self.starred.iter().find_map(fits);
            }
            if let Some(has_part) = has_part.get_mut(one) {
                *has_part = true;
            }
        }
        let all = self.starred.iter().zip(has_part).filter(|(_, has_part)| *has_part);
        all.map(|(pattern, _)| pattern).find_map(fits)
    }
}

impl Starred {
    fn longest(&self) -> &str {
        self.0.iter().max_by_key(|part| part.len()).map_or("", |part| &**part)
    }

    /// Each part is searched after the previous one, so each byte is scanned once.
    fn fits(&self, word: &str) -> bool {
        let [first, inner @ .., last] = &*self.0 else { return false };
        let rest = word.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last));
        let Some(mut rest) = rest.map(str::as_bytes) else { return false };
        inner.iter().all(|part| {
            let found = memmem::find(rest, part.as_bytes());
            let behind = found.and_then(|at| rest.get(at + part.len()..));
            rest = behind.unwrap_or_default();
            behind.is_some()
        })
    }
}

/// The filter of a channel, cloned to run without the channel's lock.
#[derive(Clone, Debug)]
pub(crate) struct TextFilter {
    pub(super) words: WordFilter,
    pub(super) no_links: bool,
}

/// What a filter matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FilterMatch {
    Word(WordPattern),
    Link,
}

/// The result of a filter for a text; valid while the channel has the same filter.
#[derive(Clone, Debug)]
pub(crate) struct FilterVerdict {
    filter: TextFilter,
    pub(crate) hit: Option<FilterMatch>,
}

impl TextFilter {
    /// Whether nothing has changed since the other was cloned.
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.words.0, &other.words.0) && self.no_links == other.no_links
    }

    /// The first match in a text.
    pub(crate) fn find(&self, text: &str) -> Option<FilterMatch> {
        let word = self.words.find(text).map(|pattern| FilterMatch::Word(pattern.clone()));
        word.or_else(|| (self.no_links && has_link(text)).then_some(FilterMatch::Link))
    }

    /// Runs the filter and keeps the result.
    pub(crate) fn check(self, text: &str) -> FilterVerdict {
        let hit = self.find(text);
        FilterVerdict { filter: self, hit }
    }
}

impl FilterVerdict {
    /// Whether it is the result of this filter.
    pub(crate) fn is_of(&self, filter: &TextFilter) -> bool {
        self.filter.is_same(filter)
    }
}

/// Whether a text contains a link: a scheme, or the usual start of a web address.
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

    use regex::RegexSet;

    use chat_proto::limits::{MAX_LINE_BYTES, MAX_PATTERN_CHARS, MAX_PATTERNS};

    use super::*;

    fn words(patterns: &[&str]) -> WordFilter {
        let mut words = WordFilter::default();
        for pattern in patterns {
            words.add(WordPattern::new(pattern).unwrap());
        }
        words
    }

    #[test]
    fn a_word_is_found_in_every_spelling() {
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
            assert_eq!(words.find(text).map(WordPattern::as_str), found, "{text}");
        }
    }

    #[test]
    fn a_removed_pattern_does_not_match() {
        let mut words = words(&["bad", "worse"]);
        words.remove(&WordPattern::new("bad").unwrap());
        assert!(words.find("bad").is_none() && words.find("worse").is_some());
        words.remove(&WordPattern::new("worse").unwrap());
        assert!(words.find("worse").is_none());
    }

    #[test]
    fn the_worst_patterns_match_the_longest_line_quickly() {
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

    /// The reference: patterns as regular expressions.
    #[test]
    fn patterns_are_matched_as_regular_expressions_would() {
        let mut state = 12345_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut found = 0;
        for _ in 0..2000 {
            let mut word = |letters: &[char], most: usize| -> String {
                let length = 1 + random(most);
                (0..length).map(|_| letters[random(letters.len())]).collect()
            };
            let patterns: Vec<String> = (0..5)
                .map(|_| word(&['a', 'b', '*', '+'], 6))
                .filter(|it| it.contains(['a', 'b']))
                .collect();
            let text = word(&['a', 'b', '+', ' ', '-'], 24);
            let expressions = patterns.iter().map(|pattern| {
                let parts: Vec<String> = pattern.split('*').map(regex::escape).collect();
                format!("^{}$", parts.join(".*"))
            });
            let set = RegexSet::new(expressions).unwrap();
            let runs = text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty());
            let mut all = text.split_whitespace().chain(runs);
            let expected = all.find_map(|word| set.matches(word).iter().next());
            let mut words = WordFilter::default();
            for pattern in &patterns {
                words.add(WordPattern::new(pattern).unwrap());
            }
            let expected = expected.map(|at| patterns[at].as_str());
            assert_eq!(
                words.find(&text).map(WordPattern::as_str),
                expected,
                "{patterns:?} {text:?}"
            );
            found += usize::from(expected.is_some());
        }
        assert!((200..1800).contains(&found), "{found}");
    }

    #[test]
    fn a_verdict_is_valid_until_the_filter_changes() {
        let mut now = TextFilter { words: words(&["bad"]), no_links: false };
        let verdict = now.clone().check("a bad word");
        assert!(verdict.is_of(&now) && verdict.hit.is_some());
        now.words.add(WordPattern::new("worse").unwrap());
        assert!(!verdict.is_of(&now));
        let verdict = now.clone().check("a good word");
        now.no_links = true;
        assert!(!verdict.is_of(&now) && verdict.hit.is_none());
    }
}
