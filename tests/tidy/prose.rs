//! Prose wraps at 100 columns: in documents, and in comments.

use crate::tree::{files, read, shown, workspace};

const COLUMNS: usize = 100;

/// What can't be wrapped: one word that is as long, such as an address of the web.
fn breakable(line: &str) -> bool {
    line.split_whitespace().all(|word| word.chars().count() <= 72)
}

/// The numbers of the lines of prose that are too long.
fn long_lines(text: &str, is_prose: impl FnMut(&str) -> bool) -> Vec<usize> {
    let mut is_prose = is_prose;
    text.lines()
        .enumerate()
        .filter(|(_, line)| is_prose(line) && line.chars().count() > COLUMNS && breakable(line))
        .map(|(at, _)| at + 1)
        .collect()
}

/// Of a page: not tables, not blocks of code, and not what `chat-bench report` writes.
fn in_page() -> impl FnMut(&str) -> bool {
    let (mut in_code, mut in_report) = (false, false);
    move |line| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if line.starts_with("<!-- report") {
            in_report = !in_report;
        }
        !in_code && !in_report && !line.trim_start().starts_with('|') && !line.starts_with("    ")
    }
}

fn in_comment(mark: &'static str) -> impl FnMut(&str) -> bool {
    move |line| line.trim_start().starts_with(mark)
}

#[test]
fn prose_wraps_at_100_columns() {
    let mut faults = Vec::new();
    for path in files(workspace(), &[".md", ".rs", ".toml", ".service", ".sql", "run"]) {
        let text = read(&path);
        let name = shown(&path);
        let lines = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("md") => long_lines(&text, in_page()),
            Some("rs") => long_lines(&text, in_comment("//")),
            Some("sql") => long_lines(&text, in_comment("--")),
            _ => long_lines(&text, in_comment("#")),
        };
        if !lines.is_empty() {
            faults.push(format!("{name}: wrap at {COLUMNS} columns: lines {lines:?}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn long_lines_are_found() {
    let long = "word ".repeat(21);
    let page = format!("{long}\n| {long} |\n```\n{long}\n```\n    {long}\n- {long}\n");
    assert_eq!(long_lines(&page, in_page()), [1, 7]);
    let code = format!("/// {long}\nlet x = {long};\n// https://{}\n", "x".repeat(100));
    assert_eq!(long_lines(&code, in_comment("//")), [1]);
}
