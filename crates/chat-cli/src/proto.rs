//! What the client takes from the protocol crate: the tables of commands and settings, cleaning of text, and how times are told.

pub(crate) use chat_proto::command::EVERYWHERE;
pub(crate) use chat_proto::event::Measured;
pub(crate) use chat_proto::id::Lasting;
pub(crate) use chat_proto::secret::{INVITE_SIGN, Secret, TOKEN_SIGN};
pub(crate) use chat_proto::setting::SETTINGS;
use chat_proto::verb::{Found, find};
pub(crate) use chat_proto::verb::{Kind, VERBS, Verb};

/// The command that a word stands for, by itself or by an unambiguous beginning.
pub(crate) fn verb(word: &str) -> Option<&'static Verb> {
    match find(word) {
        Found::One(verb) => Some(verb),
        Found::Several(_) | Found::Nothing(_) => None,
    }
}

/// Makes TABs spaces and removes what could move a cursor, begin a new line or turn text around.
pub(crate) fn clean(text: &str) -> String {
    chat_proto::text::clean(text).into_owned()
}
