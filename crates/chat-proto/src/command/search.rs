//! The query of `/search`.
//!
//! A query is a list of items separated by blanks: a word, a phrase `"several words"`, either of
//! them with a `*` behind it for a prefix search, and the filters `from:`, `in:` and `before:`,
//! each at most once and not in quotes. The first item may be a conversation.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::Offset;

use super::Command;
use super::words::{conversation, digits, user_name};
use crate::command_table::CommandSpec;
use crate::conversation::Conversation;
use crate::id::MessageId;
use crate::limits::{MAX_SEARCH_BEGINNINGS, MAX_SEARCH_WORDS};
use crate::name::UserName;
use crate::refusal::Refusal;
use crate::text::Text;
use crate::time::Timestamp;

/// A search for the messages that match all of its fields. It has [`words`](Self::words), or
/// [`from`](Self::from), or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// Only in this conversation, instead of all that the client may read.
    pub within: Option<Conversation>,
    /// Only messages from this user.
    pub from: Option<UserName>,
    /// Only messages sent before this.
    pub before: Option<SearchCursor>,
    /// At most [`MAX_SEARCH_WORDS`].
    pub words: Vec<SearchPhrase>,
}

/// The position at which a search, newest first, begins or continues: at the messages sent before a
/// time, and at those of that time with a smaller id. With the id 0 the time is the beginning of a
/// day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchCursor {
    /// The time.
    pub time: Timestamp,
    /// The id, 0 for a day.
    pub id: MessageId,
}

impl fmt::Display for SearchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            MessageId(0) => write!(f, "before:{}", self.time.date()),
            id => write!(f, "before:{}/{id}", self.time.rfc3339()),
        }
    }
}

impl SearchCursor {
    /// Parses the value of `before:`.
    pub(super) fn read(value: &str) -> Result<Self, Refusal> {
        let read = match value.split_once('/') {
            None => day(value).map(|time| Self { time, id: MessageId(0) }),
            Some((time, id)) => moment(time)
                .zip(digits(id).filter(|id| *id > 0 && i64::try_from(*id).is_ok()))
                .map(|(time, id)| Self { time, id: MessageId(id) }),
        };
        read.ok_or_else(|| Refusal::bad_day(value))
    }
}

/// Consecutive words; often only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPhrase {
    /// It contains a letter or digit and no quotation mark, and is trimmed.
    pub text: Text,
    /// Whether the last word is a prefix.
    pub prefix: bool,
}

impl fmt::Display for SearchQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut item = |f: &mut fmt::Formatter<'_>, shown: &dyn fmt::Display| {
            write!(f, "{between}{shown}")?;
            between = " ";
            Ok(())
        };
        if let Some(conversation) = &self.within {
            item(f, conversation)?;
        }
        if let Some(user) = &self.from {
            item(f, &format_args!("from:{user}"))?;
        }
        if let Some(before) = self.before {
            item(f, &before)?;
        }
        self.words.iter().try_for_each(|phrase| item(f, phrase))
    }
}

impl fmt::Display for SearchPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.as_str();
        // Text that could have another meaning without quotes is quoted.
        let quote = if text.chars().all(char::is_alphanumeric) { "" } else { "\"" };
        let star = if self.prefix { "*" } else { "" };
        write!(f, "{quote}{text}{quote}{star}")
    }
}

/// Parses the arguments of `/search`.
pub(super) fn search(spec: &CommandSpec, rest: &str) -> Result<Command, Refusal> {
    let mut found = SearchQuery::default();
    let mut signs = None;
    let mut left = rest.trim_start();
    let mut first = true;
    while !left.is_empty() {
        let (item, behind) = next_item(left);
        let typed = left.strip_suffix(behind).unwrap_or(left);
        left = behind.trim_start();
        let phrase = match item {
            SearchToken::Quoted { text, prefix } => Some((text, prefix)),
            SearchToken::Word(word) if first && word.starts_with(['#', '@']) => {
                found.within = Some(conversation(word)?);
                None
            }
            SearchToken::Word(word) if filter(&mut found, word)? => None,
            SearchToken::Word(word) => {
                let text = word.trim_end_matches('*');
                Some((text, text.len() < word.len()))
            }
        };
        first = false;
        let Some((text, prefix)) = phrase else { continue };
        match Text::new(text.trim()).filter(|_| text.contains(char::is_alphanumeric)) {
            Some(text) => found.words.push(SearchPhrase { text, prefix }),
            // A dash between words is skipped: the words of the index are letters and digits.
            None => signs = signs.or(Some(typed)),
        }
    }
    let beginnings = found.words.iter().filter(|phrase| phrase.prefix).count();
    if beginnings > MAX_SEARCH_BEGINNINGS {
        return Err(Refusal::too_many_search_beginnings(beginnings));
    }
    match (found.words.len(), signs) {
        (0, Some(signs)) => Err(Refusal::nothing_to_search(signs)),
        (0, None) if found.from.is_none() => Err(Refusal::missing_argument(spec)),
        (words, _) if words > MAX_SEARCH_WORDS => Err(Refusal::too_many_search_words(words)),
        _ => Ok(Command::Search(found)),
    }
}

enum SearchToken<'a> {
    /// Includes a trailing `*`, if any.
    Word(&'a str),
    Quoted {
        text: &'a str,
        prefix: bool,
    },
}

/// Splits off the first item. A quotation mark always begins or ends an item, so no item contains
/// one; an unclosed one is closed by the end of the line.
fn next_item(left: &str) -> (SearchToken<'_>, &str) {
    let Some(quoted) = left.strip_prefix('"') else {
        let end = left.find(|c: char| c == '"' || c.is_whitespace()).unwrap_or(left.len());
        let (word, behind) = left.split_at(end);
        return (SearchToken::Word(word), behind);
    };
    let (text, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
    let without_stars = behind.trim_start_matches('*');
    (SearchToken::Quoted { text, prefix: without_stars.len() < behind.len() }, without_stars)
}

/// Parses a filter into the query; `false` if the word is none.
fn filter(found: &mut SearchQuery, word: &str) -> Result<bool, Refusal> {
    let Some((filter, value)) = word.split_once(':') else { return Ok(false) };
    let filter = filter.to_ascii_lowercase();
    let again = match filter.as_str() {
        "from" | "in" | "before" if value.is_empty() => return Err(Refusal::empty_filter(&filter)),
        "from" => found.from.replace(user_name(value)?).is_some(),
        "in" => found.within.replace(conversation(value)?).is_some(),
        "before" => found.before.replace(SearchCursor::read(value)?).is_some(),
        _ => return Ok(false),
    };
    if again { Err(Refusal::filter_twice(&filter)) } else { Ok(true) }
}

/// Whether a word has this shape, in which `0` is any digit.
fn is_shaped(word: &str, shape: &str) -> bool {
    let fits = |(byte, shape): (u8, u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        sign => byte == sign,
    };
    word.len() == shape.len() && word.bytes().zip(shape.bytes()).all(fits)
}

/// Parses a time like `2026-11-22T07:44:05.120Z`.
fn moment(word: &str) -> Option<Timestamp> {
    Timestamp::from_rfc3339(word).filter(|_| is_shaped(word, "0000-00-00T00:00:00.000Z"))
}

/// Parses a day like `2026-11-01` to its beginning in UTC.
fn day(word: &str) -> Option<Timestamp> {
    if !is_shaped(word, "0000-00-00") {
        return None;
    }
    let day: Date = word.parse().ok()?;
    let begins = Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp(begins.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::parse;
    use crate::refusal::Code;

    fn check(typed: &str, printed: &str) {
        let line = format!("/search {typed}");
        let command = parse(&line).command.unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"));
        assert_eq!(command.to_string(), format!("/search {printed}"), "{line}");
        assert_eq!(parse(&command.to_string()).command.as_ref(), Ok(&command), "{line}");
    }

    #[test]
    fn arguments_are_parsed() {
        for (typed, printed) in [
            ("release", "release"),
            ("two  words", "two words"),
            ("\"release notes\"", "\"release notes\""),
            ("\"one\"", "one"),
            ("\" blanks  kept \"", "\"blanks  kept\""),
            ("deploy*", "deploy*"),
            ("deploy***", "deploy*"),
            ("\"release no\"*", "\"release no\"*"),
            ("\"a star*\"", "\"a star*\""),
            ("\"not closed", "\"not closed\""),
            ("word\"a b\"word", "word \"a b\" word"),
            ("from:bob", "from:bob"),
            ("FROM:@Bob x", "from:Bob x"),
            ("\"from:bob\"", "\"from:bob\""),
            ("x in:dev", "#dev x"),
            ("x In:#dev", "#dev x"),
            ("x in:@bob", "@bob x"),
            ("#dev x", "#dev x"),
            ("@bob x", "@bob x"),
            ("x #dev", "x \"#dev\""),
            ("\"#dev\" x", "\"#dev\" x"),
            ("x before:2026-11-01", "before:2026-11-01 x"),
            ("x before:0001-01-01", "before:0001-01-01 x"),
            ("x before:2026-11-22T07:44:05.120Z/17", "before:2026-11-22T07:44:05.120Z/17 x"),
            ("from:bob before:2024-02-29 in:#dev x", "#dev from:bob before:2024-02-29 x"),
            ("https://example.org 12:30", "\"https://example.org\" \"12:30\""),
            ("a - b", "a b"),
            ("a \"\" ***", "a"),
            ("世界\u{3000}hello", "世界 hello"),
        ] {
            check(typed, printed);
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let Ok(Command::Search(search)) = parse("/search x before:2026-11-22").command else {
            panic!("refused")
        };
        let time = Timestamp(1_795_305_600_000);
        assert_eq!(search.before, Some(SearchCursor { time, id: MessageId(0) }));
    }

    #[test]
    fn invalid_queries_are_refused() {
        for (typed, code) in [
            ("", Code::MissingArgument),
            ("#dev", Code::MissingArgument),
            ("in:dev before:2026-11-01", Code::MissingArgument),
            ("***", Code::BadArgument),
            ("\"\"", Code::BadArgument),
            ("from:bob 🎉", Code::BadArgument),
            ("from: bob", Code::BadArgument),
            ("x in:", Code::BadArgument),
            ("x before:", Code::BadArgument),
            ("from:bob from:carol", Code::BadArgument),
            ("x in:dev in:dev", Code::BadArgument),
            ("#dev x in:dev", Code::BadArgument),
            ("x before:2026-11-01 before:2026-11-02", Code::BadArgument),
            ("x before:yesterday", Code::BadArgument),
            ("x before:2026-02-29", Code::BadArgument),
            ("x before:2026-11-1", Code::BadArgument),
            ("x before:2026-11-01T00:00", Code::BadArgument),
            ("x before:2026-11-22T07:44:05.120Z", Code::BadArgument),
            ("x before:2026-11-22T07:44:05.120Z/0", Code::BadArgument),
            ("x before:2026-11-22T07:44:05.120Z/-1", Code::BadArgument),
            ("x before:2026-11-22/17", Code::BadArgument),
            ("x before:2026-02-29T07:44:05.120Z/17", Code::BadArgument),
            ("x from:-", Code::BadName),
            ("# x", Code::BadName),
        ] {
            let line = format!("/search {typed}");
            assert_eq!(parse(&line).command.map_err(|refusal| refusal.code()), Err(code), "{line}");
        }
    }

    #[test]
    fn the_number_of_words_is_bounded() {
        let words = |count| format!("/search {}", vec!["word"; count].join(" "));
        assert!(parse(&words(MAX_SEARCH_WORDS)).command.is_ok());
        let beginnings = |count| format!("/search {}", vec!["w*"; count].join(" "));
        assert!(parse(&beginnings(MAX_SEARCH_BEGINNINGS)).command.is_ok());
        let refusal = parse(&beginnings(MAX_SEARCH_BEGINNINGS + 1)).command.unwrap_err();
        assert_eq!(refusal, Refusal::too_many_search_beginnings(MAX_SEARCH_BEGINNINGS + 1));
        let refusal = parse(&words(MAX_SEARCH_WORDS + 1)).command.unwrap_err();
        assert_eq!(refusal, Refusal::too_many_search_words(MAX_SEARCH_WORDS + 1));
    }
}
