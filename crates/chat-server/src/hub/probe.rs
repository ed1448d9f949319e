//! Takes each lock of the hub once, for the watchdog.

use crate::hub::Hub;
use crate::util::sync::{Rank, lock};

impl Hub {
    /// Takes each lock for a moment. Locks of single connections are left out: there may be a
    /// million.
    pub(crate) fn probe(&self, mut enters: impl FnMut(&'static str)) {
        enters(Rank::Channels.name());
        drop(self.channels.write());
        enters(Rank::Channel.name());
        self.each_channel(|channel| drop(channel.state()));
        enters(Rank::Private.name());
        drop(lock(&self.private));
        enters(Rank::Directory.name());
        drop(lock(&self.directory));
        enters(Rank::Accounts.name());
        drop(lock(&self.accounts));
        enters(Rank::ChannelIndex.name());
        drop(lock(&self.index));
        enters(Rank::NameHolds.name());
        drop(lock(&self.name_holds));
        enters(Rank::ServerModeration.name());
        drop(lock(&self.server_moderation));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;
    use crate::app::hub_part;
    use crate::hub::limits::Limits;
    use crate::ops::watchdog::Watchdog;
    use crate::util::sync::held_by_threads;

    #[test]
    fn a_lock_that_is_never_free_is_detected_and_named() {
        let hub = Hub::in_memory(Limits::small());
        let frozen = lock(&hub.directory);
        let (reports, stuck) = sync_channel(1);
        let report = move |stuck| drop(reports.send(stuck));
        let watchdog =
            Watchdog::every(Duration::from_millis(10), vec![hub_part(&hub)], report).unwrap();
        let stuck = stuck.recv_timeout(Duration::from_mins(1)).unwrap();
        assert_eq!(stuck, ["hub is stuck at: directory"]);
        if cfg!(debug_assertions) {
            let held = held_by_threads();
            assert!(held.iter().any(|thread| thread.starts_with("watch-hub: directory at")));
            assert!(held.iter().any(|thread| !thread.starts_with("watch-hub:")), "{held:#?}");
        }
        drop((frozen, watchdog));
    }
}
