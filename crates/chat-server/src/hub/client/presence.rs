//! Comings and goings of large channels, told together.

use std::sync::Arc;

use chat_proto::event::Event;
use tokio::sync::Notify;

use crate::hub::channel::{Channel, State};
use crate::hub::client::By;
use crate::hub::{Hub, lock};
use crate::util::sync::{Rank, RankedMutex};

/// The large channels in which somebody came or went since it was last told.
#[derive(Default)]
pub(crate) struct Comings {
    waiting: RankedMutex<{ Rank::Comings as u8 }, Vec<Arc<Channel>>>,
    begun: Notify,
}

impl Comings {
    fn add(&self, channel: &Arc<Channel>) {
        lock(&self.waiting).push(Arc::clone(channel));
        self.begun.notify_one();
    }
}

impl Hub {
    /// Waits until there is something that [`Hub::tell_comings`] would tell.
    pub async fn comings_begun(&self) {
        self.comings.begun.notified().await;
    }

    /// Tells each large channel how many came and went since it was told last.
    pub fn tell_comings(&self) {
        let waiting = std::mem::take(&mut *lock(&self.comings.waiting));
        for channel in waiting {
            let mut state = channel.state();
            let (entered, left) =
                (std::mem::take(&mut state.entered), std::mem::take(&mut state.left));
            let members = state.count() as u64;
            let channel = channel.name.clone();
            state.tell(Event::Presence { channel, entered, left, members }, By::NOBODY);
        }
    }

    /// Counts an entry or, with `false`, a leaving that will be told together with others.
    pub(in crate::hub) fn count_coming(
        &self,
        channel: &Arc<Channel>,
        state: &mut State,
        entered: bool,
    ) {
        if state.entered + state.left == 0 {
            self.comings.add(channel);
        }
        if entered { state.entered += 1 } else { state.left += 1 }
    }

    /// Whether comings and goings are counted instead of told one by one.
    pub(in crate::hub) fn is_large(&self, state: &State) -> bool {
        state.members.len() > self.bounds.large_channel
    }
}
