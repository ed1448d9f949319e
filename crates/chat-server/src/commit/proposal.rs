//! The write operations of a proposal.

use chat_proto::name::{ChannelName, UserName};

use super::conversation_index::ConversationSlot;
use super::plan::Plan;
use crate::hub::id::{ConversationKey, UserId};
use crate::hub::proposal::{Payload, Proposal, Recipient};
use crate::store::{NewLine, WriteOp, channel_key};

/// The present names of a private chat, in the order of the key.
pub(super) fn names<'a>(
    proposal: &'a Proposal,
    key: &ConversationKey,
) -> Option<[&'a UserName; 2]> {
    let (ConversationKey::Private(one, _), Ok(Recipient::Private(to))) = (key, &proposal.to) else {
        return None;
    };
    Some(if *one == proposal.user_id { [&proposal.from, &to.to] } else { [&to.to, &proposal.from] })
}

/// A conversation that the store doesn't know, or not by its present names.
pub(super) enum NewConversation {
    Nothing,
    Channel(String, ChannelName),
    Private(u64, u64),
}

impl NewConversation {
    pub(super) fn of(proposal: &Proposal, plan: &Plan) -> Self {
        let is_new = match plan {
            Plan::Message { slot, .. } | Plan::Topic { slot } | Plan::ModAction { slot, .. } => {
                slot.is_new
            }
            Plan::Duplicate { .. } | Plan::Decided(_) => false,
        };
        match &proposal.to {
            Ok(to) if is_new => match to.key(proposal.user_id) {
                ConversationKey::Channel(name) => Self::Channel(channel_key(&name), name),
                ConversationKey::Private(one, other) => Self::Private(one.0, other.0),
            },
            _ => Self::Nothing,
        }
    }

    pub(super) fn entry<'a>(&'a self, proposal: &'a Proposal, plan: &Plan) -> Option<WriteOp<'a>> {
        let (Plan::Message { slot: ConversationSlot { number, .. }, .. }
        | Plan::Topic { slot: ConversationSlot { number, .. } }
        | Plan::ModAction { slot: ConversationSlot { number, .. }, .. }) = *plan
        else {
            return None;
        };
        match self {
            Self::Nothing => None,
            Self::Channel(name, shown) => Some(WriteOp::Channel {
                number,
                name,
                shown: shown.bare(),
                topic: None,
                open: true,
            }),
            Self::Private(one, other) => {
                let key = ConversationKey::Private(UserId(*one), UserId(*other));
                let [one_name, other_name] = names(proposal, &key)?.map(UserName::as_str);
                let (one, other) = (*one, *other);
                Some(WriteOp::Private { number, one, other, one_name, other_name })
            }
        }
    }
}

pub(super) fn entry<'a>(proposal: &'a Proposal, plan: &Plan) -> Option<WriteOp<'a>> {
    match (plan, &proposal.what) {
        (Plan::Message { slot, by_other, hidden }, Payload::Message { text, action }) => {
            Some(WriteOp::Line(NewLine {
                number: slot.number,
                id: slot.id,
                time: slot.time.0,
                author: proposal.from.as_str(),
                action: *action,
                by_other: *by_other,
                account: proposal.account.map(|account| account.0),
                text: text.as_str(),
                once: proposal.once.as_ref().map(|key| (proposal.from.key(), key.as_str())),
                hidden: *hidden,
            }))
        }
        (Plan::Topic { slot }, Payload::Topic(topic)) => {
            let by = proposal.account.map(|account| account.0);
            Some(WriteOp::Topic { number: slot.number, topic: Some(topic.as_str()), by })
        }
        _ => None,
    }
}
