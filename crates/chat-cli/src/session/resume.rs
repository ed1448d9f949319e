//! Conversations that are entered before lines are sent, and the fallbacks when one can't be.

use std::collections::VecDeque;

use super::conversations::Conversations;
use crate::mention::same_name;

/// How often a private chat is reopened while the other user isn't back yet.
const MAX_REOPENINGS: u32 = 3;

/// One conversation to enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResumeStep {
    /// Enters `channel`; after a reconnection from the line after `after`, so that nothing is
    /// missed.
    Enter { channel: String, after: Option<u64>, tried_to_make: bool },
    /// Creates the channel, since it doesn't exist.
    Make { channel: String },
    /// Requests the messages missed in the private chat `chat` (`@bob`).
    CatchUp { chat: String, after: Option<u64> },
    /// Returns to the private chat that was current.
    Reopen { user: String, tries: u32 },
}

/// The steps that restore everything after a reconnection, the current conversation last.
pub(super) fn steps(conversations: &Conversations) -> VecDeque<ResumeStep> {
    let current = conversations.current().unwrap_or_default();
    let last = |place: &str| conversations.last(place);
    let is_current = |channel: &&String| same_name(channel, current);
    let others = conversations.channels().iter().filter(|channel| !is_current(channel));
    let channels = others.chain(conversations.channels().iter().filter(is_current));
    let channels = channels.map(|channel| ResumeStep::enter(channel, last(channel)));
    let chats = conversations.chats().map(|chat| ResumeStep::catch_up(chat, last(chat)));
    let mut steps: VecDeque<ResumeStep> = chats.chain(channels).collect();
    if let Some(user) = current.strip_prefix('@') {
        steps.push_back(ResumeStep::Reopen { user: user.to_owned(), tries: 0 });
    }
    steps
}

/// How to proceed after a refused step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// Another step with the same effect.
    Other(ResumeStep),
    /// The server no longer has the line to resume from.
    Anew(ResumeStep),
    /// Repeat the step after a delay.
    Later(ResumeStep),
    /// Go on without it, silently: there is nothing there.
    Without,
    /// There is no alternative.
    None,
}

impl ResumeStep {
    pub(super) fn enter(channel: &str, after: Option<u64>) -> Self {
        Self::Enter { channel: channel.to_owned(), after, tried_to_make: false }
    }

    pub(super) fn catch_up(chat: &str, after: Option<u64>) -> Self {
        Self::CatchUp { chat: chat.to_owned(), after }
    }

    /// The line that requests it.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Enter { channel, after: Some(id), .. } => format!("/enter {channel} after {id}"),
            Self::Enter { channel, after: None, .. } => format!("/enter {channel}"),
            Self::Make { channel } => format!("/create {channel}"),
            Self::CatchUp { chat, after: Some(id) } => format!("/history {chat} after {id}"),
            Self::CatchUp { chat, after: None } => format!("/history {chat}"),
            Self::Reopen { user, .. } => format!("/private {user}"),
        }
    }

    /// The conversation.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Enter { channel, .. } | Self::Make { channel } => channel.clone(),
            Self::CatchUp { chat, .. } => chat.clone(),
            Self::Reopen { user, .. } => format!("@{user}"),
        }
    }

    /// The line after which the server sends all history.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Self::Enter { after, .. } | Self::CatchUp { after, .. } => *after,
            Self::Make { .. } | Self::Reopen { .. } => None,
        }
    }

    /// How to proceed after a refusal with `code`.
    pub(super) fn otherwise(&self, code: &str) -> Detour {
        match (self, code) {
            (_, "unavailable") => Detour::Later(self.clone()),
            (Self::Enter { channel, after: Some(_), .. }, "bad-argument") => {
                Detour::Anew(Self::enter(channel, None))
            }
            (Self::CatchUp { chat, after: Some(_) }, "bad-argument") => {
                Detour::Anew(Self::catch_up(chat, None))
            }
            (Self::Enter { channel, tried_to_make: false, .. }, "no-such-channel") => {
                Detour::Other(Self::Make { channel: channel.clone() })
            }
            // Another client created the channel first.
            (Self::Make { channel }, "channel-exists") => Detour::Other(Self::Enter {
                channel: channel.clone(),
                after: None,
                tried_to_make: true,
            }),
            // The server stores nothing of this chat.
            (Self::CatchUp { .. }, _) => Detour::Without,
            // After a restart of the server each client reconnects in its own time.
            (Self::Reopen { user, tries }, "no-such-user") if *tries < MAX_REOPENINGS => {
                Detour::Later(Self::Reopen { user: user.clone(), tries: tries + 1 })
            }
            _ => Detour::None,
        }
    }

    /// The server agreed.
    pub(super) fn reached(&self, conversations: &mut Conversations) {
        match self {
            Self::Enter { channel, .. } | Self::Make { channel } => conversations.entered(channel),
            Self::CatchUp { .. } => {}
            Self::Reopen { user, .. } => conversations.set_current(Some(format!("@{user}"))),
        }
    }
}
