//! A conversation that is to be entered before lines are sent, and what to try when it can't be.

use super::place::Places;

/// One conversation to enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Enter `channel`; after a reconnection from the line after `after`, so that nothing is missed.
    Enter { channel: String, after: Option<u64>, tried_to_make: bool },
    /// Make it, since there is none.
    Make { channel: String },
    /// Go back to the private chat that was current.
    Reopen { user: String },
}

impl Goal {
    pub(super) fn enter(channel: &str, after: Option<u64>) -> Self {
        Self::Enter { channel: channel.to_owned(), after, tried_to_make: false }
    }

    /// What asks for it.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Enter { channel, after: Some(id), .. } => format!("/enter {channel} after {id}"),
            Self::Enter { channel, after: None, .. } => format!("/enter {channel}"),
            Self::Make { channel } => format!("/create {channel}"),
            Self::Reopen { user } => format!("/private {user}"),
        }
    }

    /// Which conversation it is.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Enter { channel, .. } | Self::Make { channel } => channel.clone(),
            Self::Reopen { user } => format!("@{user}"),
        }
    }

    /// Another way to the same goal, now that this one was refused with `code`.
    pub(super) fn otherwise(&self, code: &str) -> Option<Self> {
        match (self, code) {
            // A server that doesn't know `after` yet.
            (Self::Enter { channel, after: Some(_), .. }, "bad-argument" | "bad-name") => {
                Some(Self::enter(channel, None))
            }
            (Self::Enter { channel, tried_to_make: false, .. }, "no-such-channel") => {
                Some(Self::Make { channel: channel.clone() })
            }
            // Somebody was faster.
            (Self::Make { channel }, "channel-exists") => {
                Some(Self::Enter { channel: channel.clone(), after: None, tried_to_make: true })
            }
            _ => None,
        }
    }

    /// The server agreed.
    pub(super) fn reached(&self, places: &mut Places) {
        match self {
            Self::Enter { channel, .. } | Self::Make { channel } => places.entered(channel),
            Self::Reopen { user } => places.set_current(Some(format!("@{user}"))),
        }
    }
}
