//! The items of a batch, and the plan for each.

use std::sync::Arc;

use chat_proto::event::MessageStamp;
use chat_proto::refusal::Refusal;

use super::conversation_index::ConversationSlot;
use super::moderation::PlannedModAction;
use crate::hub::admin::command::AdminCommand;
use crate::hub::channel::Channel;
use crate::hub::id::UserId;
use crate::hub::proposal::{AccountProposal, AccountUpdate, CommitOutcome, Proposal, Recipient};

/// An item of the batch.
pub(super) enum BatchItem {
    Proposal(Proposal, Plan),
    /// With the refusal, if it is decided already.
    Account(AccountProposal, Option<Refusal>),
    Admin(Box<AdminCommand>, Option<Refusal>),
}

/// The plan for one proposal of the batch.
pub(super) enum Plan {
    Message {
        slot: ConversationSlot,
        by_other: bool,
        hidden: bool,
    },
    Topic {
        slot: ConversationSlot,
    },
    ModAction {
        slot: ConversationSlot,
        written: PlannedModAction,
    },
    /// A duplicate of an earlier message of this batch.
    Duplicate {
        number: u32,
        stamp: MessageStamp,
    },
    Decided(CommitOutcome),
}

impl BatchItem {
    /// A channel message and its stamp.
    pub(super) fn said(&self) -> Option<(&Arc<Channel>, &Proposal, MessageStamp)> {
        match self.line()? {
            (
                proposal @ Proposal { to: Ok(Recipient::Channel(channel)), .. },
                Plan::Message { slot, .. },
            ) => Some((channel, proposal, slot.stamp())),
            _ => None,
        }
    }

    /// The account that it deletes.
    pub(super) fn forgets(&self) -> Option<UserId> {
        match self {
            Self::Account(
                AccountProposal { what: AccountUpdate::Forget { user_id }, .. },
                None,
            ) => Some(*user_id),
            Self::Admin(command, None) => command.forgets(),
            _ => None,
        }
    }

    pub(super) fn line(&self) -> Option<(&Proposal, &Plan)> {
        match self {
            Self::Proposal(proposal, plan) => Some((proposal, plan)),
            Self::Account(..) | Self::Admin(..) => None,
        }
    }
}
