//! The list of channels.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chat_proto::id::MessageId;
use chat_proto::name::ChannelName;

use crate::hub::channel::Channel;
use crate::hub::client::throttle::QuotaOwner;
use crate::hub::skeleton_index::SkeletonIndex;

/// The channels, by name and by skeleton.
#[derive(Default)]
pub(in crate::hub) struct ChannelTable {
    pub(in crate::hub) by_name: BTreeMap<ChannelName, Arc<Channel>>,
    pub(in crate::hub) by_skeleton: SkeletonIndex<ChannelName>,
    /// The last id of channels that are gone: ids are never reused under a name.
    pub(in crate::hub) gone: HashMap<ChannelName, MessageId>,
    /// The same, smallest first.
    pub(in crate::hub) gone_by_last: BTreeSet<(MessageId, ChannelName)>,
    /// The greatest last id of forgotten channels: a channel of an unknown name begins after it.
    pub(in crate::hub) forgotten: MessageId,
    /// The number of channels of each owner.
    pub(in crate::hub) made_by: HashMap<QuotaOwner, usize>,
}

impl ChannelTable {
    pub(in crate::hub) fn add(&mut self, channel: Arc<Channel>) {
        for skeleton in channel.name.loose_skeletons() {
            self.by_skeleton.add(&skeleton, channel.name.clone());
        }
        if let Some(maker) = channel.maker {
            *self.made_by.entry(maker).or_default() += 1;
        }
        self.by_name.insert(channel.name.clone(), channel);
    }

    /// Removes a channel, whose ids continue if it is created again. Returns the one that is
    /// forgotten for it.
    pub(in crate::hub) fn remove(
        &mut self,
        name: &ChannelName,
        last_line: MessageId,
    ) -> Option<(ChannelName, MessageId)> {
        for skeleton in name.loose_skeletons() {
            self.by_skeleton.remove(&skeleton, name);
        }
        let maker = self.by_name.remove(name).and_then(|channel| channel.maker);
        if let Some(maker) = maker
            && let Some(made) = self.made_by.get_mut(&maker)
        {
            *made -= 1;
            if *made == 0 {
                self.made_by.remove(&maker);
            }
        }
        self.keep_last_line(name, last_line)
    }

    /// A channel without messages has no ids to continue. Beyond [`MAX_GONE`] the smallest last id
    /// is forgotten, and new channels begin after it.
    pub(in crate::hub) fn keep_last_line(
        &mut self,
        name: &ChannelName,
        last_line: MessageId,
    ) -> Option<(ChannelName, MessageId)> {
        if last_line <= self.forgotten {
            return Some((name.clone(), last_line));
        }
        self.gone.insert(name.clone(), last_line);
        self.gone_by_last.insert((last_line, name.clone()));
        if self.gone.len() <= MAX_GONE {
            return None;
        }
        let (last_line, name) = self.gone_by_last.pop_first()?;
        self.gone.remove(&name);
        self.forgotten = self.forgotten.max(last_line);
        Some((name, last_line))
    }

    /// The id after which a channel of this name begins.
    pub(in crate::hub) fn take_last_line(&mut self, name: &ChannelName) -> MessageId {
        let Some(last_line) = self.gone.remove(name) else { return self.forgotten };
        self.gone_by_last.remove(&(last_line, name.clone()));
        last_line
    }
}

/// Channels that are gone whose last id is known.
const MAX_GONE: usize = 20_000;
