//! Text of users, safe to print on a terminal.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::char::is_combining_mark;

/// Marks (accents, vowel signs) on one letter. Living scripts need fewer; more of them paint over
/// the lines above and below.
pub(crate) const MAX_MARKS_IN_A_ROW: usize = 4;

/// Replaces TABs by spaces and removes characters that could move a cursor, begin a new line or
/// reverse text.
///
/// These are C0, DEL, C1, the bidirectional embeddings, overrides and isolates, the line and
/// paragraph separators, and the byte order mark. FF, CR and NEL between other characters separate
/// words, so each becomes a space there. Of marks in a row, those beyond the fourth are removed. A
/// clean text is returned unchanged, without a copy.
pub fn clean(line: &str) -> Cow<'_, str> {
    if is_plain(line) || is_clean(line) {
        return Cow::Borrowed(line);
    }
    let mut marks = 0;
    let kept = line.trim_matches(is_removed).chars().filter_map(|c| match c {
        '\t' | '\u{0C}' | '\r' | '\u{85}' => {
            marks = 0;
            Some(' ')
        }
        c if is_removed(c) => None,
        c => {
            marks = marks_after(marks, c);
            (!is_mark(c) || marks <= MAX_MARKS_IN_A_ROW).then_some(c)
        }
    });
    Cow::Owned(kept.collect())
}

/// The number of consecutive marks after a character; zero-width characters between them don't end
/// the row.
fn marks_after(marks: usize, c: char) -> usize {
    match c {
        c if is_mark(c) => marks + 1,
        '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{AD}' => marks,
        _ => 0,
    }
}

fn is_clean(line: &str) -> bool {
    let mut marks = 0;
    line.chars().all(|c| {
        marks = marks_after(marks, c);
        c != '\t' && !is_removed(c) && marks <= MAX_MARKS_IN_A_ROW
    })
}

/// Whether a character is a combining mark; the first one is U+0300.
fn is_mark(c: char) -> bool {
    c >= '\u{300}' && is_combining_mark(c)
}

/// Whether a line is printable ASCII, as most are.
fn is_plain(line: &str) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    // Without an early exit, a block compiles to a few vector instructions.
    let (blocks, rest) = line.as_bytes().as_chunks::<32>();
    let block_is = |block: &[u8; 32]| block.iter().fold(true, |all, byte| all & plain(byte));
    blocks.iter().all(block_is) && rest.iter().all(plain)
}

/// Whether a character never reaches another user. TAB does, as a space.
fn is_removed(c: char) -> bool {
    // `is_control` is C0, DEL and C1.
    (c.is_control() && c != '\t')
        || matches!(
            c,
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}'
        )
}

/// Maximum passes that remove invisible characters. One or two are enough for ordinary text.
const MOST_PASSES: u32 = 8;

/// Whether an invisible character belongs to its neighbours: to an emoji sequence (UTS #51), or as
/// a joiner or a variation selector to the letters of a script that uses them.
fn belongs(c: char, before: Option<char>, after: Option<char>, tags: bool) -> bool {
    let Some(before) = before else { return false };
    match c {
        '\u{200D}' if is_emoji_part(before) => after.is_some_and(is_emoji),
        '\u{200C}' | '\u{200D}' => {
            is_of_joined_script(before) && after.is_some_and(is_of_joined_script)
        }
        '\u{FE0E}' | '\u{FE0F}' => {
            is_emoji(before)
                || (matches!(before, '0'..='9' | '#' | '*') && after == Some('\u{20E3}'))
        }
        '\u{180B}'..='\u{180F}' => matches!(before, '\u{1820}'..='\u{18AA}'),
        // The tag sequences of the flags of England, Scotland and Wales.
        '\u{E0020}'..='\u{E007E}' => before == '\u{1F3F4}' || (tags && is_tag(before)),
        '\u{E007F}' => tags && is_tag(before),
        _ => false,
    }
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0020}'..='\u{E007E}')
}

/// Whether a character can begin an emoji, roughly `Extended_Pictographic`.
fn is_emoji(c: char) -> bool {
    matches!(
        c,
        '©' | '®'
            | '\u{203C}'
            | '\u{2049}'
            | '\u{2122}'
            | '\u{2139}'
            | '\u{2190}'..='\u{21FF}'
            | '\u{2300}'..='\u{23FF}'
            | '\u{24C2}'
            | '\u{25A0}'..='\u{27BF}'
            | '\u{2900}'..='\u{297F}'
            | '\u{2B00}'..='\u{2BFF}'
            | '\u{3030}'
            | '\u{303D}'
            | '\u{3297}'
            | '\u{3299}'
            | '\u{1F000}'..='\u{1FAFF}'
    )
}

/// Whether a joiner may follow a character within an emoji: also after a variation selector or the
/// end of a flag.
fn is_emoji_part(c: char) -> bool {
    is_emoji(c) || matches!(c, '\u{FE0F}' | '\u{20E3}' | '\u{E007F}')
}

/// Whether a character is a letter or sign of a script in which joiners are significant: Arabic,
/// Syriac, N'Ko, the scripts of India and their neighbours, Mongolian.
fn is_of_joined_script(c: char) -> bool {
    let is_in = matches!(
        c,
        '\u{600}'..='\u{109F}'
            | '\u{1780}'..='\u{18AF}'
            | '\u{1900}'..='\u{1AAF}'
            | '\u{1B00}'..='\u{1C4F}'
            | '\u{FB50}'..='\u{FDFF}'
            | '\u{FE70}'..='\u{FEFC}'
            | '\u{A800}'..='\u{ABFF}'
            | '\u{11000}'..='\u{11FFF}'
    );
    is_in && (c.is_alphanumeric() || is_mark(c)) && !shows_nothing(c)
}

/// Removes invisible characters (`Default_Ignorable_Code_Point`) that don't belong to their
/// neighbours: they could hide words from word filters.
///
/// `None` if there is nothing to remove.
fn without_hidden(text: &str) -> Option<String> {
    let is_hidden = |c: char| c >= '\u{AD}' && !c.is_whitespace() && is_ignorable(c);
    if text.is_ascii() || !text.contains(is_hidden) {
        return None;
    }
    let mut kept = String::with_capacity(text.len());
    // Within a flag that is written with tags.
    let mut tags = false;
    for (at, c) in text.char_indices() {
        if is_hidden(c) {
            let before = kept.chars().next_back();
            // Characters that are removed in any case are skipped.
            let after = text.get(at + c.len_utf8()..).unwrap_or_default();
            let after = after.chars().find(|&c| !is_hidden(c) || may_belong(c));
            if !belongs(c, before, after, tags) {
                continue;
            }
            tags = is_tag(c);
        } else {
            tags = false;
        }
        kept.push(c);
    }
    (kept.len() < text.len()).then_some(kept)
}

/// Whether a character can belong to its neighbours in some context.
fn may_belong(c: char) -> bool {
    matches!(
        c,
        '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}' | '\u{180B}'..='\u{180F}' | '\u{E0020}'..='\u{E007F}'
    )
}

/// Whether a character is invisible by itself: white space, U+2800 (a Braille pattern without
/// dots), U+1D159 (a null notehead), the signs of annotations, and `Default_Ignorable_Code_Point`
/// in Unicode 17 (`DerivedCoreProperties.txt`).
fn shows_nothing(c: char) -> bool {
    c.is_whitespace()
        || is_ignorable(c)
        || matches!(c, '\u{2800}' | '\u{FFF9}'..='\u{FFFB}' | '\u{1D159}')
}

/// Whether a character is a `Default_Ignorable_Code_Point`.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// A text of a user: a message, a topic, a reason. Cheap to clone.
///
/// It is [`clean`] and not blank, so it never contains a line break and needs no further check.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// Cleans `raw`, and removes invisible characters that don't belong to an emoji or a letter;
    /// `None` if nothing is left, or only invisible characters.
    pub fn new(raw: &str) -> Option<Self> {
        let mut text = clean(raw);
        // A removal can join marks or letters, so the text is checked again.
        for _ in 0..MOST_PASSES {
            let Some(shown) = without_hidden(&text) else { break };
            let mut shown: &str = &clean(&shown);
            // Trims a blank that preceded a removed character at the end.
            if !text.ends_with(char::is_whitespace) {
                shown = shown.trim_end();
            }
            if !text.starts_with(char::is_whitespace) {
                shown = shown.trim_start();
            }
            text = Cow::Owned(shown.to_owned());
        }
        (!text.chars().all(shows_nothing)).then(|| Self(Arc::from(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, truncated to `max` characters and `…` if it is longer: for lists, which lead to
    /// the full text.
    #[must_use]
    pub fn shortened(&self, max: usize) -> Self {
        if self.chars_over(max).is_none() {
            return self.clone();
        }
        let mut short: String = self.0.chars().take(max).collect();
        short.push('…');
        Self(short.into())
    }

    /// The number of characters beyond `max`; `None` if there are none.
    ///
    /// Messages are never truncated; one that is too long is refused.
    pub fn chars_over(&self, max: usize) -> Option<usize> {
        // A character takes at least one byte, so most texts need no counting.
        if self.0.len() <= max {
            return None;
        }
        self.0.chars().count().checked_sub(max).filter(|&over| over > 0)
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
