//! The range of a history request: how many messages, and from where.

use std::fmt;

use super::words;
use super::{Command, SearchCursor};
use crate::command_table::CommandSpec;
use crate::id::MessageId;
use crate::limits::MAX_HISTORY_LINES;
use crate::refusal::Refusal;

/// A range of a conversation, always sent oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryRange {
    /// The largest number of messages, 1 to [`MAX_HISTORY_LINES`]. `None` is everything after an
    /// id, else [`HISTORY_LINES`](crate::limits::HISTORY_LINES).
    pub count: Option<u32>,
    /// The anchor of the range.
    pub from: HistoryAnchor,
}

/// The anchor of a [`HistoryRange`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryAnchor {
    /// The newest messages.
    #[default]
    End,
    /// The last ones before this message.
    Before(MessageId),
    /// The first ones after this message; 0 is before all of them.
    After(MessageId),
}

impl fmt::Display for HistoryRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.count.is_some() { " " } else { "" };
        if let Some(count) = self.count {
            write!(f, "{count}")?;
        }
        match self.from {
            HistoryAnchor::End => Ok(()),
            HistoryAnchor::Before(id) => write!(f, "{between}before {id}"),
            HistoryAnchor::After(id) => write!(f, "{between}after {id}"),
        }
    }
}

/// Parses the arguments of `/history`, in any order: a conversation, a count, a message id after
/// `before` or `after`. Digits alone are the count, so a channel of such a name needs its `#`.
pub(super) fn history(spec: &CommandSpec, rest: &str) -> Result<Command, Refusal> {
    let (mut conversation, mut count, mut from) = (None, None, None);
    let mut words = rest.split_whitespace();
    while let Some(word) = words.next() {
        let again = if let Some(anchor) = anchor(word) {
            let id = words.next().unwrap_or_default();
            from.replace(anchor(line_id(word, id)?)).is_some()
        } else if is_number(word) {
            count.replace(line_count(word)?).is_some()
        } else {
            conversation.replace(words::conversation(word)?).is_some()
        };
        if again {
            return Err(Refusal::too_many_arguments(spec, word));
        }
    }
    let from = from.unwrap_or_default();
    if let HistoryAnchor::Before(MessageId(0)) = from {
        return Err(Refusal::bad_line_id("before", "0"));
    }
    Ok(Command::History(conversation, HistoryRange { count, from }))
}

/// Parses what follows the channel of `/enter`: nothing, or `after` and a message id.
pub(super) fn entered_after(spec: &CommandSpec, rest: &str) -> Result<Option<MessageId>, Refusal> {
    let mut words = rest.split_whitespace();
    let Some(word) = words.next() else { return Ok(None) };
    if !word.eq_ignore_ascii_case("after") {
        return Err(Refusal::too_many_arguments(spec, rest));
    }
    let id = line_id(word, words.next().unwrap_or_default())?;
    match words.next() {
        Some(more) => Err(Refusal::too_many_arguments(spec, more)),
        None => Ok(Some(id)),
    }
}

/// Parses the arguments of `/mentions`, in any order: a count, and `before:`.
pub(super) fn mentions(spec: &CommandSpec, rest: &str) -> Result<Command, Refusal> {
    let (mut count, mut before) = (None, None);
    for word in rest.split_whitespace() {
        let again = match word.split_once(':') {
            Some((filter, value)) if filter.eq_ignore_ascii_case("before") => {
                before.replace(SearchCursor::read(value)?).is_some()
            }
            _ if count.is_some() => true,
            _ => count.replace(line_count(word)?).is_some(),
        };
        if again {
            return Err(Refusal::too_many_arguments(spec, word));
        }
    }
    Ok(Command::Mentions { count, before })
}

fn anchor(word: &str) -> Option<fn(MessageId) -> HistoryAnchor> {
    if word.eq_ignore_ascii_case("before") {
        Some(HistoryAnchor::Before)
    } else if word.eq_ignore_ascii_case("after") {
        Some(HistoryAnchor::After)
    } else {
        None
    }
}

/// Whether a word is a number, including one that is no valid count, such as `-5`.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses a count of messages, 1 to [`MAX_HISTORY_LINES`].
pub(super) fn line_count(word: &str) -> Result<u32, Refusal> {
    let count = words::digits(word).and_then(|count| u32::try_from(count).ok());
    count
        .filter(|count| (1..=MAX_HISTORY_LINES).contains(count))
        .ok_or_else(|| Refusal::bad_count(word))
}

fn line_id(before_or_after: &str, word: &str) -> Result<MessageId, Refusal> {
    // The store's ids are signed.
    words::digits(word)
        .filter(|id| i64::try_from(*id).is_ok())
        .map(MessageId)
        .ok_or_else(|| Refusal::bad_line_id(before_or_after, word))
}

#[cfg(test)]
mod tests {
    use crate::command::parse;
    use crate::command::test_tables::assert_printed;
    use crate::refusal::Code;

    #[test]
    fn arguments_are_parsed() {
        for (typed, printed) in [
            ("/history", "/history"),
            ("/history 20", "/history 20"),
            ("/history general", "/history #general"),
            ("/history @bob", "/history @bob"),
            ("/history #20", "/history #20"),
            ("/history 20th", "/history #20th"),
            ("/history #dev after 17", "/history #dev after 17"),
            ("/history general 10 before 100", "/history #general 10 before 100"),
            ("/history AFTER 0", "/history after 0"),
            ("/history after 9223372036854775807", "/history after 9223372036854775807"),
            ("/history Before 5 #dev 3", "/history #dev 3 before 5"),
            ("/history 10000", "/history 10000"),
            ("/history #after after 007", "/history #after after 7"),
            ("/mentions", "/mentions"),
            ("/mentions 007", "/mentions 7"),
            ("/mentions Before:2026-11-01 7", "/mentions 7 before:2026-11-01"),
            (
                "/mentions before:2026-11-22T07:44:05.120Z/17",
                "/mentions before:2026-11-22T07:44:05.120Z/17",
            ),
            ("/enter general", "/enter #general"),
            ("/j general After 17", "/enter #general after 17"),
            ("/enter after  after  0", "/enter #after after 0"),
        ] {
            assert_printed(typed, printed);
        }
    }

    #[test]
    fn invalid_ranges_are_refused() {
        for typed in [
            "/history 0",
            "/history -5",
            "/history +5",
            "/history 10001",
            "/history 99999999999999999999",
            "/history 10 20",
            "/history dev general",
            "/history dev @bob",
            "/history before 1 after 2",
            "/history after",
            "/history after x",
            "/history after -1",
            "/history after +1",
            "/history before 0",
            "/history after 9223372036854775808",
            "/mentions 0",
            "/mentions +5",
            "/mentions 10001",
            "/mentions dev",
            "/mentions 5 dev",
            "/mentions 5 5",
            "/mentions before:5",
            "/mentions before:2026-11-01 before:2026-11-01",
            "/enter general 17",
            "/enter general before 17",
            "/enter general after",
            "/enter general after x",
            "/enter general after 17 18",
        ] {
            let code = parse(typed).command.map_err(|refusal| refusal.code());
            assert_eq!(code, Err(Code::BadArgument), "{typed}");
        }
        let code = parse("/history -general").command.map_err(|refusal| refusal.code());
        assert_eq!(code, Err(Code::BadName));
    }
}
