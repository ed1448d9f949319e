//! Changes without a reply: their conversation numbers and their write operations.

use chat_proto::name::ChannelName;
use chat_proto::text::Text;

use super::account;
use super::conversation_index::ConversationIndex;
use super::moderation;
use crate::hub::id::ConversationKey;
use crate::hub::proposal::{ChannelChange, StateChange};
use crate::store::{ChannelModerationOp, FORGOTTEN, WriteOp, channel_key};

/// Assigns the channel of a change its number, and a created one its displayed name, before any
/// later message.
pub(super) fn slot_of_change(index: &mut ConversationIndex, change: &StateChange) {
    let name = match change {
        StateChange::ChannelCreated(name, ..) | StateChange::ChannelDropped(name) => name,
        StateChange::Moderation(changed) => &changed.channel,
        StateChange::ChannelForgotten(_, last) => {
            index.forget_up_to(last.0);
            return;
        }
        _ => return,
    };
    slot_of_channel(index, name);
    if let StateChange::ChannelCreated(name, ..) = change {
        index.show_as(name);
    }
}

/// A channel without a number can't be stored, and its messages are refused.
pub(super) fn slot_of_channel(index: &mut ConversationIndex, name: &ChannelName) {
    if index.slot(&ConversationKey::Channel(name.clone()), None).is_err() {
        tracing::error!(channel = %name, "{FULL}");
    }
}

/// Logged when no conversation number is free.
pub(super) const FULL: &str = "all conversation numbers are in use; new conversations are refused";

/// The store's key for the channel of a change.
pub(super) fn stored_name(change: &StateChange) -> String {
    match change {
        StateChange::ChannelCreated(name, ..) | StateChange::ChannelDropped(name) => {
            channel_key(name)
        }
        _ => String::new(),
    }
}

pub(super) fn add_change<'a>(
    change: &'a StateChange,
    name: &'a str,
    index: &ConversationIndex,
    entries: &mut Vec<WriteOp<'a>>,
) {
    let slot = |name: &ChannelName| index.entry(&ConversationKey::Channel(name.clone()));
    match change {
        StateChange::ChannelCreated(channel, topic, by) => {
            let Some(slot) = slot(channel) else { return };
            let (number, shown) = (slot.number, channel.bare());
            let topic = topic.as_ref().map(Text::as_str);
            entries.push(WriteOp::Channel { number, name, shown, topic, open: true });
            if topic.is_some() {
                entries.push(WriteOp::Topic { number, topic, by: by.map(|by| by.0) });
            }
        }
        StateChange::ChannelDropped(channel) => {
            let Some(slot) = slot(channel) else { return };
            let (number, shown, floor) = (slot.number, channel.bare(), slot.last);
            entries.push(WriteOp::Channel { number, name, shown, topic: None, open: false });
            entries.push(WriteOp::Floor { number, floor });
            entries.push(WriteOp::ChannelModeration { number, op: ChannelModerationOp::Clear });
        }
        StateChange::NameHeld(name, user_id, since) => {
            entries.push(WriteOp::HoldName {
                name: name.key(),
                user_id: user_id.0,
                since: since.0,
            });
        }
        StateChange::NameReleased(name) => entries.push(WriteOp::ReleaseName { name }),
        StateChange::Moderation(changed) => {
            let ChannelChange { channel, keep } = &**changed;
            if let Some(slot) = slot(channel) {
                moderation::add_rule(keep, slot.number, entries);
            }
        }
        StateChange::ChannelForgotten(..) => {
            let Some((number, floor)) = index.forgotten() else { return };
            let (name, shown) = (FORGOTTEN, "");
            entries.push(WriteOp::Channel { number, name, shown, topic: None, open: false });
            entries.push(WriteOp::Floor { number, floor });
        }
        StateChange::UserGone(_) => {}
        _ => entries.extend(account::change_entry(change, index)),
    }
}
