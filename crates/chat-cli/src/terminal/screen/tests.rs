use super::*;

/// A terminal emulator in memory.
struct ScreenGrid {
    parser: vt100::Parser,
    screen: Screen,
    size: Size,
    prompt: Prompt,
}

impl ScreenGrid {
    fn new(rows: u16, columns: u16) -> Self {
        Self {
            parser: vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 1000),
            screen: Screen::new(true),
            size: Size { columns: columns.into(), rows: rows.into() },
            prompt: Prompt { text: "#general> ".into(), ready: true, ..Prompt::default() },
        }
    }

    fn draws(&mut self, lines: &[&str], text: &str, cursor: usize) {
        self.offers(lines, text, cursor, None);
    }

    fn offers(
        &mut self,
        lines: &[&str],
        text: &str,
        cursor: usize,
        candidates: Option<(&[String], usize)>,
    ) {
        let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
        let input = InputView { prompt: &self.prompt, text, cursor, candidates };
        let frame = self.screen.frame(&lines, input, self.size);
        self.parser.process(frame.as_bytes());
    }

    /// The rows, without the empty ones below.
    fn rows(&self) -> Vec<String> {
        let (_, columns) = self.parser.screen().size();
        let mut rows: Vec<_> = self.parser.screen().rows(0, columns.into()).collect();
        while rows.pop_if(|last| last.trim().is_empty()).is_some() {}
        rows.iter().map(|row| row.trim_end().to_owned()).collect()
    }

    fn cursor(&self) -> (u16, u16) {
        self.parser.screen().cursor_position()
    }
}

#[test]
fn lines_scroll_by_above_the_line_being_typed() {
    let mut shown = ScreenGrid::new(6, 30);
    shown.draws(&[], "", 0);
    shown.draws(&[], "hal", 3);
    assert_eq!(shown.rows(), ["#general> hal"]);
    shown.draws(&["one", "two"], "hal", 3);
    assert_eq!(shown.rows(), ["one", "two", "#general> hal"]);
    assert_eq!(shown.cursor(), (2, 13));
    for n in 0..20 {
        shown.draws(&[&format!("line {n}")], "halo", 1);
    }
    assert_eq!(shown.rows()[4..], ["line 19", "#general> halo"]);
    assert_eq!(shown.cursor(), (5, 11));
}

#[test]
fn a_line_that_wraps_survives_wherever_the_cursor_is() {
    let text = "abcdefghijklmnopqrstuvwxyz0123456789";
    for cursor in 0..=text.len() {
        let mut shown = ScreenGrid::new(10, 20);
        shown.draws(&["before"], text, cursor);
        shown.draws(&["after"], text, cursor);
        let expected =
            ["before", "after", "#general> abcdefghij", "klmnopqrstuvwxyz0123", "456789"];
        assert_eq!(shown.rows(), expected, "{cursor}");
        let at = 10 + cursor;
        let expected = (2 + u16::try_from(at / 20).unwrap(), u16::try_from(at % 20).unwrap());
        assert_eq!(shown.cursor(), expected, "{cursor}");
    }
}

#[test]
fn a_line_that_fills_the_last_column_is_erased() {
    let mut shown = ScreenGrid::new(5, 20);
    for text in ["abcdefghi", "abcdefghij", "abcdefghijk", "abcdefghij", ""] {
        shown.draws(&[], text, text.len());
    }
    shown.draws(&["12345678901234567890", "x"], "", 0);
    assert_eq!(shown.rows(), ["12345678901234567890", "x", "#general>"]);
}

#[test]
fn wide_characters_are_counted_as_the_terminal_does() {
    let text = "漢字かな交じり文と русский текст и ещё немного";
    for cursor in text.char_indices().map(|(at, _)| at).chain([text.len()]) {
        let mut shown = ScreenGrid::new(12, 21);
        shown.draws(&["before"], text, cursor);
        shown.draws(&["after"], text, cursor);
        let rows = shown.rows();
        assert_eq!(rows[..2], ["before", "after"], "{cursor}");
        assert_eq!(rows[2], "#general> 漢字かな交", "{cursor}");
        assert_eq!(rows[3], "じり文と русский текс", "{cursor}");
        assert_eq!(rows.len(), 5, "{cursor}: {rows:?}");
    }
}

#[test]
fn a_line_longer_than_the_screen_is_shown_around_the_cursor() {
    let text = "words ".repeat(400);
    for cursor in [0, 1000, 2000, text.len()] {
        let mut shown = ScreenGrid::new(8, 40);
        shown.draws(&["one"], &text, cursor);
        shown.draws(&["two"], &text, cursor);
        let rows = shown.rows();
        assert_eq!(rows[..2], ["one", "two"], "{cursor}: {rows:?}");
        assert!(rows[2].starts_with("#general> "), "{cursor}: {rows:?}");
        assert!(rows.len() <= 8, "{cursor}: {rows:?}");
        assert_eq!(text.len() - cursor > 40, rows.last().unwrap().ends_with('…'), "{rows:?}");
    }
}

#[test]
fn candidates_are_shown_below_and_erased() {
    let names: Vec<String> = ["bob: ", "barbara: ", "bea: "].map(Into::into).into();
    let mut shown = ScreenGrid::new(4, 30);
    for n in 0..4 {
        shown.draws(&[&format!("{n}")], "b", 1);
    }
    shown.offers(&[], "bob: ", 5, Some((&names, 0)));
    assert_eq!(shown.rows(), ["2", "3", "#general> bob:", "bob  barbara  bea"]);
    assert_eq!(shown.cursor(), (2, 15));
    shown.draws(&["x"], "bob: h", 6);
    assert_eq!(shown.rows(), ["2", "3", "x", "#general> bob: h"]);
    let mut narrow = ScreenGrid::new(4, 12);
    narrow.offers(&[], "b", 1, Some((&names, 1)));
    assert_eq!(narrow.rows(), ["#ge…> b", "barbara  b…"]);
}

#[test]
fn a_prompt_is_shortened_before_the_line_is() {
    let mut shown = ScreenGrid::new(4, 24);
    shown.prompt.text = "#a-very-long-channel-name> ".into();
    shown.draws(&[], "hi", 2);
    assert_eq!(shown.rows(), ["#a-very-l…> hi"]);
}

#[test]
fn tiny_screens_are_handled() {
    for (rows, columns) in [(1, 1), (1, 2), (2, 3), (3, 1)] {
        let mut shown = ScreenGrid::new(rows, columns);
        for cursor in [0, 6] {
            shown.draws(&["one"], "漢字", cursor);
        }
    }
    for size in [Size { columns: 0, rows: 0 }, Size { columns: 1, rows: 0 }] {
        let mut shown = ScreenGrid::new(5, 20);
        shown.size = size;
        shown.draws(&["one"], "hello", 2);
    }
}

#[test]
fn after_a_change_of_width_rewrapped_rows_are_erased() {
    let text = "abcdefghijklmnopqrstuvwxyz";
    let mut shown = ScreenGrid::new(8, 40);
    shown.draws(&["before"], text, text.len());
    // A terminal of 20 columns that rewrapped the line: the cursor is one row down.
    let mut narrow = ScreenGrid::new(8, 20);
    narrow.parser.process(format!("before\r\n#general> {text}").as_bytes());
    narrow.screen = shown.screen;
    narrow.draws(&["after"], text, text.len());
    assert_eq!(narrow.rows(), ["before", "after", "#general> abcdefghij", "klmnopqrstuvwxyz"]);
}
