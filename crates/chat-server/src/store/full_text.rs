//! Tokenization for full-text search.
//!
//! SQLite's tokenizer splits at characters that are no letters or digits. In scripts without spaces
//! a sentence would be one word. So each character of these scripts becomes a word, and a search
//! term becomes a phrase of such words.

use std::borrow::Cow;
use std::fmt::Write as _;

use chat_proto::fold::folded;
use unicode_script::{Script, UnicodeScript as _};

/// Whether the script of a character writes words without spaces.
pub(super) fn is_unspaced(c: char) -> bool {
    // The Japanese long vowel sign belongs to no script.
    c >= '\u{0E00}'
        && (c == 'ー'
            || matches!(
                c.script(),
                Script::Han
                    | Script::Hiragana
                    | Script::Katakana
                    | Script::Thai
                    | Script::Lao
                    | Script::Khmer
                    | Script::Myanmar
            ))
}

/// Returns a text as it is indexed. The tokenizer folds ASCII capitals itself.
pub(super) fn indexed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut made = String::with_capacity(text.len() * 2);
    for c in folded(text).chars() {
        if is_unspaced(c) {
            made.extend([' ', c, ' ']);
        } else {
            made.push(c);
        }
    }
    Cow::Owned(made)
}

/// Returns an FTS5 expression for lines with all these phrases (the last word of a phrase may be a
/// prefix) and, if given, this author. User input is quoted, so none of it is syntax.
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
    fn words_are_found_however_they_are_written() {
        for (text, made) in [
            ("plain words", "plain words"),
            ("größer été", "grosser ete"),
            ("東京に行く", " 東  京  に  行  く "),
            ("한국어 낱말", "한국어 낱말"),
            ("a東b", "a 東 b"),
            ("サーバー2", " サ  ー  バ  ー 2"),
            ("ＡＢＣ ｶﾞ", "abc  ガ "),
            ("Ёлка ёж мой", "елка еж мой"),
            ("كِتَاب שָׁלוֹם", "كتاب שלום"),
        ] {
            assert_eq!(indexed(text), made);
        }
    }

    #[test]
    fn user_input_is_never_syntax() {
        let made = expression(&[("a\" OR \"b", false), ("rel", true)], Some("bob"));
        assert_eq!(made, "text : \"a\"\" OR \"\"b\" AND text : \"rel\" * AND author : \"bob\"");
    }
}
