//! Compares documents and code.

use std::collections::BTreeSet;
use std::process::Command;

use chat_testkit::binary;

use crate::tree::{files, read, shown, workspace};

#[test]
fn the_code_has_no_todo() {
    // Assembled at run time, so that this file doesn't match itself.
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

/// The targets of the links in a Markdown text, outside code.
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
        // Every second part is between backticks.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for rest in prose.split("](").skip(1) {
            found.push(rest.split([')', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// The anchors of a Markdown text's headings, in the form of web pages.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn links_in_the_documents_resolve() {
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
                broken.push(format!("{}: {link}", shown(&path)));
                continue;
            };
            if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
                broken.push(format!("{}: {link}: no such heading", shown(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Files that are named on a page, in code, as a path below a crate or the workspace.
fn named_files(markdown: &str) -> BTreeSet<String> {
    let words = markdown.split('`').skip(1).step_by(2);
    let is_file = |word: &&str| word.strip_suffix(".rs").is_some_and(|path| !path.contains(' '));
    words.filter(is_file).map(str::to_owned).collect()
}

#[test]
fn files_that_the_architecture_names_exist() {
    let below =
        ["", "crates", "crates/chat-server/src", "crates/chat-proto/src", "crates/chat-proto"];
    let mut missing = Vec::new();
    for page in ["docs/architecture.md", "docs/adding-a-command.md"] {
        for file in named_files(&read(page)) {
            // The example of docs/adding-a-command.md.
            let is_example = file.ends_with("/slap.rs");
            let exists = |folder: &str| workspace().join(folder).join(&file).is_file();
            if !is_example && !below.iter().any(|folder| exists(folder)) {
                missing.push(format!("{page}: there is no {file}: name the file that replaces it"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
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

/// The settings of the table `[limits]` with their defaults, from the checked configuration.
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
    // Conversely, every setting of the file has a line, perhaps as a comment.
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
fn no_page_and_no_comment_mentions_the_authors_machine() {
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
