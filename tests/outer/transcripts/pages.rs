//! The examples of the documents, played against the real server.
//!
//! A fenced block of the kind `chat` has steps with their output, like a transcript. All blocks of
//! one page are one conversation with one server; a block of the kind `chat afresh` begins with an
//! empty server. Steps that set up the next example are in a comment that begins with `<!-- chat`
//! or `<!-- chat afresh`.
//!
//! Varying parts have the values of [`SHOWN`], and `UPDATE=1` writes them.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use chat_proto::command_table::{COMMANDS, WordMatch, lookup};
use chat_testkit::{ClientFormat, binary};

use super::{Action, Step, check_steps, normal, parse, play_anew};

/// Varying parts, and their values on a page: the server has this name there, and the time is
/// constant.
const SHOWN: &[(&str, &str)] = &[
    ("\"{time}\"", "\"2026-11-22T07:44:05.120Z\""),
    ("{time}", "2026-11-22 07:44:05"),
    ("\"{n}\"", "17"),
    ("{n} s", "17 s"),
    ("uptime                  {n}", "uptime                  3 d 4 h"),
    ("memory                  {n}", "memory                  12 MiB"),
    ("{address}", "127.0.0.1:50114"),
    ("{token}", "q2hhdC1zZXJ2ZXItdG9rZW4tZm9yLXRoZS1wYWdlcyE"),
    (SERVER, "chat.example.org"),
];

/// The name of the tests' server.
const SERVER: &str = "chat.test";

/// A line of output as a page has it.
fn shown(normal: &str) -> String {
    SHOWN.iter().fold(normal.to_owned(), |line, (differs, shown)| line.replace(differs, shown))
}

/// The inverse: a line of a page as it is compared.
fn compared(shown: &str) -> String {
    normal(&shown.replace("chat.example.org", SERVER))
}

/// The steps of a page with one server.
struct Story {
    /// `line` is the number on the page.
    steps: Vec<Step>,
    /// The lines of the page with steps and output, counted from 0.
    lines: Vec<usize>,
    /// Those that are visible.
    visible: Vec<usize>,
}

/// The blocks of a page: whether each is visible, begins afresh, and its lines, counted from 0.
fn blocks(page: &str) -> Vec<(bool, bool, Range<usize>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, &str, usize)> = None;
    for (at, line) in page.lines().enumerate() {
        match open {
            Some((end, kind, from)) if line == end => {
                let is_visible = end == "```";
                if let "chat" | "chat afresh" = kind {
                    blocks.push((is_visible, kind == "chat afresh", from..at));
                }
                open = None;
            }
            Some(_) => {}
            None => {
                open = [("```", "```"), ("<!-- ", "-->")].into_iter().find_map(|(begin, end)| {
                    let kind = line.strip_prefix(begin)?;
                    (!kind.ends_with(end)).then_some((end, kind, at + 1))
                });
            }
        }
    }
    assert!(open.is_none(), "a block has no end: {open:?}");
    blocks
}

fn stories(page: &str) -> Result<Vec<Story>, String> {
    let mut stories: Vec<Vec<(bool, Range<usize>)>> = Vec::new();
    for (is_visible, is_fresh, lines) in blocks(page) {
        match stories.last_mut() {
            Some(story) if !is_fresh => story.push((is_visible, lines)),
            _ => stories.push(vec![(is_visible, lines)]),
        }
    }
    let read = |blocks: Vec<(bool, Range<usize>)>| {
        let numbers = |(_, lines): &(bool, Range<usize>)| lines.clone();
        let lines: Vec<usize> = blocks.iter().flat_map(numbers).collect();
        let visible = blocks.iter().filter(|block| block.0).flat_map(numbers).collect();
        // Empty lines for the rest, so that line numbers are those of the page.
        let text: String = page
            .lines()
            .enumerate()
            .map(|(at, line)| if lines.contains(&at) { line } else { "" })
            .flat_map(|line| [line, "\n"])
            .collect();
        let mut steps = parse(&text)?;
        steps.retain(|step| lines.contains(&(step.line - 1)));
        for output in steps.iter_mut().flat_map(|step| &mut step.output) {
            output.1 = compared(&output.1);
        }
        Ok(Story { steps, lines, visible })
    };
    stories.into_iter().map(read).collect()
}

/// The page with the current output in its examples.
async fn written_anew(page: &str) -> String {
    let mut lines: Vec<String> = page.lines().map(|line| format!("{line}\n")).collect();
    for mut story in stories(page).unwrap() {
        play_anew(&mut story.steps, ClientFormat::Text).await;
        for line in story.lines {
            lines[line].clear();
        }
        for mut step in story.steps {
            for output in &mut step.output {
                output.1 = shown(&output.1);
            }
            lines[step.line - 1] = step.written();
        }
    }
    lines.concat()
}

fn pages() -> Vec<PathBuf> {
    let root = binary::workspace();
    let mut pages: Vec<PathBuf> = fs::read_dir(root.join("docs"))
        .expect("the pages are there")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

#[tokio::test]
async fn the_examples_on_the_pages_are_real_output() {
    let mut failures = Vec::new();
    for path in pages() {
        let mut page = fs::read_to_string(&path).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            page = written_anew(&page).await;
            fs::write(&path, &page).unwrap();
        }
        let stories = stories(&page).unwrap_or_else(|why| panic!("{}:{why}", path.display()));
        let is_guide = path.ends_with("docs/guide.md") || path.ends_with("docs/channel.md");
        assert!(!is_guide || !stories.is_empty(), "{} has no examples", path.display());
        for story in stories {
            if let Err(why) = check_steps(&path, &story.steps, ClientFormat::Text).await {
                failures.push(why);
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_guide_has_an_example_of_every_command() {
    let page = fs::read_to_string(binary::workspace().join("docs/guide.md")).unwrap();
    let mut missing: Vec<&str> = COMMANDS.iter().map(|spec| spec.name).collect();
    for story in stories(&page).unwrap() {
        for step in &story.steps {
            if let Action::Sends(_, line) = &step.action
                && story.visible.contains(&(step.line - 1))
                && let Some(command) = line.strip_prefix('/')
                && let WordMatch::One(spec) = lookup(command.split(' ').next().unwrap_or_default())
            {
                missing.retain(|name| *name != spec.name);
            }
        }
    }
    assert!(missing.is_empty(), "docs/guide.md has no example of {missing:?}");
}

#[test]
fn the_session_in_the_readme_matches_a_transcript() {
    let root = binary::workspace();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let session = readme.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
    let session: Vec<&str> = session.expect("it has one").lines().skip(1).collect();
    let transcript = fs::read_to_string(root.join("tests/transcripts/readme.txt")).unwrap();
    let mut expected = Vec::new();
    for step in parse(&transcript).unwrap() {
        if let Action::Sends(who, line) = step.action
            && who == "bob"
        {
            expected.push(line);
        }
        let output = step.output.into_iter().filter(|(who, line)| who == "bob" && line != "(end)");
        expected.extend(output.map(|(_, line)| shown(&line)));
    }
    assert_eq!(session, expected, "after a change of tests/transcripts/readme.txt copy it over");
}

#[test]
fn the_blocks_of_a_page_are_found() {
    let page =
        "a\n```chat\nb\n```\n```sh\n```\n<!-- chat\nc\nd\n-->\n<!-- x -->\n```chat afresh\n```\n";
    assert_eq!(blocks(page), [(true, false, 2..3), (false, false, 7..9), (true, true, 12..12)]);
}

#[test]
fn the_sample_values_of_a_page_match_varying_parts() {
    for line in [
        "* Welcome to chat.test.",
        "[#general {time}] bob: hi",
        "* You are bob. Connected from {address} for {n} s.",
        r#"{"type":"private","id":1,"time":"{time}","from":"bob","to":"alice","text":"hi"}"#,
        r#"{"type":"ok","re":"login","name":"bob","token":"{token}"}"#,
    ] {
        assert_ne!(shown(line), line);
        assert_eq!(compared(&shown(line)), line);
    }
}
