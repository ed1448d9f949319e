//! The line being typed and its cursor, which moves by grapheme clusters.

use unicode_segmentation::UnicodeSegmentation as _;

/// A line and the position of the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffer {
    text: String,
    /// In bytes, always on a boundary of a grapheme cluster.
    cursor: usize,
    /// The text that was cut last, for pasting.
    cut: String,
}

impl Buffer {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    pub(super) fn after(&self) -> &str {
        &self.text[self.cursor..]
    }

    /// Replaces the line; the cursor is at its end.
    pub(super) fn set(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.cursor = self.text.len();
    }

    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
    }

    /// Replaces the characters from `start` up to the cursor with `text`.
    pub(super) fn replace_before(&mut self, start: usize, text: &str) {
        self.text.replace_range(start..self.cursor, text);
        self.cursor = start + text.len();
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.one_left();
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.one_right();
    }

    pub(super) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub(super) fn word_left(&mut self) {
        self.cursor = self.start_of_word();
    }

    pub(super) fn word_right(&mut self) {
        self.cursor = self.end_of_word();
    }

    pub(super) fn erase_left(&mut self) {
        let start = self.one_left();
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }

    pub(super) fn erase_right(&mut self) {
        let end = self.one_right();
        self.text.drain(self.cursor..end);
    }

    pub(super) fn cut_word_left(&mut self) {
        self.cut(self.start_of_word(), self.cursor);
    }

    pub(super) fn cut_word_right(&mut self) {
        self.cut(self.cursor, self.end_of_word());
    }

    pub(super) fn cut_to_start(&mut self) {
        self.cut(0, self.cursor);
    }

    pub(super) fn cut_to_end(&mut self) {
        self.cut(self.cursor, self.text.len());
    }

    pub(super) fn put_back(&mut self) {
        let cut = self.cut.clone();
        self.insert(&cut);
    }

    fn cut(&mut self, start: usize, end: usize) {
        if start < end {
            self.cut = self.text.drain(start..end).collect();
            self.cursor = start;
        }
    }

    fn one_left(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn one_right(&self) -> usize {
        self.cursor + self.after().graphemes(true).next().map_or(0, str::len)
    }

    fn start_of_word(&self) -> usize {
        let before = self.before().trim_end();
        before
            .char_indices()
            .rfind(|(_, c)| c.is_whitespace())
            .map_or(0, |(at, c)| at + c.len_utf8())
    }

    fn end_of_word(&self) -> usize {
        let after = self.after();
        let word = after.len() - after.trim_start().len();
        self.cursor + word + after[word..].find(char::is_whitespace).unwrap_or(after.len() - word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with `|` where the cursor is.
    fn line(marked: &str) -> Buffer {
        let (before, after) = marked.split_once('|').unwrap();
        Buffer { text: format!("{before}{after}"), cursor: before.len(), cut: String::new() }
    }

    fn check(marked: &str, edit: impl Fn(&mut Buffer), expected: &str) {
        let mut buffer = line(marked);
        edit(&mut buffer);
        assert_eq!(format!("{}|{}", buffer.before(), buffer.after()), expected, "{marked}");
    }

    #[test]
    fn moves() {
        check("ab|", Buffer::left, "a|b");
        check("|ab", Buffer::left, "|ab");
        check("ab|", Buffer::right, "ab|");
        check("漢字|", Buffer::left, "漢|字");
        check("e\u{301}|", Buffer::left, "|e\u{301}");
        check("👩‍👩‍👧|x", Buffer::left, "|👩‍👩‍👧x");
        check("|👩‍👩‍👧x", Buffer::right, "👩‍👩‍👧|x");
        check("one two  |", Buffer::word_left, "one |two  ");
        check("one| two", Buffer::word_right, "one two|");
        check("on|e two", Buffer::word_right, "one| two");
        check("|", Buffer::word_left, "|");
        check("a\u{3000}b|", Buffer::word_left, "a\u{3000}|b");
        check("a|b", Buffer::home, "|ab");
        check("a|b", Buffer::end, "ab|");
    }

    #[test]
    fn erases() {
        check("漢字|x", Buffer::erase_left, "漢|x");
        check("|x", Buffer::erase_left, "|x");
        check("a|👩‍👩‍👧b", Buffer::erase_right, "a|b");
        check("a|", Buffer::erase_right, "a|");
        check("one two|!", Buffer::cut_word_left, "one |!");
        check("one| two three", Buffer::cut_word_right, "one| three");
        check("on|e", Buffer::cut_to_start, "|e");
        check("on|e", Buffer::cut_to_end, "on|");
    }

    #[test]
    fn cut_text_can_be_pasted() {
        let back = |buffer: &mut Buffer| {
            buffer.cut_to_start();
            buffer.cut_to_start();
            buffer.end();
            buffer.put_back();
        };
        check("on|e", back, "eon|");
    }

    #[test]
    fn inserts_and_replaces() {
        check("a|b", |buffer| buffer.insert("xy"), "axy|b");
        check("hi bo|!", |buffer| buffer.replace_before(3, "bob "), "hi bob |!");
    }
}
