//! The effect of each key on the line. No IO.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::buffer::Buffer;
use super::input_history::InputHistory;
use crate::complete::{Completion, complete};
use crate::completions::KnownNames;
use crate::proto::clean;

/// The line editor.
#[derive(Debug, Default)]
pub(super) struct Editor {
    buffer: Buffer,
    history: InputHistory,
    cycle: Option<Cycle>,
}

/// Tab cycles through the candidates until another key is pressed.
#[derive(Debug)]
struct Cycle {
    completion: Completion,
    chosen: usize,
}

/// The action of a key outside of the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EditorAction {
    /// Only redraw the line.
    Draw,
    /// Send the line.
    Send(String),
    /// Ctrl-C on an empty line.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
    /// Ctrl-L.
    Clear,
    /// Ctrl-Z.
    Suspend,
}

impl Editor {
    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The candidates of a Tab, shown below the line, and the index of the chosen one.
    pub(super) fn candidates(&self) -> Option<(&[String], usize)> {
        let cycle = self.cycle.as_ref()?;
        Some((&cycle.completion.candidates, cycle.chosen))
    }

    /// Inserts pasted text. The editor has only one line, so several lines are joined; the text
    /// isn't sent before Enter is pressed.
    pub(super) fn paste(&mut self, text: &str) {
        self.cycle = None;
        let lines: Vec<_> = text.lines().map(clean).collect();
        self.buffer.insert(&lines.join(" "));
    }

    pub(super) fn key(&mut self, key: KeyEvent, known: &KnownNames) -> EditorAction {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Tab => {
                self.tab(known, true);
                return EditorAction::Draw;
            }
            KeyCode::BackTab => {
                self.tab(known, false);
                return EditorAction::Draw;
            }
            _ => self.cycle = None,
        }
        match key.code {
            KeyCode::Enter => return self.send(),
            KeyCode::Char(c) if control => return self.control(c),
            KeyCode::Char(c) if alt => self.alt(c),
            KeyCode::Char(c) => {
                self.buffer.insert(&clean(c.encode_utf8(&mut [0; 4])));
            }
            KeyCode::Backspace if alt || control => self.buffer.cut_word_left(),
            KeyCode::Backspace => self.buffer.erase_left(),
            KeyCode::Delete => self.buffer.erase_right(),
            KeyCode::Left if alt || control => self.buffer.word_left(),
            KeyCode::Right if alt || control => self.buffer.word_right(),
            KeyCode::Left => self.buffer.left(),
            KeyCode::Right => self.buffer.right(),
            KeyCode::Home => self.buffer.home(),
            KeyCode::End => self.buffer.end(),
            KeyCode::Up => self.up(),
            KeyCode::Down => self.down(),
            _ => {}
        }
        EditorAction::Draw
    }

    fn control(&mut self, c: char) -> EditorAction {
        match c.to_ascii_lowercase() {
            'j' | 'm' => return self.send(),
            'c' if self.buffer.text().is_empty() => return EditorAction::Interrupt,
            'c' => {
                // The line isn't lost: Up recalls it.
                let line = self.buffer.take();
                self.history.push(&line);
            }
            'd' if self.buffer.text().is_empty() => return EditorAction::End,
            'd' => self.buffer.erase_right(),
            'l' => return EditorAction::Clear,
            'z' => return EditorAction::Suspend,
            'a' => self.buffer.home(),
            'e' => self.buffer.end(),
            'b' => self.buffer.left(),
            'f' => self.buffer.right(),
            'h' => self.buffer.erase_left(),
            'w' => self.buffer.cut_word_left(),
            'u' => self.buffer.cut_to_start(),
            'k' => self.buffer.cut_to_end(),
            'y' => self.buffer.put_back(),
            'p' => self.up(),
            'n' => self.down(),
            _ => {}
        }
        EditorAction::Draw
    }

    fn alt(&mut self, c: char) {
        match c {
            'b' => self.buffer.word_left(),
            'f' => self.buffer.word_right(),
            'd' => self.buffer.cut_word_right(),
            _ => {}
        }
    }

    fn send(&mut self) -> EditorAction {
        let line = self.buffer.take();
        self.history.push(&line);
        EditorAction::Send(line)
    }

    /// Puts a line back that couldn't be sent.
    pub(super) fn keep(&mut self, line: &str) {
        self.buffer.set(line);
    }

    fn up(&mut self) {
        if let Some(line) = self.history.up(self.buffer.text()) {
            self.buffer.set(line);
        }
    }

    fn down(&mut self) {
        if let Some(line) = self.history.down() {
            self.buffer.set(line);
        }
    }

    fn tab(&mut self, known: &KnownNames, forward: bool) {
        if let Some(cycle) = &mut self.cycle {
            let count = cycle.completion.candidates.len();
            let step = if forward { 1 } else { count - 1 };
            cycle.chosen = (cycle.chosen + step) % count;
        } else {
            let completion = complete(self.buffer.before(), known);
            match completion.candidates.len() {
                0 => return,
                1 => {
                    self.put(completion.start, &completion.candidates[0]);
                    return;
                }
                _ => self.cycle = Some(Cycle { completion, chosen: 0 }),
            }
        }
        if let Some(Cycle { completion, chosen }) = self.cycle.take() {
            self.put(completion.start, &completion.candidates[chosen]);
            self.cycle = Some(Cycle { completion, chosen });
        }
    }

    fn put(&mut self, start: usize, candidate: &str) {
        let blank_follows = self.buffer.after().starts_with(' ');
        let candidate = if blank_follows { candidate.trim_end() } else { candidate };
        self.buffer.replace_before(start, candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownNames {
        let mut known = KnownNames::default();
        known.channel("#general");
        known.spoke("barbara");
        known.spoke("bob");
        known
    }

    /// Presses keys: `^x` is Ctrl-X, `~x` Alt-X, `↑↓←→` the arrows, `⇥` Tab, `⇤` Shift-Tab, `⏎`
    /// Enter, `⌫` Backspace.
    fn press(editor: &mut Editor, keys: &str) -> Vec<EditorAction> {
        let mut actions = Vec::new();
        let mut chars = keys.chars();
        while let Some(c) = chars.next() {
            let (code, modifiers) = match c {
                '^' => (KeyCode::Char(chars.next().unwrap()), KeyModifiers::CONTROL),
                '~' => (KeyCode::Char(chars.next().unwrap()), KeyModifiers::ALT),
                '↑' => (KeyCode::Up, KeyModifiers::NONE),
                '↓' => (KeyCode::Down, KeyModifiers::NONE),
                '←' => (KeyCode::Left, KeyModifiers::NONE),
                '→' => (KeyCode::Right, KeyModifiers::NONE),
                '⇥' => (KeyCode::Tab, KeyModifiers::NONE),
                '⇤' => (KeyCode::BackTab, KeyModifiers::SHIFT),
                '⏎' => (KeyCode::Enter, KeyModifiers::NONE),
                '⌫' => (KeyCode::Backspace, KeyModifiers::NONE),
                c => (KeyCode::Char(c), KeyModifiers::NONE),
            };
            let action = editor.key(KeyEvent::new(code, modifiers), &known());
            if action != EditorAction::Draw {
                actions.push(action);
            }
        }
        actions
    }

    fn check(keys: &str, expected: &str) {
        let mut editor = Editor::default();
        press(&mut editor, keys);
        let shown = format!("{}|{}", editor.buffer.before(), editor.buffer.after());
        assert_eq!(shown, expected, "{keys}");
    }

    #[test]
    fn keys() {
        check("hello←←X", "helX|lo");
        check("hello^aX", "X|hello");
        check("one two^w", "one |");
        check("one two^u^y^y", "one twoone two|");
        check("one two~b~d", "one |");
        check("abc^b^b^k", "a|");
        check("abc⌫⌫", "a|");
        check("漢字⌫", "漢|");
        check("abc^c", "|");
        check("abc^c↑", "abc|");
        check("one⏎two⏎↑↑", "one|");
        check("one⏎draft↑↓", "draft|");
    }

    #[test]
    fn tab_cycles_until_another_key() {
        check("/he⇥", "/help |");
        check("b⇥", "bob: |");
        check("b⇥⇥", "barbara: |");
        check("b⇥⇥⇥", "bob: |");
        check("b⇥⇤", "barbara: |");
        check("b⇥hi", "bob: hi|");
        check("hi b⇥", "hi bob |");
        check("/msg b⇥⇥psst b⇥", "/msg barbara psst bob |");
        check("see  there^aX^e⌫⌫⌫⌫⌫⌫b⇥", "Xsee bob |");
        check("b all←←←←⇥", "bob:| all");
        check("#g⇥", "#general |");
        check("zz⇥", "zz|");
    }

    #[test]
    fn an_existing_blank_is_not_doubled() {
        check("hi b now←←←←⇥", "hi bob| now");
    }

    #[test]
    fn keys_return_actions() {
        let mut editor = Editor::default();
        assert_eq!(press(&mut editor, "hi⏎"), [EditorAction::Send("hi".into())]);
        assert_eq!(press(&mut editor, "⏎"), [EditorAction::Send(String::new())]);
        assert_eq!(press(&mut editor, "x^c^c"), [EditorAction::Interrupt]);
        assert_eq!(press(&mut editor, "x^d^a^d^d"), [EditorAction::End]);
        assert_eq!(press(&mut editor, "^l^z"), [EditorAction::Clear, EditorAction::Suspend]);
        assert_eq!(press(&mut editor, "a^j"), [EditorAction::Send("a".into())]);
    }

    #[test]
    fn a_paste_of_several_lines_is_joined() {
        let mut editor = Editor::default();
        editor.paste("one\r\ntwo\n\u{1b}[31mthree\n");
        assert_eq!(editor.buffer.text(), "one two [31mthree");
    }
}
