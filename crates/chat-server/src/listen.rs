//! Accepts connections and starts a task for each. Nothing slow happens here.
//!
//! * [`tcp`] and [`unix`]: the kinds of sockets.
//! * [`limiter`]: the number of connections, in all and for each address.

pub(crate) mod limiter;
pub mod tcp;
pub mod unix;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use chat_proto::encoding::encode;
use chat_proto::event::Event;
use chat_proto::format::Format;
use chat_proto::refusal::Refusal;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::limiter::ConnectionLimiter;
use crate::conn::{self, ConnectionConfig, PeerInfo};
use crate::hub::Hub;
use crate::util::clock::steady_clock;

/// A socket that accepts connections.
pub(crate) trait Listener: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Incoming)>> + Send;
}

/// The peer of an accepted connection.
pub(crate) struct Incoming {
    pub(crate) peer: PeerInfo,
    /// The address that the limit for each address counts; `None` for connections from this
    /// machine, which are exempt.
    pub(crate) counted: Option<IpAddr>,
}

/// The context that all listeners share.
#[derive(Clone)]
pub(crate) struct ServerContext {
    pub(crate) hub: Arc<Hub>,
    pub(crate) connection_config: Arc<ConnectionConfig>,
    pub(crate) limiter: Arc<ConnectionLimiter>,
    /// The tasks of all connections.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when no more connections are to be accepted.
    pub(crate) closing: CancellationToken,
}

/// Refused connections that receive the reason concurrently. Past it they are closed without one.
const MAX_REJECTING: usize = 64;

/// How long a refused connection may take to read the reason.
const REJECT_DEADLINE: Duration = Duration::from_secs(2);

/// The wait after accept(2) has failed: doubled each time, up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Accepts until the server closes. `probes` yields the server's own connections, by which it
/// checks that it is alive.
pub(crate) async fn accept<L: Listener>(
    listener: Arc<L>,
    context: ServerContext,
    probes: Arc<Mutex<mpsc::Receiver<DuplexStream>>>,
) {
    let mut probes = probes.lock().await;
    let rejecting = Arc::new(Semaphore::new(MAX_REJECTING));
    let mut wait = SHORTEST_WAIT;
    loop {
        let accepted = tokio::select! {
            biased;
            () = context.closing.cancelled() => return,
            Some(probe) = probes.recv() => {
                let incoming = Incoming { peer: PeerInfo::local("a probe"), counted: None };
                start(probe, incoming, &context, &rejecting);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, incoming)) => {
                wait = SHORTEST_WAIT;
                start(stream, incoming, &context, &rejecting);
            }
            Err(error) if concerns_one_connection(&error) => {
                tracing::debug!(%error, "a connection was closed before it was accepted");
            }
            Err(error) => {
                if wait == SHORTEST_WAIT {
                    tracing::warn!(
                        %error,
                        "no connection can be accepted now; open connections go on. If this lasts, \
                         raise the limit of open files (LimitNOFILE=) or lower limits.connections"
                    );
                }
                tokio::select! {
                    () = context.closing.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

fn start<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    incoming: Incoming,
    context: &ServerContext,
    rejecting: &Arc<Semaphore>,
) {
    let Incoming { peer, counted } = incoming;
    let now = steady_clock();
    let may = context.hub.may_come_in(peer.address, now);
    let may = may.and_then(|()| context.hub.throttle_connect(peer.address, now));
    match may.and_then(|()| context.limiter.acquire(counted)) {
        Ok(permit) => {
            let (hub, connection_config) =
                (Arc::clone(&context.hub), Arc::clone(&context.connection_config));
            context.tasks.spawn(conn::serve(stream, peer, hub, connection_config, permit));
        }
        Err(refusal) => {
            tracing::debug!(address = peer.shown, "refused: {}", refusal.text());
            if let Ok(permit) = Arc::clone(rejecting).try_acquire_owned() {
                context.tasks.spawn(async move {
                    reject(stream, refusal).await;
                    drop(permit);
                });
            }
        }
    }
}

async fn reject<S: AsyncRead + AsyncWrite + Unpin>(stream: S, refusal: Refusal) {
    let mut line = BytesMut::new();
    encode(&Event::Refused { re: "connect".into(), refusal }, Format::Text, &mut line);
    conn::linger_close(stream, line, REJECT_DEADLINE, REJECT_DEADLINE).await;
}

/// Errors that concern only the connection that was to be accepted (accept(2)).
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
    )
}
