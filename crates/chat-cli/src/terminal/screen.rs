//! Output of the terminal: lines scroll by above the line being typed.
//!
//! Only relative movements are used, computed from the last frame and the current width, so the
//! terminal isn't queried for its cursor position: it may be stopped, slow, or no terminal.

use std::fmt::Write as _;

use nu_ansi_term::{Color, Style};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::shorten::shortened;
use super::unread::pieces;
use crate::output_queue::Prompt;

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// The line being typed.
#[derive(Clone, Copy, Debug)]
pub(super) struct InputView<'a> {
    pub(super) prompt: &'a Prompt,
    pub(super) text: &'a str,
    /// In bytes of `text`.
    pub(super) cursor: usize,
    /// The candidates of Tab, and the index of the chosen one.
    pub(super) candidates: Option<(&'a [String], usize)>,
}

/// Remembers what was drawn at the bottom, to erase it.
#[derive(Debug, Default)]
pub(super) struct Screen {
    colours: bool,
    /// Everything before the cursor, prompt included, as last drawn.
    drawn: Option<String>,
}

impl Screen {
    pub(super) fn new(colours: bool) -> Self {
        Self { colours, drawn: None }
    }

    /// The bytes that put `lines` above the line being typed and redraw it. A single write of them
    /// shows no intermediate state.
    pub(super) fn frame(&mut self, lines: &[String], input: InputView<'_>, size: Size) -> String {
        let mut out = self.erase(size);
        for line in lines {
            out.push_str(line);
            out.push_str("\r\n");
        }
        self.draw(input, size, &mut out);
        out
    }

    /// The bytes that erase the line being typed; the cursor ends at its start.
    pub(super) fn erase(&mut self, size: Size) -> String {
        let mut out = String::new();
        if let Some(before) = self.drawn.take() {
            // Terminals rewrap when their width changes, so the current width counts.
            up(&mut out, cursor_after(&before, size.columns).row);
            out.push_str("\r\x1b[J");
        }
        out
    }

    /// The bytes that clear the whole screen.
    pub(super) fn clear(&mut self) -> String {
        self.drawn = None;
        "\x1b[2J\x1b[H".into()
    }

    fn draw(&mut self, input: InputView<'_>, size: Size, out: &mut String) {
        let prompt = shortened(&input.prompt.text, (size.columns / 2).max(1));
        // One row is left for output, one for the candidates.
        let rows = size.rows.saturating_sub(2).max(1);
        let unread = pieces(&input.prompt.unread, size.columns / 3);
        let elsewhere: String = unread.iter().map(|piece| piece.text.as_str()).collect();
        let taken = elsewhere.width() + prompt.width();
        let (text, cursor) = window(input.text, input.cursor, taken, rows, size.columns);
        let style = if input.prompt.ready { Color::Cyan.bold() } else { Color::Yellow.normal() };
        for piece in &unread {
            let style = if piece.loud { Color::Purple.bold() } else { Style::new().dimmed() };
            out.push_str(&self.painted(style, &piece.text));
        }
        out.push_str(&self.painted(style, &prompt));
        out.push_str(&text);
        let whole = format!("{elsewhere}{prompt}{text}");
        let mut end = cursor_after(&whole, size.columns);
        if end.column == 0 && end.row > 0 {
            // The last column is full: terminals wrap only at the next character.
            out.push_str("\r\n");
        }
        if let Some((candidates, chosen)) = input.candidates {
            out.push_str("\r\n");
            self.offer(candidates, chosen, size.columns, out);
            end.row += 1;
        }
        let before = format!("{elsewhere}{prompt}{}", &text[..cursor]);
        let at = cursor_after(&before, size.columns);
        up(out, end.row - at.row);
        out.push('\r');
        if at.column > 0 {
            let _ = write!(out, "\x1b[{}C", at.column);
        }
        self.drawn = Some(before);
    }

    /// One row of candidates, which contains the chosen one.
    fn offer(&self, candidates: &[String], chosen: usize, columns: usize, out: &mut String) {
        let names: Vec<_> =
            candidates.iter().map(|name| name.trim_end_matches([' ', ':'])).collect();
        let space = columns.saturating_sub(1);
        // Starts at the chosen one if it would not fit into a row that starts at the first.
        let upto: usize = names[..=chosen].iter().map(|name| name.width() + 2).sum();
        let first = if upto > space { chosen } else { 0 };
        let mut used = 0;
        for (at, name) in names.iter().enumerate().skip(first) {
            let name = shortened(name, space.saturating_sub(used));
            if name.is_empty() {
                break;
            }
            let style = if at == chosen { Style::new().bold() } else { Style::new().dimmed() };
            out.push_str(&self.painted(style, &name));
            used += name.width();
            if used + 2 >= space {
                break;
            }
            out.push_str("  ");
            used += 2;
        }
    }

    fn painted(&self, style: Style, text: &str) -> String {
        if self.colours { style.paint(text).to_string() } else { text.to_owned() }
    }
}

/// A position below and right of a starting point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CursorPosition {
    row: usize,
    column: usize,
}

/// The cursor position after `text`, on a screen that wraps.
fn cursor_after(text: &str, columns: usize) -> CursorPosition {
    let columns = columns.max(1);
    let mut at = CursorPosition { row: 0, column: 0 };
    for grapheme in text.graphemes(true) {
        let width = grapheme.width();
        // A wide character that doesn't fit into the last column moves to the next row.
        if at.column + width > columns {
            at = CursorPosition { row: at.row + 1, column: 0 };
        }
        at.column += width;
        if at.column >= columns {
            at = CursorPosition { row: at.row + 1, column: 0 };
        }
    }
    at
}

/// The part of a long line that fits into `rows`, and the cursor position in it.
fn window(
    text: &str,
    cursor: usize,
    prompt: usize,
    rows: usize,
    columns: usize,
) -> (String, usize) {
    // Wide characters may leave a column unused at the end of each row.
    let space = (rows * columns).saturating_sub(prompt + rows + 2).max(1);
    if text.width() <= space {
        return (text.to_owned(), cursor);
    }
    let mut start = cursor;
    let mut used = 0;
    for (at, grapheme) in text[..cursor].grapheme_indices(true).rev() {
        // A quarter is for the text after the cursor.
        if used + grapheme.width() > space - space / 4 {
            break;
        }
        used += grapheme.width();
        start = at;
    }
    let mut end = cursor;
    for (at, grapheme) in text[cursor..].grapheme_indices(true) {
        if used + grapheme.width() > space {
            break;
        }
        used += grapheme.width();
        end = cursor + at + grapheme.len();
    }
    let begun = if start > 0 { "…" } else { "" };
    let more = if end < text.len() { "…" } else { "" };
    (format!("{begun}{}{more}", &text[start..end]), cursor - start + begun.len())
}

fn up(out: &mut String, rows: usize) {
    if rows > 0 {
        let _ = write!(out, "\x1b[{rows}A");
    }
}

#[cfg(test)]
mod tests;
