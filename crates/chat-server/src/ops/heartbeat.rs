//! Reports to the service manager that the server is alive, as long as a probe passes through all
//! of it: a connection is accepted and gets a session, the committer makes progress or waits for
//! the disk, and every lock of the hub can be taken.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::ops::systemd;
use crate::ops::watchdog::{Probe, ProbePoint, Pulse};

/// Bytes that a probe may receive: the greeting and the goodbye.
const MAX_ANSWER: usize = 64 * 1024;

/// Probes as long as the listeners exist, and reports each success.
pub(crate) async fn run(
    period: Duration,
    listeners: Vec<mpsc::Sender<DuplexStream>>,
    parts: Vec<Probe>,
    mut alive: impl FnMut(),
) {
    // Three probes in each period, so that a late one is harmless.
    let every = period / 3;
    let mut parts: Vec<HeartbeatProbe> = parts.into_iter().map(HeartbeatProbe::from).collect();
    loop {
        match timeout(every, passes(&listeners, &mut parts)).await {
            Ok(true) => alive(),
            Ok(false) | Err(_) => {
                tracing::warn!(
                    "a probe of the server failed; the watchdog notification to the service manager is skipped"
                );
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Notifies the service manager.
pub(crate) fn notify_manager() {
    systemd::alive();
}

async fn passes(listeners: &[mpsc::Sender<DuplexStream>], parts: &mut [HeartbeatProbe]) -> bool {
    for listener in listeners {
        if !answers(listener).await {
            return false;
        }
    }
    for part in parts {
        if !part.makes_progress().await {
            return false;
        }
    }
    true
}

/// Whether a connection is greeted and closes on `/quit`. A refused connection is answered as well.
async fn answers(listener: &mpsc::Sender<DuplexStream>) -> bool {
    let (mut ours, theirs) = duplex(4096);
    if listener.send(theirs).await.is_err() {
        return false;
    }
    // It may be refused before it is read.
    let _ = ours.write_all(b"/quit\n").await;
    let mut received = Vec::new();
    let read = ours.take(MAX_ANSWER as u64).read_to_end(&mut received).await;
    read.is_ok() && !received.is_empty()
}

/// A probe that runs on a thread of its own, since it may block.
struct HeartbeatProbe {
    ask: Arc<std::sync::Mutex<Probe>>,
    /// The last result.
    last: Option<Pulse>,
    /// A run in progress.
    asked: Option<tokio::task::JoinHandle<Pulse>>,
}

impl From<Probe> for HeartbeatProbe {
    fn from(part: Probe) -> Self {
        Self { ask: Arc::new(std::sync::Mutex::new(part)), last: None, asked: None }
    }
}

impl HeartbeatProbe {
    /// Whether the probed part is idle, waits for the disk, or has made progress since the last
    /// run.
    async fn makes_progress(&mut self) -> bool {
        let ask = Arc::clone(&self.ask);
        let asked = self.asked.get_or_insert_with(|| {
            tokio::task::spawn_blocking(move || {
                let mut part = crate::util::sync::lock(&ask);
                (part.ask)(&ProbePoint::default())
            })
        });
        let Ok(answer) = asked.await else { return false };
        self.asked = None;
        let makes_progress = match answer {
            Pulse::Idle | Pulse::Working { on_disk: true, .. } => true,
            Pulse::Working { .. } => self.last != Some(answer),
        };
        self.last = Some(answer);
        makes_progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::hub_part;
    use crate::hub::Hub;
    use crate::hub::limits::Limits;

    /// A listener that serves each probe.
    fn listener(hub: &Arc<Hub>) -> mpsc::Sender<DuplexStream> {
        let (listener, mut probes) = mpsc::channel(1);
        let hub = Arc::clone(hub);
        let connection_config = Arc::new(crate::conn::ConnectionConfig {
            throttle: None,
            drain_rate: 0,
            name_deadline: Duration::from_mins(1),
            write_deadline: Duration::from_mins(1),
        });
        tokio::spawn(async move {
            while let Some(stream) = probes.recv().await {
                let peer = crate::conn::PeerInfo::local("a probe");
                tokio::spawn(crate::conn::serve(
                    stream,
                    peer,
                    Arc::clone(&hub),
                    Arc::clone(&connection_config),
                    (),
                ));
            }
        });
        listener
    }

    #[tokio::test]
    async fn the_manager_is_notified_while_all_parts_respond() {
        let hub = Hub::in_memory(Limits::small());
        let (notify_alive, mut received) = mpsc::channel(1);
        let parts = vec![hub_part(&hub)];
        let alive = move || {
            let _ = notify_alive.try_send(());
        };
        tokio::spawn(run(Duration::from_millis(90), vec![listener(&hub)], parts, alive));
        received.recv().await.unwrap();
        received.recv().await.unwrap();
    }

    #[tokio::test]
    async fn a_listener_that_accepts_nothing_is_detected() {
        let (listener, probes) = mpsc::channel(1);
        drop(probes);
        assert!(!answers(&listener).await);
    }

    #[tokio::test]
    async fn a_part_without_progress_is_detected_unless_it_waits_for_the_disk() {
        let working = |on_disk| Probe {
            name: "part",
            ask: Box::new(move |_: &ProbePoint| Pulse::Working { step: 1, on_disk }),
        };
        let mut disk = HeartbeatProbe::from(working(true));
        let mut stuck = HeartbeatProbe::from(working(false));
        assert!(disk.makes_progress().await && disk.makes_progress().await);
        assert!(stuck.makes_progress().await && !stuck.makes_progress().await);
    }
}
