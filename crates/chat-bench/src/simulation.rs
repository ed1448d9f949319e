//! What doesn't fit a machine's sockets, in one process: sessions of the real server at pipes
//! instead of sockets.
//!
//! No system call is in the way, so it tells what the server itself costs, and which of its locks
//! gives way first.
//!
//! * [`million`]: very many sessions: memory of each, and a line to a very large room.
//! * [`contention`]: the same work on more and more threads.

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

/// Bytes that a pipe holds in each direction: more than what a newcomer is told.
const PIPE: usize = 16 * 1024;

/// A server without sockets, which keeps everything in memory.
pub(crate) struct SimulatedHub {
    hub: Arc<Hub>,
    connection_config: Arc<ConnectionConfig>,
    /// None where whoever says something has it kept while they wait.
    order: Option<Arc<LocalLog>>,
}

impl SimulatedHub {
    /// With a thread that gives lines their places, as a server has it, or without.
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
            let vault = Arc::new(AuthService::start().context("a thread for passwords")?);
            (
                Backends {
                    commit_log: order.clone(),
                    history: archive,
                    auth: vault,
                    recovered: past,
                },
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

    /// Wakes those who hear of lines, as a server does it.
    pub(crate) fn begin(&self) {
        let hub = Arc::clone(&self.hub);
        tokio::spawn(async move { hub.forward_wakes().await });
    }

    /// One more connection, in a task of its own; returns the peer's end.
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

/// Reads until this has come.
pub(crate) async fn until(pipe: &mut DuplexStream, awaited: &str) -> anyhow::Result<()> {
    let mut read = Vec::new();
    while memmem::find(&read, awaited.as_bytes()).is_none() {
        let some = pipe.read_buf(&mut read).await?;
        ensure!(some > 0, "a connection ended before \"{awaited}\" came");
    }
    Ok(())
}

/// Throws away what is there to be read, without waiting for more; tells how many bytes that were.
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
