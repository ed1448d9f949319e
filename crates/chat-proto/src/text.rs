//! Text that people write to each other, safe to put on somebody's terminal.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::char::is_combining_mark;

/// Marks (accents, vowel signs) on one letter. Living scripts do with fewer; more of them paint
/// over the lines above and below.
pub(crate) const MAX_MARKS_IN_A_ROW: usize = 4;

/// Makes TABs spaces and removes what could move a cursor, begin a new line or turn text around.
///
/// That is C0, DEL, C1, the bidirectional embeddings, overrides and isolates, the line and
/// paragraph separators, and the byte order mark. FF, CR and NEL between other characters separate
/// words, so each becomes a space there. Of marks in a row, those beyond the fourth are removed.
/// Cleaning what is clean changes nothing and copies nothing.
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

/// How many marks are in a row after a character; what has no width between them doesn't end the
/// row.
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

/// Whether it is a mark; the first one is U+0300.
fn is_mark(c: char) -> bool {
    c >= '\u{300}' && is_combining_mark(c)
}

/// Whether it is nothing but printable ASCII, as most lines are.
fn is_plain(line: &str) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    // Without a way out in its midst, a block is looked at by a few wide instructions.
    let (blocks, rest) = line.as_bytes().as_chunks::<32>();
    let block_is = |block: &[u8; 32]| block.iter().fold(true, |all, byte| all & plain(byte));
    blocks.iter().all(block_is) && rest.iter().all(plain)
}

/// Whether a character never reaches another person. TAB does, as a space.
fn is_removed(c: char) -> bool {
    // `is_control` is C0, DEL and C1.
    (c.is_control() && c != '\t')
        || matches!(
            c,
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}'
        )
}

/// Times that a text is looked through for what shows nothing. Once or twice is enough for what
/// people write.
const MOST_PASSES: u32 = 8;

/// Whether a character that shows nothing belongs to what is around it: to an emoji sequence (UTS
/// #51), or as a joiner or a variation selector to the letters of a script that is written with
/// them.
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
        // The flags of England, Scotland and Wales, and what may follow them.
        '\u{E0020}'..='\u{E007E}' => before == '\u{1F3F4}' || (tags && is_tag(before)),
        '\u{E007F}' => tags && is_tag(before),
        _ => false,
    }
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0020}'..='\u{E007E}')
}

/// Whether it can begin an emoji, roughly `Extended_Pictographic`.
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

/// Whether a joiner may follow it within an emoji: also a variation selector or the end of a flag.
fn is_emoji_part(c: char) -> bool {
    is_emoji(c) || matches!(c, '\u{FE0F}' | '\u{20E3}' | '\u{E007F}')
}

/// Whether it is a letter or sign of a script in which joiners make a difference: Arabic, Syriac,
/// N'Ko, the scripts of India and their neighbours, Mongolian.
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

/// Takes out what shows nothing and belongs to nothing (`Default_Ignorable_Code_Point`): it would
/// hide from readers, and from word filters, what a text says.
///
/// `None` if there is nothing to take out.
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
            // What goes in any case is in between, but isn't there.
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

/// Whether it belongs to something in some place.
fn may_belong(c: char) -> bool {
    matches!(
        c,
        '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}' | '\u{180B}'..='\u{180F}' | '\u{E0020}'..='\u{E007F}'
    )
}

/// Whether a character shows nothing by itself: white space, U+2800 (a Braille pattern without
/// dots), U+1D159 (a notehead without ink), the signs of annotations, and what is
/// `Default_Ignorable_Code_Point` in Unicode 17 (`DerivedCoreProperties.txt`).
fn shows_nothing(c: char) -> bool {
    c.is_whitespace()
        || is_ignorable(c)
        || matches!(c, '\u{2800}' | '\u{FFF9}'..='\u{FFFB}' | '\u{1D159}')
}

/// Whether it is `Default_Ignorable_Code_Point`.
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

/// What somebody wrote: a message, a topic, a reason. Cheap to clone.
///
/// It is [`clean`] and not blank, so it never holds a line break; nobody has to check it again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// Cleans `raw`, and takes out characters that show nothing and don't belong to an emoji or a
    /// letter; `None` if nothing is left, or only characters that show nothing.
    pub fn new(raw: &str) -> Option<Self> {
        let mut text = clean(raw);
        // What goes may have stood between marks or letters, which are looked at again.
        for _ in 0..MOST_PASSES {
            let Some(shown) = without_hidden(&text) else { break };
            let mut shown: &str = &clean(&shown);
            // A blank that only stood before something hidden is none at the end either.
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

    /// The text, or of a longer one so many characters and `…`: for lists, which lead to the whole.
    #[must_use]
    pub fn shortened(&self, max: usize) -> Self {
        if self.chars_over(max).is_none() {
            return self.clone();
        }
        let mut short: String = self.0.chars().take(max).collect();
        short.push('…');
        Self(short.into())
    }

    /// By how many characters the text is longer than `max`; `None` if it isn't.
    ///
    /// A text of a message is never cut; one that is too long is refused.
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
