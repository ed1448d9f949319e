//! Typed lines without an answer yet: stored in the order typed, across lost connections.

use std::collections::VecDeque;

use crate::input_line::{InputLine, MessageTarget, OutgoingMessage};
use crate::mention::same_name;
use chat_proto::limits::MAX_LINE_BYTES;

/// A typed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OutboxItem {
    /// Sent once; without its answer it is given back.
    Command(InputLine),
    /// Delivered exactly once, however often it has to be sent.
    Line(PendingMessage),
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingMessage {
    pub(super) typed: InputLine,
    pub(super) saying: OutgoingMessage,
    /// `#general` or `@bob`; `None` while a command before it may still change the destination.
    pub(super) to: Option<String>,
    /// The server recognizes the message by it.
    pub(super) key: String,
    /// Set when it is first sent.
    pub(super) sent: Option<SendRecord>,
    /// How often it was refused temporarily.
    pub(super) tries: u32,
}

/// The state of a sent line, for the case that the connection is lost before its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SendRecord {
    /// The client's name then: keys are per name.
    pub(super) by: String,
    /// The last line seen there then; the line itself has a greater id.
    pub(super) after: Option<u64>,
    /// The connection was lost since.
    pub(super) uncertain: bool,
    /// All messages since then were compared.
    pub(super) checked: bool,
    /// The id of the message, if it was among them.
    pub(super) found: Option<u64>,
}

/// How to proceed with an uncertain line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResendDecision {
    /// It may be sent: it was not delivered, or the server recognizes it by its key.
    Send,
    /// It was delivered.
    Said,
    /// It can't be determined.
    Unknown,
}

impl PendingMessage {
    fn new(typed: InputLine, saying: OutgoingMessage, key: String) -> Self {
        let key = saying.key.clone().unwrap_or(key);
        let to = match &saying.aim {
            MessageTarget::Named(place) => Some(place.clone()),
            MessageTarget::Current | MessageTarget::Writer => None,
        };
        Self { typed, saying, to, key, sent: None, tries: 0 }
    }

    /// The `/once` form, if the text allows it: an action has none, blanks around the text would be
    /// lost, and the key may make the line too long.
    fn with_key(&self, to: &str) -> Option<String> {
        let text = &self.saying.text;
        let line = format!("/once {} {to} {text}", self.key);
        let fits = line.len() <= MAX_LINE_BYTES && text.trim() == text;
        (fits && !self.saying.action).then_some(line)
    }

    /// The line for the server; `None` if it can only be sent to the current conversation and that
    /// is another one.
    pub(super) fn request(&self, to: &str, current: Option<&str>) -> Option<String> {
        if let Some(line) = self.with_key(to) {
            return Some(line);
        }
        let text = &self.saying.text;
        let is_current = current.is_some_and(|current| same_name(current, to));
        match (self.saying.action, is_current) {
            (true, true) => Some(format!("/me {text}")),
            (true, false) => None,
            (false, true) if text.starts_with('/') => Some(format!("/{text}")),
            (false, true) => Some(text.clone()),
            (false, false) => Some(format!("/say {to} {text}")),
        }
    }

    /// Whether it may be sent as `me`.
    pub(super) fn fate(&self, me: &str) -> ResendDecision {
        let Some(sent) = self.sent.as_ref().filter(|sent| sent.uncertain) else {
            return ResendDecision::Send;
        };
        let known_by_key = self.to.as_ref().is_some_and(|to| self.with_key(to).is_some());
        if known_by_key && same_name(&sent.by, me) {
            ResendDecision::Send
        } else if sent.found.is_some() {
            ResendDecision::Said
        } else if sent.checked {
            ResendDecision::Send
        } else {
            ResendDecision::Unknown
        }
    }
}

/// See the module. The first line may be in flight.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    items: VecDeque<OutboxItem>,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn push(&mut self, typed: InputLine, key: String) {
        self.items.push_back(match typed.saying() {
            Some(saying) => OutboxItem::Line(PendingMessage::new(typed, saying, key)),
            None => OutboxItem::Command(typed),
        });
    }

    /// Whether a command waits that may change the destination of later lines.
    pub(super) fn has_command(&self) -> bool {
        self.items.iter().any(|item| matches!(item, OutboxItem::Command(_)))
    }

    /// The last item, if it is a message.
    pub(super) fn last_line(&mut self) -> Option<&mut PendingMessage> {
        match self.items.back_mut() {
            Some(OutboxItem::Line(line)) => Some(line),
            _ => None,
        }
    }

    pub(super) fn first(&self) -> Option<&OutboxItem> {
        self.items.front()
    }

    pub(super) fn first_line(&mut self) -> Option<&mut PendingMessage> {
        match self.items.front_mut() {
            Some(OutboxItem::Line(line)) => Some(line),
            _ => None,
        }
    }

    pub(super) fn pop(&mut self) -> Option<OutboxItem> {
        self.items.pop_front()
    }

    /// The connection is lost: takes out what can't be sent later. Commands depend on what the user
    /// saw then; and the destination of a message after such a command is unknown.
    pub(super) fn given_back(&mut self, command_lost: bool) -> Vec<InputLine> {
        if let Some(PendingMessage { sent: Some(sent), .. }) = self.first_line() {
            sent.uncertain = true;
            sent.checked = false;
        }
        let mut after_command = command_lost;
        let mut back = Vec::new();
        self.items.retain(|item| match item {
            OutboxItem::Command(typed) => {
                after_command = true;
                back.push(typed.clone());
                false
            }
            OutboxItem::Line(line) if line.to.is_none() && after_command => {
                back.push(line.typed.clone());
                false
            }
            OutboxItem::Line(_) => true,
        });
        back
    }

    /// Takes all lines, in order.
    pub(super) fn take(&mut self) -> Vec<InputLine> {
        self.take_after(0)
    }

    /// Takes all lines after the first `first`, in order.
    pub(super) fn take_after(&mut self, first: usize) -> Vec<InputLine> {
        let typed = |item| match item {
            OutboxItem::Command(typed) => typed,
            OutboxItem::Line(line) => line.typed,
        };
        self.items.drain(first.min(self.items.len())..).map(typed).collect()
    }

    /// Compares a line of history with the uncertain message.
    pub(super) fn compare(
        &mut self,
        place: &str,
        id: Option<u64>,
        from: &str,
        text: &str,
        action: bool,
    ) {
        let Some(line) = self.first_line() else { return };
        let here = line.to.as_deref().is_some_and(|to| same_name(to, place));
        let same = line.saying.text == text && line.saying.action == action;
        if let Some(sent) = line.sent.as_mut().filter(|sent| here && same && sent.uncertain)
            && same_name(&sent.by, from)
            && id > sent.after
        {
            sent.found = sent.found.or(id);
        }
    }

    /// All messages in `place` since the connection was lost were compared. An uncertain message
    /// can only be among them, since its `ok` would have come before any later message.
    pub(super) fn checked(&mut self, place: &str) {
        let Some(line) = self.first_line() else { return };
        let here = line.to.as_deref().is_some_and(|to| same_name(to, place));
        if let Some(sent) = line.sent.as_mut().filter(|sent| here && sent.uncertain) {
            sent.checked = sent.after.is_some();
        }
    }

    /// Renames the destination of messages to a user.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        let (from, to) = (format!("@{from}"), format!("@{to}"));
        for item in &mut self.items {
            if let OutboxItem::Line(line) = item
                && line.to.as_deref().is_some_and(|place| same_name(place, &from))
            {
                line.to = Some(to.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(typed: &str) -> PendingMessage {
        let typed = InputLine::read(typed).unwrap();
        let saying = typed.saying().unwrap();
        let mut line = PendingMessage::new(typed, saying, "k1".into());
        line.to.get_or_insert("#dev".into());
        line
    }

    #[test]
    fn lines_for_the_server() {
        let long = "x".repeat(MAX_LINE_BYTES - 4);
        for (typed, current, request) in [
            ("hi all", "#dev", Some("/once k1 #dev hi all")),
            ("hi all", "#other", Some("/once k1 #dev hi all")),
            ("//etc", "#dev", Some("/once k1 #dev /etc")),
            ("/say #ops hi", "#dev", Some("/once k1 #ops hi")),
            ("/msg bob hi", "#dev", Some("/once k1 @bob hi")),
            ("/once mine @bob hi", "#dev", Some("/once mine @bob hi")),
            ("/me waves", "#DEV", Some("/me waves")),
            ("/me waves", "#ops", None),
            ("  indented", "#dev", Some("  indented")),
            ("  indented", "#ops", Some("/say #dev   indented")),
            (&long, "#dev", Some(&long)),
        ] {
            let line = line(typed);
            let to = line.to.clone().unwrap();
            assert_eq!(
                line.request(&to, Some(current)).as_deref(),
                request,
                "{typed} in {current}"
            );
        }
    }

    #[test]
    fn an_uncertain_line_is_resent_only_if_that_cannot_duplicate_it() {
        let sent = |uncertain, checked, found| {
            Some(SendRecord { by: "alice".into(), after: Some(7), uncertain, checked, found })
        };
        for (typed, me, sent, fate) in [
            ("hi", "alice", None, ResendDecision::Send),
            ("hi", "alice", sent(true, false, None), ResendDecision::Send),
            ("hi", "al", sent(true, false, None), ResendDecision::Unknown),
            ("hi", "al", sent(true, true, None), ResendDecision::Send),
            ("hi", "al", sent(true, true, Some(8)), ResendDecision::Said),
            ("/me waves", "alice", sent(false, false, None), ResendDecision::Send),
            ("/me waves", "alice", sent(true, false, None), ResendDecision::Unknown),
            ("/me waves", "alice", sent(true, true, None), ResendDecision::Send),
            ("/me waves", "alice", sent(true, true, Some(8)), ResendDecision::Said),
        ] {
            let line = PendingMessage { sent, ..line(typed) };
            assert_eq!(line.fate(me), fate, "{line:?}");
        }
    }

    #[test]
    fn only_a_later_own_line_with_the_same_text_is_the_uncertain_one() {
        for (place, id, from, text, action, found) in [
            ("#dev", 8, "alice", "waves", true, Some(8)),
            ("#DEV", 8, "ALICE", "waves", true, Some(8)),
            ("#dev", 7, "alice", "waves", true, None),
            ("#ops", 8, "alice", "waves", true, None),
            ("#dev", 8, "bob", "waves", true, None),
            ("#dev", 8, "alice", "waves!", true, None),
            ("#dev", 8, "alice", "waves", false, None),
        ] {
            let mut outbox = Outbox::default();
            let mut action_line = line("/me waves");
            action_line.sent = Some(SendRecord {
                by: "alice".into(),
                after: Some(7),
                uncertain: true,
                checked: false,
                found: None,
            });
            outbox.items.push_back(OutboxItem::Line(action_line));
            outbox.compare(place, Some(id), from, text, action);
            let got = outbox.first_line().and_then(|line| line.sent.as_ref()?.found);
            assert_eq!(got, found, "{place} {id} {from} {text}");
        }
    }

    #[test]
    fn a_lost_connection_gives_back_commands_and_lines_that_depend_on_them() {
        let mut outbox = Outbox::default();
        for typed in ["one", "/say #ops two", "/enter ops", "three", "/msg bob four"] {
            outbox.push(InputLine::read(typed).unwrap(), "k".into());
        }
        let back: Vec<_> = outbox.given_back(false).into_iter().map(|typed| typed.line).collect();
        assert_eq!(back, ["/enter ops", "three"]);
        let kept: Vec<_> = outbox.take().into_iter().map(|typed| typed.line).collect();
        assert_eq!(kept, ["one", "/say #ops two", "/msg bob four"]);
    }
}
