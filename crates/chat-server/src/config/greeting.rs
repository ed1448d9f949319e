//! The texts of the greeting: the server's name and the message of the day.

use std::io;
use std::path::Path;

use chat_proto::text::{Text, clean};

use crate::util::input;

/// Maximum size of the message of the day, which every client receives.
const MAX_MOTD_BYTES: u64 = 64 * 1024;

/// The lines of a file, without control characters.
pub(super) fn motd(path: &Path) -> io::Result<Vec<String>> {
    let text = input::read_text(path, MAX_MOTD_BYTES)?;
    Ok(text.lines().map(|line| clean(&without_escapes(line)).into_owned()).collect())
}

/// The name as displayed; `None` if nothing of it is visible.
pub(super) fn name(written: &str) -> Option<String> {
    Text::new(&without_escapes(written)).map(|text| text.as_str().to_owned())
}

/// Removes a terminal's control sequences (ECMA-48) as a whole: colours, titles, links.
fn without_escapes(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let begins = match c {
            '\u{1B}' => rest.next(),
            '\u{9B}' => Some('['),
            '\u{9D}' => Some(']'),
            _ => {
                kept.push(c);
                continue;
            }
        };
        match begins {
            Some('[') => {
                rest.find(|c| ('@'..='~').contains(c));
            }
            // A string ends with BEL, or with ESC and a backslash.
            Some(']' | 'P' | 'X' | '^' | '_') => {
                let end = rest.find(|c| matches!(c, '\u{7}' | '\u{9C}' | '\u{1B}'));
                if end == Some('\u{1B}') {
                    rest.next_if_eq(&'\\');
                }
            }
            Some(' '..='/') => {
                rest.find(|c| !(' '..='/').contains(c));
            }
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_removed_whole() {
        for (written, shown) in [
            ("plain – größer", "plain – größer"),
            ("\u{1B}[1;31mRed\u{1B}[0m text", "Red text"),
            ("\u{9B}31mRed", "Red"),
            ("\u{1B}]0;title\u{7}after", "after"),
            ("\u{1B}]8;;http://x\u{1B}\\link\u{1B}]8;;\u{1B}\\ end", "link end"),
            ("\u{1B}(Bx\u{1B}cy", "xy"),
            ("cut \u{1B}", "cut "),
            ("cut \u{1B}[31", "cut "),
            ("a [31m b", "a [31m b"),
        ] {
            assert_eq!(without_escapes(written), shown, "{written:?}");
        }
    }

    #[test]
    fn a_name_is_one_visible_line() {
        assert_eq!(name("chat\u{1B}[31m.example\n.org").as_deref(), Some("chat.example.org"));
        assert_eq!(name(" \u{1B}[0m\u{200B}"), None);
    }
}
