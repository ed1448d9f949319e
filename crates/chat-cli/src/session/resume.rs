//! A conversation that is to be entered before lines are sent, and what to try when it can't be.

use std::collections::VecDeque;

use super::conversations::Conversations;
use crate::mention::same_name;

/// How often a private chat is opened anew while the other one isn't back yet.
const MAX_REOPENINGS: u32 = 3;

/// One conversation to enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResumeStep {
    /// Enter `channel`; after a reconnection from the line after `after`, so that nothing is
    /// missed.
    Enter { channel: String, after: Option<u64>, tried_to_make: bool },
    /// Make it, since there is none.
    Make { channel: String },
    /// Ask what was said in the private chat `chat` (`@bob`) meanwhile.
    CatchUp { chat: String, after: Option<u64> },
    /// Go back to the private chat that was current.
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

/// What to do about a step that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// Another way to the same.
    Other(ResumeStep),
    /// The server doesn't have the line any more from which to go on.
    Anew(ResumeStep),
    /// Ask again after a pause.
    Later(ResumeStep),
    /// Go on without it, and say nothing: there is nothing there.
    Without,
    /// There is none.
    None,
}

impl ResumeStep {
    pub(super) fn enter(channel: &str, after: Option<u64>) -> Self {
        Self::Enter { channel: channel.to_owned(), after, tried_to_make: false }
    }

    pub(super) fn catch_up(chat: &str, after: Option<u64>) -> Self {
        Self::CatchUp { chat: chat.to_owned(), after }
    }

    /// What asks for it.
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

    /// Which conversation it is.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Enter { channel, .. } | Self::Make { channel } => channel.clone(),
            Self::CatchUp { chat, .. } => chat.clone(),
            Self::Reopen { user, .. } => format!("@{user}"),
        }
    }

    /// The line after which everything is told on the way.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Self::Enter { after, .. } | Self::CatchUp { after, .. } => *after,
            Self::Make { .. } | Self::Reopen { .. } => None,
        }
    }

    /// What to do now that it was refused with `code`.
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
            // Somebody was faster.
            (Self::Make { channel }, "channel-exists") => Detour::Other(Self::Enter {
                channel: channel.clone(),
                after: None,
                tried_to_make: true,
            }),
            // A chat of which nothing is stored.
            (Self::CatchUp { .. }, _) => Detour::Without,
            // A server that was restarted is come back to by everybody in their own time.
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
