//! Joins and leaves of large channels, published together.

use std::sync::Arc;

use chat_proto::event::Event;
use tokio::sync::Notify;

use crate::hub::Hub;
use crate::hub::channel::{Channel, ChannelState};
use crate::hub::id::Source;
use crate::util::sync::lock;
use crate::util::sync::{Rank, RankedMutex};

/// Large channels with unpublished joins or leaves.
#[derive(Default)]
pub(crate) struct PresenceBatcher {
    waiting: RankedMutex<{ Rank::Presence as u8 }, Vec<Arc<Channel>>>,
    begun: Notify,
}

impl PresenceBatcher {
    fn add(&self, channel: &Arc<Channel>) {
        lock(&self.waiting).push(Arc::clone(channel));
        self.begun.notify_one();
    }
}

impl Hub {
    /// Waits until [`Hub::publish_presence`] has something to publish.
    pub async fn presence_pending(&self) {
        self.presence.begun.notified().await;
    }

    /// Publishes the number of joins and leaves of each large channel.
    pub fn publish_presence(&self) {
        let waiting = std::mem::take(&mut *lock(&self.presence.waiting));
        for channel in waiting {
            let mut state = channel.state();
            let (entered, left) =
                (std::mem::take(&mut state.entered), std::mem::take(&mut state.left));
            let members = state.count() as u64;
            let channel = channel.name.clone();
            state.publish(Event::Presence { channel, entered, left, members }, Source::NONE);
        }
    }

    /// Counts a join or, with `false`, a leave to be published later.
    pub(in crate::hub) fn count_presence(
        &self,
        channel: &Arc<Channel>,
        state: &mut ChannelState,
        entered: bool,
    ) {
        if state.entered + state.left == 0 {
            self.presence.add(channel);
        }
        if entered { state.entered += 1 } else { state.left += 1 }
    }

    /// Whether joins and leaves are counted instead of published one by one.
    pub(in crate::hub) fn is_large(&self, state: &ChannelState) -> bool {
        state.members.len() > self.bounds.large_channel
    }
}
