//! How the committer treats a submission.

use super::turns::WorkScope;
use crate::hub::proposal::{AccountUpdate, Payload, Proposal, Recipient, StateChange, Submission};

impl Submission {
    /// The scope of the submission, for its turn.
    pub(super) fn scope(&self) -> WorkScope<'_> {
        match self {
            Self::Proposal(Proposal { author, what, to, .. }) => match (what, to) {
                (Payload::ModAction(_), Ok(Recipient::Channel(channel))) => {
                    WorkScope::Act(&channel.name, author.id)
                }
                (_, Ok(Recipient::Channel(channel))) => {
                    WorkScope::Line(Some(&channel.name), author.id)
                }
                (_, Ok(Recipient::Private(_)) | Err(_)) => WorkScope::Line(None, author.id),
            },
            Self::Account(proposal) => match &proposal.what {
                AccountUpdate::Enter { channel, .. } | AccountUpdate::Leave { channel, .. } => {
                    WorkScope::Channel(channel)
                }
                _ => WorkScope::Else,
            },
            Self::Admin(_) => WorkScope::All,
            Self::Change(change) => match change {
                StateChange::ChannelCreated(channel, ..)
                | StateChange::ChannelDropped(channel)
                | StateChange::ChannelForgotten(channel, _)
                | StateChange::MemberAdded(_, channel, ..)
                | StateChange::MemberRemoved(_, channel) => WorkScope::Channel(channel),
                StateChange::Moderation(changed) => WorkScope::Channel(&changed.channel),
                _ => WorkScope::Else,
            },
        }
    }

    /// Whether it deletes an account.
    pub(super) fn erases(&self) -> bool {
        match self {
            Self::Account(proposal) => matches!(proposal.what, AccountUpdate::Forget { .. }),
            Self::Admin(command) => command.forgets().is_some(),
            Self::Proposal(_) | Self::Change(_) => false,
        }
    }
}
