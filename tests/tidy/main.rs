//! What holds the documents and the code together.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by them")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chat_testkit::binary::{self, workspace};

/// Files of these kinds below a folder of the workspace; what is built or hidden is passed over, but not
/// `.ci`.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "corpus", "artifacts"].contains(&name.as_str()) && !name.starts_with('.')
            {
                found.extend(files(&path, extensions));
            }
        } else if extensions.iter().any(|extension| name.ends_with(extension)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path as it is told in a failure.
fn shown(path: &Path) -> String {
    path.strip_prefix(workspace()).unwrap_or(path).display().to_string()
}

#[test]
fn nothing_is_left_to_be_done_in_the_code() {
    // Put together here, so that this file doesn't find itself.
    let words = ["todo", "unimplemented", "dbg"].map(|word| format!("{word}!("));
    let marks = ["TODO", "FIXME", "XXX", "HACK"].map(|mark| format!("// {mark}"));
    let mut left = Vec::new();
    for path in files(workspace(), &[".rs"]) {
        for (at, line) in read(&path).lines().enumerate() {
            let waits = words.iter().chain(&marks).any(|word| line.contains(word.as_str()));
            if waits || line.trim_start().starts_with(concat!("#[ig", "nore")) {
                left.push(format!("{}:{}: {line}", shown(&path), at + 1));
            }
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// The targets of the links in a Markdown text, code left out.
fn links(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        // Every second part stands between backticks.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for rest in prose.split("](").skip(1) {
            found.push(rest.split([')', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// The anchors of a Markdown text's headings, as web pages have them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Links to what isn't written yet. When it is, its line here goes.
const NOT_WRITTEN_YET: &[&str] = &[];

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files(workspace(), &[".md"]) {
        let text = read(&path);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let Ok(target) = target.canonicalize() else {
                let awaited = NOT_WRITTEN_YET.iter().any(|awaited| {
                    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
                    name(awaited) == name(file)
                });
                if !awaited {
                    broken.push(format!("{}: {link}", shown(&path)));
                }
                continue;
            };
            if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
                broken.push(format!("{}: {link}: no such heading", shown(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    for awaited in NOT_WRITTEN_YET {
        assert!(!workspace().join(awaited).exists(), "{awaited} is written: take it off the list");
    }
}

#[test]
fn links_are_found() {
    let text = "# A Heading, here\n[a](b.md) `[no](x)` [c](d.md#e \"title\")\n```\n[no](y)\n```\n";
    assert_eq!(links(text), ["b.md", "d.md#e"]);
    assert!(anchors(text).contains("a-heading-here"));
}

#[test]
fn every_flag_is_documented_for_operators() {
    let help = Command::new(binary::path("chat-server")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let page = read("docs/operating.md");
    let flags: BTreeSet<&str> = help
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .collect();
    assert!(flags.len() >= 10, "{flags:?}");
    let missing: Vec<_> = flags.iter().filter(|flag| !page.contains(&format!("`{flag}"))).collect();
    assert!(missing.is_empty(), "docs/operating.md has nothing about {missing:?}");
}

/// The settings of the table `[limits]` with their defaults, out of the code: each is named once where the
/// file becomes checked.
fn limits() -> Vec<(String, String)> {
    let code = read("crates/chat-server/src/config.rs");
    let mut limits = Vec::new();
    for rest in code.split("\"limits.").skip(1) {
        let (name, rest) = rest.split_once('"').expect("a name ends");
        let number = rest.trim_start_matches([',', ' ', '\n']);
        let number: String =
            number.chars().take_while(|c| c.is_ascii_digit() || *c == '_').collect();
        limits.push((name.to_owned(), number.replace('_', "")));
    }
    limits
}

#[test]
fn every_limit_is_in_the_example_config_with_its_default() {
    let limits = limits();
    assert!(limits.len() >= 10, "{limits:?}");
    let example = read("dist/config.example.toml");
    let settings = read("crates/chat-server/src/config/file.rs");
    for (name, usual) in &limits {
        assert!(settings.contains(&format!("pub {name}: ")), "no setting {name}");
        let line = format!("{name} = {usual}");
        assert!(example.lines().any(|other| other == line), "no line \"{line}\" in the example");
    }
    // And the other way round: every setting of the file has its line, perhaps as a comment.
    for line in settings.lines() {
        if let Some(field) = line.trim().strip_prefix("pub ")
            && let Some((name, _)) = field.split_once(": Option<")
        {
            let has = |line: &str| line.trim_start_matches('#').starts_with(&format!("{name} = "));
            assert!(example.lines().any(has), "the example has no {name}");
        }
    }
}

#[test]
fn the_changelog_has_its_shape() {
    let text = read("CHANGELOG.md");
    assert!(text.starts_with("# Changelog\n"));
    let versions: Vec<&str> = text.split("\n## ").skip(1).collect();
    assert!(!versions.is_empty(), "no version");
    for version in versions {
        let (title, rest) = version.split_once('\n').unwrap_or((version, ""));
        let is_version = title.split_once(" – ").is_some_and(|(number, date)| {
            number.split('.').count() == 3
                && number.split('.').all(|part| part.parse::<u32>().is_ok())
                && date.len() == "2026-01-31".len()
        });
        assert!(title == "Unreleased" || is_version, "\"{title}\" is no \"1.2.3 – 2026-01-31\"");
        let sections: Vec<&str> =
            rest.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        assert_eq!(sections.first(), Some(&"What to do"), "{title} begins with what to do");
        for section in &sections[1..] {
            let known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
            assert!(known.contains(section), "{title}: \"{section}\" is none of {known:?}");
        }
    }
}

#[test]
fn no_page_and_no_comment_tells_of_the_machine_it_was_written_on() {
    let marks = ["/ho".to_owned() + "me/", "/ro".to_owned() + "ot/", "/wo".to_owned() + "rk/"];
    let mut found = Vec::new();
    for path in files(workspace(), &[".rs", ".md", ".toml", ".txt", ".service", "run"]) {
        for (at, line) in read(&path).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                found.push(format!("{}:{}: {line}", shown(&path), at + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
