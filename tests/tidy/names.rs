//! A type's name means one thing in the whole workspace.

use std::collections::BTreeMap;

use crate::source::Source;
use crate::tree::{files, read, shown, workspace};

/// Names that several types have, each with the reason why they mean the same.
const SAME_MEANING: &[(&str, &str)] =
    &[("Held", "the rank of a held lock, with and without debug assertions")];

/// Where each type is defined, outside tests.
fn types(texts: &[(String, String)]) -> BTreeMap<String, Vec<String>> {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut left_out: Vec<String> = Vec::new();
    let sources: Vec<(&String, Source)> =
        texts.iter().map(|(path, text)| (path, Source::new(text))).collect();
    for (path, source) in &sources {
        let folder =
            path.trim_end_matches(".rs").trim_end_matches("/lib").trim_end_matches("/main");
        left_out.extend(source.test_modules.iter().map(|test| format!("{folder}/{test}")));
    }
    for (path, source) in sources {
        let below = |test: &String| {
            path.strip_prefix(test.as_str()).is_some_and(|rest| rest.starts_with(['.', '/']))
        };
        if left_out.iter().any(below) {
            continue;
        }
        for (line, name) in source.types {
            types.entry(name).or_default().push(format!("{path}:{line}"));
        }
    }
    types
}

#[test]
fn no_type_name_is_defined_twice() {
    let mut texts = Vec::new();
    for path in files(&workspace().join("crates"), &[".rs"]) {
        let path_shown = shown(&path);
        if path_shown.split('/').nth(2) == Some("src") {
            texts.push((path_shown, read(&path)));
        }
    }
    let mut faults = Vec::new();
    let types = types(&texts);
    for (name, places) in &types {
        if places.len() > 1 && !SAME_MEANING.iter().any(|(same, _)| same == name) {
            faults.push(format!(
                "`{name}` is defined {} times: rename all but one: {}",
                places.len(),
                places.join(", ")
            ));
        }
    }
    for (name, reason) in SAME_MEANING {
        let count = types.get(*name).map_or(0, Vec::len);
        assert!(
            count > 1,
            "`{name}` is defined {count} times: take it off SAME_MEANING ({reason})"
        );
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn names_that_are_defined_twice_are_found() {
    let text = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let types = types(&[
        text("crates/a/src/lib.rs", "struct One; mod two; #[cfg(test)] mod tests;"),
        text("crates/a/src/tests.rs", "struct Two;"),
        text(
            "crates/a/src/two.rs",
            "impl One { fn f() { enum One {} } }\ntrait Two {\n    type One;\n}",
        ),
    ]);
    assert_eq!(types["One"], ["crates/a/src/lib.rs:1", "crates/a/src/two.rs:1"]);
    assert_eq!(types["Two"], ["crates/a/src/two.rs:2"]);
}
