//! The long-lived tasks that serve no connection. Each is supervised.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::supervise::supervise;
use crate::commit::local::LocalLog;
use crate::hub::Hub;
use crate::util::clock::{self, steady_clock};

/// Read markers are written with the messages of a commit, or after this time.
const READ_MARKER_DELAY: Duration = Duration::from_millis(200);

/// How often channels that have been empty for long, and other things whose time is over, are
/// removed.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How often the free space of the disk is measured.
const DISK_EVERY: Duration = Duration::from_secs(5);

/// On a small file system one part in so many is enough free space.
const SMALL_DISK_PART: u64 = 20;

/// Starts the tasks that every server has.
pub(super) fn start(
    services: &mut JoinSet<()>,
    hub: &Arc<Hub>,
    log: &Arc<LocalLog>,
    presence_every: Duration,
) {
    let both = (Arc::clone(hub), Arc::clone(log));
    services.spawn(supervise("waking connections", Arc::clone(hub), |hub| async move {
        hub.forward_wakes().await;
    }));
    services.spawn(supervise("presence of large channels", Arc::clone(hub), move |hub| {
        publish_presence(hub, presence_every)
    }));
    services
        .spawn(supervise("removing what is too old", both.clone(), |(hub, log)| sweep(hub, log)));
    services
        .spawn(supervise("writing read markers", both, |(hub, log)| write_read_markers(hub, log)));
}

/// Starts the task that watches the disk of the store.
pub(super) fn watch_disk(services: &mut JoinSet<()>, hub: &Arc<Hub>, data: PathBuf, least: u64) {
    services.spawn(supervise("watching the disk", (Arc::clone(hub), data), move |(hub, data)| {
        measure_disk(hub, data, least)
    }));
}

/// Publishes entries and departures of large channels in batches. Sleeps while there are none.
pub(super) async fn publish_presence(hub: Arc<Hub>, every: Duration) {
    loop {
        hub.presence_pending().await;
        sleep(every).await;
        hub.publish_presence();
    }
}

/// Writes read markers. Sleeps while there are none.
async fn write_read_markers(hub: Arc<Hub>, log: Arc<LocalLog>) {
    loop {
        log.read_pending().await;
        sleep(READ_MARKER_DELAY).await;
        log.flush_read_markers(&hub);
    }
}

/// Removes what is too old, at the start and then regularly.
async fn sweep(hub: Arc<Hub>, log: Arc<LocalLog>) {
    let mut shift = 0;
    loop {
        let now = steady_clock();
        let before = std::mem::replace(&mut shift, clock::shift());
        if shift != before {
            tracing::warn!(
                millis = shift - before,
                "the wall clock was set; bans and other terms keep their durations"
            );
        }
        log.sweep(now, &hub);
        let theirs = Arc::clone(&hub);
        // The sweep may visit every channel, so it doesn't run on a thread that serves connections.
        let swept = tokio::task::spawn_blocking(move || {
            theirs.drop_empty_channels(now);
            theirs.release_names(now);
            theirs.expire_tokens(now);
            theirs.run_out(now);
        });
        if swept.await.is_err() {
            tracing::error!("the sweep of empty channels, names and tokens panicked");
        }
        sleep(SWEEP_EVERY).await;
    }
}

/// Measures the free space of the disk. While it is below `least` MiB, or below a twentieth of a
/// small disk, only accounts write.
async fn measure_disk(hub: Arc<Hub>, data: PathBuf, least: u64) {
    let mut is_low = false;
    loop {
        let data = data.clone();
        let measured = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&data)).await;
        if let Ok(Ok(disk)) = measured {
            let mib = |blocks: u64| blocks.saturating_mul(disk.f_frsize) >> 20;
            let least = least.min(mib(disk.f_blocks) / SMALL_DISK_PART);
            let free = mib(disk.f_bavail);
            // Hysteresis: a disk that is low has to gain a quarter more.
            is_low = if is_low { free < least + least / 4 } else { free < least };
            hub.disk_is(is_low, free);
        }
        sleep(DISK_EVERY).await;
    }
}
