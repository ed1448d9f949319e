//! Accepts connections and starts a task for each. Nothing slow happens here.
//!
//! * [`tcp`] and [`unix`]: the kinds of sockets.
//! * [`gate`]: how many may come in.

pub(crate) mod gate;
pub mod tcp;
pub mod unix;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use chat_proto::event::Event;
use chat_proto::refusal::Refusal;
use chat_proto::rendition::{Form, render};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::gate::Gate;
use crate::conn::{self, Manners, Peer};
use crate::hub::Hub;
use crate::util::clock::steady_clock;

/// Where connections come in.
pub(crate) trait Door: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next one.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Caller)>> + Send;
}

/// Who is at the door.
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    /// What the limit for each address counts; `None` for those on this machine, who are exempt.
    pub(crate) counted: Option<IpAddr>,
}

/// What every door needs.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) hub: Arc<Hub>,
    pub(crate) manners: Arc<Manners>,
    pub(crate) gate: Arc<Gate>,
    /// The tasks of all connections.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when no more connections are to come in.
    pub(crate) closing: CancellationToken,
}

/// Connections at once that are being told that there is no room. Past it they are closed untold.
const MAX_TURNED_AWAY: usize = 64;

/// How long one that is told so may take to read it.
const TURNED_AWAY_DEADLINE: Duration = Duration::from_secs(2);

/// The wait after the system has refused to accept: doubled each time, up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Accepts until the house closes. A connection of the server's own, by which it finds out whether it is alive, comes in by
/// `probes`.
pub(crate) async fn accept<D: Door>(
    door: D,
    house: House,
    mut probes: mpsc::Receiver<DuplexStream>,
) {
    let turned_away = Arc::new(Semaphore::new(MAX_TURNED_AWAY));
    let mut wait = SHORTEST_WAIT;
    loop {
        let accepted = tokio::select! {
            biased;
            () = house.closing.cancelled() => return,
            Some(probe) = probes.recv() => {
                let caller = Caller { peer: Peer::local("a probe"), counted: None };
                admit(probe, caller, &house, &turned_away);
                continue;
            }
            accepted = door.accept() => accepted,
        };
        match accepted {
            Ok((stream, caller)) => {
                wait = SHORTEST_WAIT;
                admit(stream, caller, &house, &turned_away);
            }
            Err(error) if is_the_callers(&error) => {
                tracing::debug!(%error, "a caller was gone before it came in");
            }
            Err(error) => {
                if wait == SHORTEST_WAIT {
                    tracing::warn!(
                        %error,
                        "no connection can be accepted now; those connected go on. If this lasts, \
                         raise the limit of open files (LimitNOFILE=) or lower limits.connections"
                    );
                }
                tokio::select! {
                    () = house.closing.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

fn admit<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    caller: Caller,
    house: &House,
    turned_away: &Arc<Semaphore>,
) {
    let Caller { peer, counted } = caller;
    let now = steady_clock();
    let may = house.hub.may_come_in(peer.address, now);
    let may = may.and_then(|()| house.hub.throttle_connect(peer.address, now));
    match may.and_then(|()| house.gate.admit(counted)) {
        Ok(ticket) => {
            let (hub, manners) = (Arc::clone(&house.hub), Arc::clone(&house.manners));
            house.tasks.spawn(conn::serve(stream, peer, hub, manners, ticket));
        }
        Err(refusal) => {
            tracing::debug!(address = peer.shown, "turned away: {}", refusal.text());
            if let Ok(permit) = Arc::clone(turned_away).try_acquire_owned() {
                house.tasks.spawn(async move {
                    turn_away(stream, refusal).await;
                    drop(permit);
                });
            }
        }
    }
}

async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(stream: S, refusal: Refusal) {
    let mut line = BytesMut::new();
    render(&Event::Refused { re: "connect".into(), refusal }, Form::Text, &mut line);
    conn::part(stream, line, TURNED_AWAY_DEADLINE, TURNED_AWAY_DEADLINE).await;
}

/// Errors that concern only the connection that was to be accepted (accept(2)).
fn is_the_callers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
    )
}
