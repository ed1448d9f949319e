//! Measurements beyond the sockets of a machine: sessions of the real server in this process, over
//! pipes instead of sockets.
//!
//! There are no system calls, so the results show the cost of the server itself, and which of its
//! locks is contended first.
//!
//! * [`million`]: very many sessions: the memory of each, and a message to a very large channel.
//! * [`contention`]: the same work on a growing number of threads.

pub(crate) mod contention;
pub(crate) mod million;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chat_proto::time::Timestamp;
use chat_server::auth::AuthService;
use chat_server::commit::local::LocalLog;
use chat_server::commit::retention::Retention;
use chat_server::conn::{self, ConnectionConfig, PeerInfo};
use chat_server::history::HistoryService;
use chat_server::hub::limits::{Limits, RegistrationMode};
use chat_server::hub::{Backends, Hub};
use chat_server::store::{Durability, Store, StoreLocation};
use chat_server::test_support::inline_backends;
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf};

/// Capacity of a pipe in each direction, in bytes: more than the server sends to a new client.
const PIPE: usize = 16 * 1024;

/// A server without sockets that stores everything in memory.
pub(crate) struct SimulatedHub {
    hub: Arc<Hub>,
    connection_config: Arc<ConnectionConfig>,
    /// `None` without a committer thread: messages are then committed inline, while the sender
    /// waits.
    order: Option<Arc<LocalLog>>,
}

impl SimulatedHub {
    /// A server with a committer thread, as in production, or without.
    pub(crate) fn new(threaded: bool) -> anyhow::Result<Self> {
        let bounds = Limits {
            channels: 100_000,
            conversations_per_person: 50,
            large_channel: 50,
            empty_channel_millis: Some(24 * 3_600_000),
            replay_lines: 20,
            registration: RegistrationMode::Open,
            accounts_required: false,
            new_channels: Vec::new(),
            shares: None,
        };
        let now = Timestamp(i64::try_from(
            std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis(),
        )?);
        let (keeping, order) = if threaded {
            let (book, lookups) =
                Store::open(&StoreLocation::Memory, Durability::Machine)?.into_parts();
            let archive = Arc::new(HistoryService::start(&lookups)?);
            let (order, past) = LocalLog::start(book, Retention::default())?;
            let order = Arc::new(order);
            let auth = Arc::new(AuthService::start().context("a thread for passwords")?);
            (
                Backends { commit_log: order.clone(), history: archive, auth, recovered: past },
                Some(order),
            )
        } else {
            (inline_backends(Retention::default()), None)
        };
        let hub = Hub::new(bounds, "simulated".to_owned(), Vec::new(), keeping, now);
        let connection_config = ConnectionConfig {
            throttle: None,
            name_deadline: Duration::from_hours(1),
            write_deadline: Duration::from_hours(1),
            drain_rate: 0,
        };
        Ok(Self { hub, connection_config: Arc::new(connection_config), order })
    }

    /// Starts the task that wakes the recipients of messages, as the server does.
    pub(crate) fn begin(&self) {
        let hub = Arc::clone(&self.hub);
        tokio::spawn(async move { hub.forward_wakes().await });
    }

    /// Serves one more connection in a task of its own; returns the client's end.
    pub(crate) fn connect(&self) -> DuplexStream {
        let (peer, ours) = tokio::io::duplex(PIPE);
        let (hub, connection_config) = (Arc::clone(&self.hub), Arc::clone(&self.connection_config));
        tokio::spawn(conn::serve(ours, PeerInfo::local("a pipe"), hub, connection_config, ()));
        peer
    }
}

impl Drop for SimulatedHub {
    fn drop(&mut self) {
        if let Some(order) = &self.order {
            order.stop();
        }
    }
}

/// Sends lines.
pub(crate) async fn send(pipe: &mut DuplexStream, lines: &str) -> anyhow::Result<()> {
    pipe.write_all(lines.as_bytes()).await.context("the server has closed a connection")
}

/// Reads until `awaited` arrives.
pub(crate) async fn until(pipe: &mut DuplexStream, awaited: &str) -> anyhow::Result<()> {
    let mut read = Vec::new();
    while memmem::find(&read, awaited.as_bytes()).is_none() {
        let some = pipe.read_buf(&mut read).await?;
        ensure!(some > 0, "a connection ended before \"{awaited}\" came");
    }
    Ok(())
}

/// Reads and discards the available input without waiting for more; returns the number of bytes.
pub(crate) async fn drain(pipe: &mut DuplexStream, scratch: &mut [u8]) -> anyhow::Result<usize> {
    let mut all = 0;
    loop {
        let some = poll_fn(|cx| {
            let mut buf = ReadBuf::new(scratch);
            Poll::Ready(match Pin::new(&mut *pipe).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) => Ok(buf.filled().len()),
                Poll::Ready(Err(error)) => Err(error),
                Poll::Pending => Ok(0),
            })
        })
        .await?;
        if some == 0 {
            return Ok(all);
        }
        all += some;
    }
}
