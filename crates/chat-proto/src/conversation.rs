//! Where a line is said: a channel (`#general`) or a private chat (`@bob`).

use std::fmt;

use crate::name::{ChannelName, UserName};

/// A channel, or a private chat by the name of the other person in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// Everybody in the channel hears it.
    Channel(ChannelName),
    /// Only this person and oneself hear it.
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
