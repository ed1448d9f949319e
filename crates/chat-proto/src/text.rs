//! Text that people write to each other, safe to put on somebody's terminal.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Makes TABs spaces and removes what could move a cursor, begin a new line or turn text around.
///
/// That is C0, DEL, C1, the bidirectional embeddings, overrides and isolates, and the line and
/// paragraph separators. Cleaning what is clean changes nothing and copies nothing.
pub fn clean(line: &str) -> Cow<'_, str> {
    if is_plain(line) || !line.contains(|c| c == '\t' || is_removed(c)) {
        return Cow::Borrowed(line);
    }
    let kept = line.chars().filter(|&c| c == '\t' || !is_removed(c));
    Cow::Owned(kept.map(|c| if c == '\t' { ' ' } else { c }).collect())
}

/// Whether it is nothing but printable ASCII, as most lines are.
fn is_plain(line: &str) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    // Without a way out in its midst, a block is looked at by a few wide instructions.
    let (blocks, rest) = line.as_bytes().as_chunks::<32>();
    let block_is = |block: &[u8; 32]| block.iter().fold(true, |all, byte| all & plain(byte));
    blocks.iter().all(block_is) && rest.iter().all(plain)
}

/// Whether a character never reaches another person.
fn is_removed(c: char) -> bool {
    // `is_control` is C0, DEL and C1.
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// What somebody wrote: a message, a topic, a reason. Cheap to clone.
///
/// It is [`clean`] and not blank, so it never holds a line break; nobody has to check it again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// Cleans `raw`; `None` if nothing, or only white space, is left.
    pub fn new(raw: &str) -> Option<Self> {
        let text = clean(raw);
        (!text.trim().is_empty()).then(|| Self(Arc::from(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// By how many characters the text is longer than `max`; `None` if it isn't.
    ///
    /// There is no way to cut a text: who wrote too much is told so.
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
