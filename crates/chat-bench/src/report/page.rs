//! The page: the report replaces the text between two marks and leaves the rest.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, bail};

const BEGIN: &str = "<!-- report: everything up to the end mark is written by chat-bench -->\n";
const END: &str = "<!-- report ends -->\n";

/// Replaces the report in a page; creates the page if it doesn't exist.
pub(crate) fn write(path: &Path, report: &str) -> anyhow::Result<()> {
    let page = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            format!("# Benchmarks\n\n{BEGIN}{END}")
        }
        read => read.with_context(|| format!("reading {}", path.display()))?,
    };
    let Some(whole) = replaced(&page, report) else {
        bail!(
            "{} has no place for the report; it needs these two lines:\n{BEGIN}{END}",
            path.display()
        );
    };
    fs::write(path, whole).with_context(|| format!("writing {}", path.display()))
}

fn replaced(page: &str, report: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n\n{END}{after}", report.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_the_marks_is_replaced() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let whole = replaced(&page, "new\n").unwrap();
        assert_eq!(whole, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(replaced(&whole, "new").unwrap(), whole);
        assert_eq!(replaced("before\nafter\n", "new"), None);
    }
}
