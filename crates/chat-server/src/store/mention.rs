//! Lines that mention a name.

use chat_proto::fold::folded;
use unicode_normalization::char::is_combining_mark;

use super::StoreError;
use super::cutoff::Cutoff;
use super::full_text::{expression, is_unspaced};
use super::pending_redactions::PendingRedactions;
use super::reader::{Reader, STEPS_BETWEEN_LOOKS};
use super::row::{StoreKey, StoredLine, rowid};
use super::search::{SearchHits, newest, newest_between};
use super::viewer::Viewer;
use crate::util::sync::lock;

/// A query for mentions.
#[derive(Clone, Copy, Debug)]
pub struct MentionQuery<'a> {
    /// The viewer. Their own lines don't count.
    pub viewer: Viewer<'a>,
    /// The mentioned name.
    pub name: &'a str,
    /// The channels to search: folded name with `#`, and the id after which to search.
    pub channels: &'a [(String, u64)],
    /// Only lines before this time, or at it with a smaller id.
    pub before: Option<(i64, u64)>,
    /// Maximum number of lines.
    pub most: usize,
}

impl Reader {
    /// Returns the newest lines with the name as a word of its own, newest last.
    ///
    /// # Errors
    ///
    /// Of kind `TooLong` past the cutoff.
    pub fn mentions(
        &self,
        asked: &MentionQuery<'_>,
        cutoff: &Cutoff,
    ) -> Result<SearchHits, StoreError> {
        let MentionQuery { viewer, name, channels, before, most } = *asked;
        let words = expression(&[(name, false)], None);
        let (name, own) = (folded(name), (viewer.fold)(name));
        let erasing = PendingRedactions::now(&lock(self.connection()))?;
        let wanted = |line: &StoredLine| {
            before.is_none_or(|before| (line.time, line.id) < before)
                && line.account != Some(viewer.user_id)
                && !line.account.is_some_and(|account| erasing.has(account))
                && (viewer.fold)(&line.author) != own
                && !viewer.is_hidden(&line.author, line.account)
                && names(&line.text, &name)
        };
        let mut places = Vec::new();
        let mut found = Vec::new();
        for (channel, after) in channels {
            let Some(mut at) = self.find_conversation(StoreKey::Channel(channel))? else {
                continue;
            };
            let memtable = self.recent_with(&mut at, &words, cutoff)?;
            let shown = |line: &StoredLine| wanted(line) && !erasing.is_purged(at.number, line);
            let mut connection = lock(self.connection());
            let range = (rowid(at.number, at.floor.max(*after)), rowid(at.number + 1, 0));
            let cutoff = cutoff.clone();
            connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || cutoff.is_reached()))?;
            let looked =
                newest_between(&connection, (&words, memtable), range, most, shown, |line| {
                    found.push((places.len(), line));
                });
            connection.progress_handler(0, None::<fn() -> bool>)?;
            looked?;
            places.push(at);
        }
        let mut hits = newest(found, &places, most);
        hits.hits.reverse();
        Ok(hits)
    }
}

/// Whether a text has a name (folded) as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let text = folded(text);
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let (first, last) = (name.chars().next(), name.chars().next_back());
        ends_before(before, first) && begins_after(after, last)
    })
}

/// Punctuation allowed in names.
fn is_sign(c: char) -> bool {
    matches!(c, '-' | '_' | '.')
}

/// Whether two adjacent characters belong to one word.
fn is_one_word(one: Option<char>, other: Option<char>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let letter = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    letter(one) && letter(other) && !is_unspaced(one) && !is_unspaced(other)
}

/// Whether the text before a name ends with another word: `big-bob` is one word.
fn ends_before(before: &str, first: Option<char>) -> bool {
    !is_one_word(before.trim_end_matches(is_sign).chars().next_back(), first)
}

/// Whether the text after a name begins another word: `bob.` ends the name, `bob.smith` doesn't.
fn begins_after(after: &str, last: Option<char>) -> bool {
    let last = last.map(|last| if is_sign(last) { 'a' } else { last });
    !is_one_word(last, after.trim_start_matches(is_sign).chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_mentioned_as_a_word_of_its_own() {
        for (text, name, is_named) in [
            ("bob", "bob", true),
            ("hi Bob!", "bob", true),
            ("@bob: hi", "bob", true),
            ("bob's", "bob", true),
            ("ask bob.", "bob", true),
            ("ask (bob), or _bob_", "bob", true),
            ("well...bob", "bob", false),
            ("bobby", "bob", false),
            ("bob2", "bob", false),
            ("big-bob", "bob", false),
            ("bob.smith", "bob", false),
            ("bob.smith and bob", "bob", true),
            ("bob.smith is", "bob.smith", true),
            ("bob smith", "bob.smith", false),
            ("bob_ is", "bob_", true),
            ("bob_x", "bob_", false),
            ("José", "jose", true),
            ("ΑΘΗΝΑ", "Αθήνα", true),
            ("STRASSE", "straße", true),
            ("JOSÉ", "josé", true),
            ("Jose\u{301}", "josé", true),
            ("ΣΑΣ", "σας", true),
            ("東京に行く", "東京", true),
            ("bobに", "bob", true),
            ("ｂｏｂ", "bob", true),
        ] {
            assert_eq!(names(text, &folded(name)), is_named, "{name} in {text}");
        }
    }
}
