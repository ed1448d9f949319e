//! Sent lines, for Up and Down. They are stored in memory only, without passwords.

use std::collections::VecDeque;

use crate::input_line::holds_password;

/// Lines to store.
const MAX_LINES: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct InputHistory {
    lines: VecDeque<String>,
    /// The index in `lines` of the one shown; `None` for the line being typed.
    at: Option<usize>,
    /// The line being typed, while an older one is shown.
    draft: String,
}

impl InputHistory {
    /// Adds a sent line; the next Up starts from it.
    pub(super) fn push(&mut self, line: &str) {
        self.at = None;
        self.draft.clear();
        let again = self.lines.back().is_some_and(|last| last == line);
        if line.trim().is_empty() || again || holds_password(line) {
            return;
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The line before the one shown.
    pub(super) fn up(&mut self, shown: &str) -> Option<&str> {
        let at = self.at.unwrap_or(self.lines.len()).checked_sub(1)?;
        if self.at.is_none() {
            shown.clone_into(&mut self.draft);
        }
        self.at = Some(at);
        self.lines.get(at).map(String::as_str)
    }

    /// The line after the one shown; finally the line that was being typed.
    pub(super) fn down(&mut self) -> Option<&str> {
        let next = self.at? + 1;
        self.at = (next < self.lines.len()).then_some(next);
        Some(self.at.and_then(|at| self.lines.get(at)).map_or(&self.draft, String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_and_down_and_back_to_the_draft() {
        let mut history = InputHistory::default();
        assert_eq!(history.up("draft"), None);
        for line in ["one", "two", "two", "", "/login alice sesame"] {
            history.push(line);
        }
        assert_eq!(history.down(), None);
        assert_eq!(history.up("draft"), Some("two"));
        assert_eq!(history.up("two"), Some("one"));
        assert_eq!(history.up("one"), None);
        assert_eq!(history.down(), Some("two"));
        assert_eq!(history.down(), Some("draft"));
        assert_eq!(history.down(), None);
        history.up("draft");
        history.push("three");
        assert_eq!(history.up(""), Some("three"));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut history = InputHistory::default();
        for n in 0..MAX_LINES + 5 {
            history.push(&n.to_string());
        }
        let mut oldest = None;
        while let Some(line) = history.up("") {
            oldest = Some(line.to_owned());
        }
        assert_eq!(oldest.as_deref(), Some("5"));
    }
}
