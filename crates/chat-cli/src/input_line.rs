//! A typed line, parsed as far as the client needs.

use crate::proto::{COMMANDS, Secret, clean, spec};
use crate::server_event::at;

/// The destination of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MessageTarget {
    /// The current conversation.
    Current,
    /// `#general` or `@bob`.
    Named(String),
    /// The sender of the last private message.
    Writer,
}

/// The message in a line, however it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutgoingMessage {
    pub(crate) aim: MessageTarget,
    pub(crate) text: String,
    pub(crate) action: bool,
    /// The key that the user chose.
    pub(crate) key: Option<String>,
}

/// A line to send, and the message in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputLine {
    /// The line for the server.
    pub(crate) line: String,
    /// The name of the command, `say` for plain text; `None` if the client doesn't know the
    /// command.
    pub(crate) spec: Option<&'static str>,
    /// The text of the message, which is shown once the server has confirmed it.
    pub(crate) text: Option<String>,
    /// The whole line is a password that the server asked for.
    pub(crate) secret: bool,
}

impl InputLine {
    /// A password that the server asked for. It isn't shown.
    pub(crate) fn password(secret: &Secret) -> Self {
        Self { line: secret.expose().to_owned(), spec: None, text: None, secret: true }
    }

    /// `None` if the line is blank; the server doesn't answer those.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let line = clean(line);
        if line.trim().is_empty() {
            return None;
        }
        let Some((word, rest)) = command(&line) else {
            let text = line.strip_prefix('/').unwrap_or(&line).to_owned();
            return Some(Self { line, spec: Some("say"), text: Some(text), secret: false });
        };
        let spec = spec(word).map(|spec| spec.name);
        let text = match spec {
            Some("me" | "reply") => Some(rest),
            Some("msg" | "private" | "say") => after_word(rest),
            Some("once") => after_word(rest).and_then(after_word),
            _ => None,
        };
        let text = text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        Some(Self { line, spec, text, secret: false })
    }

    /// The message, if the line does nothing else and is valid.
    pub(crate) fn saying(&self) -> Option<OutgoingMessage> {
        let text = self.text.clone()?;
        let rest = command(&self.line).map_or("", |(_, rest)| rest);
        let word = |words: &str| words.split_once(' ').map(|(word, _)| word.to_owned());
        let place = |place: String| place[1..].starts_with(char::is_alphanumeric).then_some(place);
        let mut key = None;
        let aim = match self.spec? {
            "say" if !self.is_command() => MessageTarget::Current,
            "me" => MessageTarget::Current,
            "reply" => MessageTarget::Writer,
            "msg" => MessageTarget::Named(place(at(&word(rest)?))?),
            "say" => MessageTarget::Named(
                word(rest).filter(|to| to.starts_with(['#', '@'])).and_then(place)?,
            ),
            "once" => {
                key = word(rest);
                let to = word(after_word(rest)?).filter(|to| to.starts_with(['#', '@']));
                MessageTarget::Named(to.and_then(place)?)
            }
            _ => return None,
        };
        Some(OutgoingMessage { aim, text, action: self.is_action(), key })
    }

    /// Whether the line names a destination.
    pub(crate) fn has_target(&self) -> bool {
        matches!(self.saying(), Some(OutgoingMessage { aim: MessageTarget::Named(_), .. }))
    }

    /// `/private bob text…` as two lines: one opens the chat, the other sends the text.
    pub(crate) fn opening(&self) -> Option<[Self; 2]> {
        self.text.as_ref().filter(|_| self.spec == Some("private"))?;
        let (word, rest) = command(&self.line)?;
        let (user, text) = rest.split_once(' ')?;
        let open = Self::read(&format!("/{word} {user}"))?;
        Some([open, Self::read(&format!("/msg {user} {}", text.trim_start()))?])
    }

    /// Whether it is a command rather than plain text.
    pub(crate) fn is_command(&self) -> bool {
        !self.secret && command(&self.line).is_some()
    }

    /// Whether it has a password, or makes the server ask for one.
    pub(crate) fn is_about_password(&self) -> bool {
        let secret =
            |spec: &&'static str| COMMANDS.iter().any(|own| own.secret && own.name == *spec);
        self.secret || self.spec.as_ref().is_some_and(secret)
    }

    /// Whether it is an action.
    pub(crate) fn is_action(&self) -> bool {
        self.spec == Some("me")
    }

    /// The line with its password hidden.
    pub(crate) fn discreet(&self) -> String {
        match command(&self.line) {
            _ if self.secret => "…".into(),
            Some((word, rest)) if holds_password(&self.line) => {
                let name = rest.split_once(' ').filter(|_| "login".starts_with(word));
                let name = name.map(|(name, _)| format!("{name} ")).unwrap_or_default();
                format!("/{word} {name}…")
            }
            _ => self.line.clone(),
        }
    }
}

/// Whether the line has a password, so that it must be neither shown again nor stored.
pub(crate) fn holds_password(line: &str) -> bool {
    // A shorter prefix is ambiguous, and the server refuses it.
    let least = 3;
    command(line).is_some_and(|(word, rest)| {
        let word = word.to_lowercase();
        let begins = |whole: &str| word.len() >= least && whole.starts_with(word.as_str());
        let mut secret = COMMANDS.iter().filter(|spec| spec.secret);
        !rest.is_empty() && secret.any(|spec| spec.words().any(begins))
    })
}

/// The name of a command, without its slash, and its arguments; `None` for plain text.
pub(crate) fn command(line: &str) -> Option<(&str, &str)> {
    let slashed = line.strip_prefix('/').filter(|rest| !rest.starts_with('/'))?;
    let (word, rest) = slashed.split_once(' ').unwrap_or((slashed, ""));
    Some((word, rest.trim()))
}

fn after_word(words: &str) -> Option<&str> {
    words.split_once(' ').map(|(_, rest)| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_line_is_parsed() {
        for (line, spec, text) in [
            ("hi all", Some("say"), Some("hi all")),
            ("//not a command", Some("say"), Some("/not a command")),
            ("/me waves", Some("me"), Some("waves")),
            ("/MSG bob psst you", Some("msg"), Some("psst you")),
            ("/r on my way", Some("reply"), Some("on my way")),
            ("/say #dev hi", Some("say"), Some("hi")),
            ("/private bob", Some("private"), None),
            ("/private bob hi", Some("private"), Some("hi")),
            ("/users", Some("users"), None),
            ("/xyzzy a b", None, None),
            ("a\tb\u{1b}c", Some("say"), Some("a bc")),
        ] {
            let typed = InputLine::read(line).unwrap();
            assert_eq!((typed.spec, typed.text.as_deref()), (spec, text), "{line}");
        }
        for blank in ["", "  ", "\u{7}\t"] {
            assert_eq!(InputLine::read(blank), None, "{blank:?}");
        }
    }

    #[test]
    fn the_destination_of_a_message_is_parsed() {
        let named = |place: &str| Some(MessageTarget::Named(place.into()));
        for (line, aim) in [
            ("hi", Some(MessageTarget::Current)),
            ("//hi", Some(MessageTarget::Current)),
            ("/me waves", Some(MessageTarget::Current)),
            ("/r hi", Some(MessageTarget::Writer)),
            ("/msg bob hi", named("@bob")),
            ("/w @bob hi", named("@bob")),
            ("/say #dev hi", named("#dev")),
            ("/once k @bob hi", named("@bob")),
            ("/say dev hi", None),
            ("/say # hi", None),
            ("/say #dev", None),
            ("/once k #dev", None),
            ("/private bob hi", None),
            ("/users", None),
        ] {
            let saying = InputLine::read(line).unwrap().saying();
            assert_eq!(saying.map(|saying| saying.aim), aim, "{line}");
        }
        let [open, say] = InputLine::read("/dm bob  hi you").unwrap().opening().unwrap();
        assert_eq!((open.line.as_str(), say.line.as_str()), ("/dm bob", "/msg bob hi you"));
        assert_eq!(InputLine::read("/dm bob").unwrap().opening(), None);
    }

    #[test]
    fn passwords_are_not_shown_again() {
        for (line, shown) in [
            ("/login alice sesame", "/login alice …"),
            ("/login sesame", "/login …"),
            ("/register sesame", "/register …"),
            ("/password old new", "/password …"),
            ("/reg sesame", "/reg …"),
            ("/forget sesame", "/forget …"),
            ("/log alice sesame", "/log alice …"),
            ("/register", "/register"),
            ("/me login sesame", "/me login sesame"),
            ("login alice sesame", "login alice sesame"),
        ] {
            assert_eq!(InputLine::read(line).unwrap().discreet(), shown);
        }
    }
}
