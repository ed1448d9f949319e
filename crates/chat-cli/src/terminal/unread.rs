//! Unread messages of other conversations, as a short text before the prompt: `[@bob +1 #dev +3!]
//! `. No IO.

use unicode_width::UnicodeWidthStr as _;

use super::shorten::shortened;
use crate::output_queue::UnreadMarker;

/// The maximum width of a conversation's name.
const MAX_NAME_COLUMNS: usize = 16;
/// The highest number that is shown.
const MAX_COUNT: u64 = 999;

/// A piece of the text, and whether it is highlighted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) loud: bool,
}

/// The text, in at most `columns` columns: conversations that call the user come first, then the
/// most recent ones. A `!` marks a mention.
pub(super) fn pieces(unread: &[UnreadMarker], columns: usize) -> Vec<Piece> {
    let (own, others): (Vec<_>, Vec<_>) = unread.iter().rev().partition(|unread| unread.calls);
    let mut words = own.into_iter().chain(others).peekable();
    let mut pieces = Vec::new();
    // The brackets and the blank after them.
    let mut used = 3;
    while let Some(unread) = words.next() {
        let text = word(unread);
        let blank = usize::from(!pieces.is_empty());
        let more = if words.peek().is_some() { " …".width() } else { 0 };
        if used + blank + text.width() + more > columns {
            match pieces.is_empty() {
                true if columns > used => pieces.push(plain("…")),
                true => return Vec::new(),
                false => pieces.push(plain(" …")),
            }
            break;
        }
        used += blank + text.width();
        if blank > 0 {
            pieces.push(plain(" "));
        }
        pieces.push(Piece { text, loud: unread.calls });
    }
    if !pieces.is_empty() {
        pieces.insert(0, plain("["));
        pieces.push(plain("] "));
    }
    pieces
}

fn plain(text: &str) -> Piece {
    Piece { text: text.to_owned(), loud: false }
}

fn word(unread: &UnreadMarker) -> String {
    let name = shortened(&unread.place, MAX_NAME_COLUMNS);
    let named = if unread.calls && unread.place.starts_with('#') { "!" } else { "" };
    format!("{name} +{}{named}", unread.count.min(MAX_COUNT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(unread: &[(&str, u64, bool)], columns: usize) -> String {
        let unread: Vec<_> = unread
            .iter()
            .map(|(place, count, calls)| UnreadMarker {
                place: (*place).to_owned(),
                count: *count,
                calls: *calls,
            })
            .collect();
        let text: String = pieces(&unread, columns).iter().map(|piece| &*piece.text).collect();
        assert!(text.width() <= columns, "{text}");
        text
    }

    #[test]
    fn calls_come_first_and_then_the_latest() {
        let unread = [("#a", 1, false), ("#dev", 3, true), ("@bob", 1, true), ("#b", 7, false)];
        for (columns, expected) in [
            (60, "[@bob +1 #dev +3! #b +7 #a +1] "),
            (31, "[@bob +1 #dev +3! #b +7 #a +1] "),
            (30, "[@bob +1 #dev +3! #b +7 …] "),
            (21, "[@bob +1 #dev +3! …] "),
            (20, "[@bob +1 …] "),
            (11, "[…] "),
            (4, "[…] "),
            (3, ""),
        ] {
            assert_eq!(shown(&unread, columns), expected, "{columns}");
        }
        assert_eq!(shown(&[], 60), "");
    }

    #[test]
    fn long_names_and_high_numbers_are_cut() {
        let long = format!("#{}", "漢".repeat(40));
        assert_eq!(shown(&[(&long, 5_000, false)], 60), "[#漢漢漢漢漢漢漢… +999] ");
    }

    #[test]
    fn only_calls_are_highlighted() {
        let unread = |place: &str, calls| UnreadMarker { place: place.into(), count: 1, calls };
        let pieces = pieces(&[unread("#a", false), unread("@b", true)], 60);
        let loud: Vec<_> = pieces.iter().filter(|piece| piece.loud).map(|p| &*p.text).collect();
        assert_eq!(loud, ["@b +1"]);
    }
}
