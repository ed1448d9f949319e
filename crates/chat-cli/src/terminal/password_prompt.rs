//! Passwords, typed without echo before the line that needs them is sent. No IO.

use chat_proto::command::{Command, parse};
use chat_proto::refusal::Refusal;
use chat_proto::secret::check_password;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use zeroize::Zeroizing;

use crate::input::UserInput;
use crate::proto::{Secret, clean};

/// Capacity for the longest password, so that typing never reallocates and leaves copies in memory.
const CAPACITY: usize = chat_proto::limits::MAX_LINE_BYTES;

/// A line that waits for its passwords.
pub(super) struct PasswordPrompt {
    line: String,
    /// The remaining prompts, the current one first.
    steps: Vec<PasswordStep>,
    given: Vec<Secret>,
    text: Zeroizing<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PasswordStep {
    /// An existing password.
    Present(String),
    /// A new password.
    New,
    /// The new password again.
    Again,
}

/// The outcome of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PromptOutcome {
    /// More keys are needed.
    Wait,
    /// A sentence to show.
    Tell(String),
    /// All passwords were typed; the input for the session.
    Give(UserInput),
    /// Cancelled.
    Stop(String),
}

impl PasswordPrompt {
    /// The prompt for a line that lacks a password, and a sentence to show before it.
    pub(super) fn before(line: &str) -> Option<(Self, Option<&'static str>)> {
        let (steps, remark) = match parse(line).command.ok()? {
            Command::Register { password: None, .. } => {
                (vec![PasswordStep::New, PasswordStep::Again], None)
            }
            Command::Login(name, None) => (vec![PasswordStep::Present(format!("of {name}"))], None),
            Command::Password(None) => (
                vec![
                    PasswordStep::Present("until now".into()),
                    PasswordStep::New,
                    PasswordStep::Again,
                ],
                None,
            ),
            Command::Forget(None) => (
                vec![PasswordStep::Present("of the account".into())],
                Some("This erases the account and all that it wrote. An empty line keeps it."),
            ),
            _ => return None,
        };
        let line = line.trim().to_owned();
        let text = Zeroizing::new(String::with_capacity(CAPACITY));
        Some((Self { line, steps, given: Vec::new(), text }, remark))
    }

    /// The prompt of the current password.
    pub(super) fn prompt(&self) -> String {
        match self.steps.first() {
            Some(PasswordStep::Present(whose)) => format!("Password {whose}: "),
            Some(PasswordStep::New) | None => "New password: ".into(),
            Some(PasswordStep::Again) => "The same again: ".into(),
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        let text = Zeroizing::new(clean(text.lines().next().unwrap_or_default()));
        if self.text.len() + text.len() <= CAPACITY {
            self.text.push_str(&text);
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> PromptOutcome {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return self.enter(),
            KeyCode::Char('j' | 'm') if control => return self.enter(),
            KeyCode::Char('c' | 'd') if control => return self.stop(),
            KeyCode::Esc => return self.stop(),
            KeyCode::Char('u' | 'w') if control => self.text.clear(),
            KeyCode::Char('h') if control => _ = self.text.pop(),
            KeyCode::Backspace => _ = self.text.pop(),
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.paste(c.encode_utf8(&mut [0; 4]));
            }
            _ => {}
        }
        PromptOutcome::Wait
    }

    fn enter(&mut self) -> PromptOutcome {
        let typed = Secret::typed(&self.text);
        self.text.clear();
        let Some(typed) = typed else { return self.stop() };
        match self.steps.first() {
            Some(PasswordStep::New) => {
                if let Err(unfit) = check_password(typed.expose()) {
                    return PromptOutcome::Tell(Refusal::bad_password(unfit).text().to_owned());
                }
            }
            Some(PasswordStep::Again) if self.given.last() != Some(&typed) => {
                self.given.pop();
                self.steps.insert(0, PasswordStep::New);
                return PromptOutcome::Tell("They are not the same. Once more, both.".into());
            }
            _ => {}
        }
        if self.steps.remove(0) != PasswordStep::Again {
            self.given.push(typed);
        }
        if self.steps.is_empty() { PromptOutcome::Give(self.whole()) } else { PromptOutcome::Wait }
    }

    /// The line with its passwords. If there are two and one contains a blank, they can't both be
    /// on the line: then the server asks for them.
    fn whole(&mut self) -> UserInput {
        let blank = |secret: &Secret| secret.expose().contains(' ');
        let given = std::mem::take(&mut self.given);
        if given.len() > 1 && given.iter().any(blank) {
            return UserInput::Asked(self.line.clone(), given);
        }
        let words: Vec<_> = given.iter().map(Secret::expose).collect();
        UserInput::Line(format!("{} {}", self.line, words.join(" ")))
    }

    fn stop(&mut self) -> PromptOutcome {
        let word = self.line.split(' ').next().unwrap_or_default();
        PromptOutcome::Stop(format!("{word} was not sent."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prompts and outcomes of typing these lines one after the other.
    fn types(line: &str, typed: &[&str]) -> Vec<String> {
        let (mut asking, remark) = PasswordPrompt::before(line).unwrap();
        let mut seen: Vec<_> = remark.map(ToOwned::to_owned).into_iter().collect();
        for text in typed {
            seen.push(asking.prompt());
            for c in text.chars() {
                asking.key(KeyEvent::from(KeyCode::Char(c)));
            }
            match asking.key(KeyEvent::from(KeyCode::Enter)) {
                PromptOutcome::Wait => {}
                PromptOutcome::Tell(text) | PromptOutcome::Stop(text) => seen.push(text),
                PromptOutcome::Give(UserInput::Line(line)) => seen.push(line),
                PromptOutcome::Give(UserInput::Asked(line, secrets)) => {
                    seen.push(line);
                    seen.extend(secrets.iter().map(|secret| secret.expose().to_owned()));
                }
                PromptOutcome::Give(other) => panic!("{other:?}"),
            }
        }
        seen
    }

    #[test]
    fn prompts_and_their_outcomes() {
        for (line, typed, seen) in [
            ("/login Alice", &["sesame"][..], &["Password of Alice: ", "/login Alice sesame"][..]),
            ("/login alice", &[""], &["Password of alice: ", "/login was not sent."]),
            (
                "/register",
                &["open sesame", "open sesame"],
                &["New password: ", "The same again: ", "/register open sesame"],
            ),
            (
                "/reg invite:k7",
                &["open sesame", "open sesami", "open sesame", "open sesame"],
                &[
                    "New password: ",
                    "The same again: ",
                    "They are not the same. Once more, both.",
                    "New password: ",
                    "The same again: ",
                    "/reg invite:k7 open sesame",
                ],
            ),
            (
                "/password",
                &["old-one!", "new-one!", "new-one!"],
                &[
                    "Password until now: ",
                    "New password: ",
                    "The same again: ",
                    "/password old-one! new-one!",
                ],
            ),
            (
                "/password",
                &["old-one!", "new one!", "new one!"],
                &[
                    "Password until now: ",
                    "New password: ",
                    "The same again: ",
                    "/password",
                    "old-one!",
                    "new one!",
                ],
            ),
            (
                "/forget",
                &["open sesame"],
                &[
                    "This erases the account and all that it wrote. An empty line keeps it.",
                    "Password of the account: ",
                    "/forget open sesame",
                ],
            ),
        ] {
            assert_eq!(types(line, typed), seen, "{line} {typed:?}");
        }
        for whole in ["/login alice sesame", "/register sesame", "/password a b", "/users", "hi"] {
            assert!(PasswordPrompt::before(whole).is_none(), "{whole}");
        }
    }

    #[test]
    fn a_new_password_is_checked() {
        let seen = types("/register", &["short", "token:abcdefgh"]);
        assert_eq!((seen[0].as_str(), seen[2].as_str()), ("New password: ", "New password: "));
        assert!(seen[1].contains('8') && seen[3].contains("token:"), "{seen:?}");
    }

    #[test]
    fn keys() {
        let (mut asking, _) = PasswordPrompt::before("/login alice").unwrap();
        let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        asking.paste("wrong\nline");
        assert_eq!(asking.key(control('u')), PromptOutcome::Wait);
        asking.paste("sesamee");
        asking.key(KeyEvent::from(KeyCode::Backspace));
        asking.key(KeyEvent::from(KeyCode::Up));
        let given = asking.key(control('m'));
        assert_eq!(given, PromptOutcome::Give(UserInput::Line("/login alice sesame".into())));
        for key in [control('c'), control('d'), KeyEvent::from(KeyCode::Esc)] {
            assert_eq!(asking.key(key), PromptOutcome::Stop("/login was not sent.".into()));
        }
    }
}
