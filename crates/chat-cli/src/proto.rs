//! What the client uses of the protocol crate: the tables of commands and settings, cleaning of
//! text, and the format of times.

pub(crate) use chat_proto::command_table::EVERYWHERE;
pub(crate) use chat_proto::command_table::{COMMANDS, CommandKind, CommandSpec};
use chat_proto::command_table::{WordMatch, lookup};
pub(crate) use chat_proto::event::StatLine;
pub(crate) use chat_proto::secret::{INVITE_SIGN, Secret, TOKEN_SIGN};
pub(crate) use chat_proto::setting::SETTINGS;
pub(crate) use chat_proto::time::HumanDuration;

/// The command with this name, or with this unambiguous prefix.
pub(crate) fn spec(word: &str) -> Option<&'static CommandSpec> {
    match lookup(word) {
        WordMatch::One(spec) => Some(spec),
        WordMatch::Several(_) | WordMatch::Nothing(_) => None,
    }
}

/// Replaces TABs with spaces and removes characters that move a cursor, begin a new line or reverse
/// the direction of text.
pub(crate) fn clean(text: &str) -> String {
    chat_proto::text::clean(text).into_owned()
}
