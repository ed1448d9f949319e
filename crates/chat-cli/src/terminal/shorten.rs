//! Text shortened to a number of columns.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// At most `columns` of the text. The ending `> ` stays, since it marks a prompt; the text before
/// it is cut.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let Some(space) = columns.checked_sub(1) else { return String::new() };
    let tail = if text.ends_with("> ") && space > 2 { "> " } else { "" };
    let mut kept = String::new();
    for grapheme in text.graphemes(true) {
        if kept.width() + grapheme.width() > space - tail.len() {
            break;
        }
        kept.push_str(grapheme);
    }
    kept + "…" + tail
}
