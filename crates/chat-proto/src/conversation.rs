//! The destination of a message: a channel (`#general`) or a private chat (`@bob`).

use std::fmt;

use crate::name::{ChannelName, UserName};

/// A channel, or a private chat by the name of the other user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// All members of the channel receive the message.
    Channel(ChannelName),
    /// Only this user and the sender receive the message.
    Private(UserName),
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(channel) => channel.fmt(f),
            Self::Private(user) => write!(f, "@{user}"),
        }
    }
}
