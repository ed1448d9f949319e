//! How words of any language are found.
//!
//! SQLite's tokenizer splits at what is no letter or digit. Scripts that put no blanks between words
//! would be one long word for it, so each of their characters is made a word of its own, and what is
//! looked for becomes a phrase of such words.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_script::{Script, UnicodeScript as _};

/// Whether words are written without blanks between them in this character's script.
fn is_unspaced(c: char) -> bool {
    c >= '\u{0E00}'
        && matches!(
            c.script(),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
        )
}

/// A text as it is indexed.
pub(super) fn indexed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.chars().any(is_unspaced) {
        return Cow::Borrowed(text);
    }
    let mut spaced = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if is_unspaced(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    Cow::Owned(spaced)
}

/// An FTS5 expression for lines that have all these phrases (whose last word may go on) and, if given, this
/// author. Everything of the asker's is in quotes, so nothing of it is syntax.
pub(super) fn expression(phrases: &[(&str, bool)], author: Option<&str>) -> String {
    let mut made = String::new();
    for (text, prefix) in phrases {
        let between = if made.is_empty() { "" } else { " AND " };
        let star = if *prefix { " *" } else { "" };
        let quoted = indexed(text).replace('"', "\"\"");
        let _ = write!(made, "{between}text : \"{quoted}\"{star}");
    }
    if let Some(author) = author {
        let between = if made.is_empty() { "" } else { " AND " };
        let quoted = indexed(author).replace('"', "\"\"");
        let _ = write!(made, "{between}author : \"{quoted}\"");
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unspaced_scripts_are_split() {
        for (text, made) in [
            ("plain words", "plain words"),
            ("größer été", "größer été"),
            ("東京に行く", " 東  京  に  行  く "),
            ("한국어 낱말", "한국어 낱말"),
            ("a東b", "a 東 b"),
        ] {
            assert_eq!(indexed(text), made);
        }
    }

    #[test]
    fn nothing_of_the_askers_is_syntax() {
        let made = expression(&[("a\" OR \"b", false), ("rel", true)], Some("bob"));
        assert_eq!(made, "text : \"a\"\" OR \"\"b\" AND text : \"rel\" * AND author : \"bob\"");
    }
}
