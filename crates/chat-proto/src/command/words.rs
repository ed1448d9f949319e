//! Parsers of single words.

use crate::conversation::Conversation;
use crate::name::{ChannelName, NameError, UserName};
use crate::refusal::Refusal;

/// The first word and what follows it, without the blanks between.
pub(super) fn split_word(words: &str) -> (&str, &str) {
    let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
    (word, rest.trim())
}

/// A conversation where a bare word can only be a channel.
pub(super) fn conversation(word: &str) -> Result<Conversation, Refusal> {
    if word.starts_with('@') {
        user_name(word).map(Conversation::Private)
    } else {
        channel_name(word).map(Conversation::Channel)
    }
}

pub(super) fn channel_name(word: &str) -> Result<ChannelName, Refusal> {
    ChannelName::new(word).map_err(|error| Refusal::bad_name(&error))
}

/// The name of a user to look up, with or without its `@`.
pub(super) fn user_name(word: &str) -> Result<UserName, Refusal> {
    let bare = word.strip_prefix('@').unwrap_or(word);
    UserName::new(bare).map_err(|error| refuse_name(error, bare))
}

/// No client has a reserved name, so a lookup of one finds no user.
fn refuse_name(error: NameError, typed: &str) -> Refusal {
    match error {
        NameError::Reserved => Refusal::no_such_user(typed, &[]),
        other => Refusal::bad_name(&other),
    }
}

/// A number of digits only: `parse` accepts a sign as well.
pub(super) fn digits(word: &str) -> Option<u64> {
    if word.bytes().all(|byte| byte.is_ascii_digit()) { word.parse().ok() } else { None }
}
