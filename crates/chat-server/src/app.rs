//! The composition root: builds the modules from checked settings, binds the listeners, starts the
//! long-lived tasks and stops them.
//!
//! * [`services`]: the tasks that serve no connection.
//! * [`supervise`](supervise::supervise): starts a task again that a panic has ended.

mod services;
mod supervise;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use chat_proto::event::CloseReason;
use rustix::process::{Resource, getrlimit};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::supervise::supervise;
use crate::admin;
use crate::auth::AuthService;
use crate::commit::local::LocalLog;
use crate::config::listen::Listen;
use crate::config::{AdminSocket, Config, MAX_CONVERSATIONS};
use crate::history::HistoryService;
use crate::hub::fanout::ready_set::ReadySet;
use crate::hub::{Backends, Hub};
use crate::listen::limiter::ConnectionLimiter;
use crate::listen::unix::UnixSocketListener;
use crate::listen::{self, Listener, ServerContext};
use crate::ops::heartbeat;
use crate::ops::systemd;
use crate::ops::watchdog::{Probe, ProbePoint, Pulse, Watchdog};
use crate::store::{Store, StoreLocation};
use crate::util::clock::steady_clock;

/// When the server stops: how long messages have to be stored, then connections to take their last
/// lines, then the store to be closed. With [`FLUSH_DEADLINE`](crate::ops::log::FLUSH_DEADLINE) the
/// server ends within five seconds.
const SETTLE_DEADLINE: Duration = Duration::from_secs(1);
const LAST_LINES_DEADLINE: Duration = Duration::from_millis(2500);
const STORE_DEADLINE: Duration = Duration::from_millis(900);

const _: () = assert!(MAX_CONVERSATIONS <= ReadySet::CHANNEL_SLOTS as u64);

/// A server whose listeners are bound and not open yet.
pub struct Server {
    config: Config,
    keeping: Backends,
    order: Arc<LocalLog>,
    tcp: Vec<TcpListener>,
    unix: Option<UnixSocketListener>,
    admin: Option<UnixSocketListener>,
}

impl Server {
    /// Binds every listener and opens the store. [`Server::run`] accepts connections.
    pub fn bind(config: Config) -> anyhow::Result<Self> {
        let unacknowledged = config.connection_config.write_deadline;
        let mut tcp = Vec::new();
        for listen in &config.listen {
            tcp.append(&mut bind_tcp(listen, unacknowledged)?);
        }
        let cant = |error: io::Error, path: &Path| {
            let (shown, hint) = (path.display(), listen::unix::hint(&error, path));
            anyhow!("can't listen on the Unix socket {shown}: {error}; {hint}")
        };
        let unix = config.unix.as_deref();
        let unix = unix.map(|path| listen::unix::bind(path).map_err(|error| cant(error, path)));
        let unix = unix.transpose()?;
        let (keeping, order) = keeping(&config)?;
        // After the store is opened its directory belongs to this server.
        let admin = config.admin.as_ref().map(bind_admin).transpose()?.flatten();
        Ok(Self { config, keeping, order, tcp, unix, admin })
    }

    /// The bound addresses; for port 0 with the port that the system has chosen.
    pub fn addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        self.tcp.iter().map(|listener| Ok(listener.local_addr()?)).collect()
    }

    /// The path of the admin socket.
    pub fn admin_path(&self) -> Option<PathBuf> {
        self.admin.as_ref().map(|listener| listener.path().to_owned())
    }

    /// The path of the Unix socket.
    pub fn unix_path(&self) -> Option<PathBuf> {
        self.unix.as_ref().map(|listener| listener.path().to_owned())
    }

    /// Serves until `stop` is ready, then sends every client a goodbye, for a few seconds at most.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { config, keeping, order, tcp, unix, admin } = self;
        let Config { name, motd, bounds, connection_config, presence_every, .. } = config.clone();
        let connections = within_open_files(config.connections);
        let hub = Hub::new(bounds, name, motd, keeping, steady_clock());
        let context = ServerContext {
            hub: Arc::clone(&hub),
            connection_config: Arc::new(connection_config),
            limiter: Arc::new(ConnectionLimiter::new(connections, config.connections_per_address)),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        let watchdog = Watchdog::start(vec![hub_part(&hub), order.part()]);
        if let Err(error) = &watchdog {
            tracing::warn!(%error, "can't start the watchdog: a stuck server won't be restarted");
        }
        let mut services = JoinSet::new();
        services::start(&mut services, &hub, &order, presence_every);
        if let (StoreLocation::Directory(data), 1..) = (config.place, config.free_disk) {
            services::watch_disk(&mut services, &hub, data, config.free_disk);
        }
        let mut listeners = JoinSet::new();
        let mut probes = Vec::new();
        for listener in tcp {
            probes.push(serve(&mut listeners, listener, &context));
        }
        if let Some(listener) = unix {
            probes.push(serve(&mut listeners, listener, &context));
        }
        if let Some(period) = systemd::watchdog_period() {
            let state = (Arc::clone(&hub), Arc::clone(&order), probes);
            let task = "the watchdog of the service manager";
            services.spawn(supervise(task, state, move |(hub, order, probes)| {
                let parts = vec![order.part(), hub_part(&hub)];
                heartbeat::run(period, probes, parts, heartbeat::notify_manager)
            }));
        }
        if let Some(listener) = admin {
            let state = (Arc::new(listener), context.clone());
            listeners.spawn(supervise("the admin socket", state, |(listener, context)| {
                admin::serve(listener, context)
            }));
        }
        stop.await;
        context.closing.cancel();
        while listeners.join_next().await.is_some() {}
        if tokio::time::timeout(SETTLE_DEADLINE, hub.close()).await.is_err() {
            tracing::warn!(
                "the disk is too slow: the last messages are unanswered, and may not be stored"
            );
        }
        hub.close_all(CloseReason::Shutdown);
        context.tasks.close();
        if tokio::time::timeout(LAST_LINES_DEADLINE, context.tasks.wait()).await.is_err() {
            let left = context.tasks.len();
            tracing::warn!(left, "some connections did not take their last lines in time");
        }
        let stopped = tokio::task::spawn_blocking(move || order.stop());
        if tokio::time::timeout(STORE_DEADLINE, stopped).await.is_err() {
            tracing::warn!("the disk is too slow to close the store; the next start recovers it");
        }
        drop(watchdog);
    }
}

/// Starts to accept connections on a listener. Returns where the server's own connections go in.
fn serve<L: Listener + 'static>(
    listeners: &mut JoinSet<()>,
    listener: L,
    context: &ServerContext,
) -> mpsc::Sender<DuplexStream> {
    let (sender, probes) = mpsc::channel(1);
    let state = (Arc::new(listener), context.clone(), Arc::new(Mutex::new(probes)));
    listeners.spawn(supervise("a listener", state, |(listener, context, probes)| {
        listen::accept(listener, context, probes)
    }));
    sender
}

/// Open files that are not for connections: one in eight, and at most this many. They are for the
/// store, the listening sockets, the admin socket and connections that are refused because the
/// server is full.
const MOST_OTHER_FILES: usize = 128;

/// The number of connections for which the system has open files.
fn within_open_files(connections: usize) -> usize {
    let Some(most) = getrlimit(Resource::Nofile).current else { return connections };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let available = most - (most / 8).min(MOST_OTHER_FILES);
    if connections > available {
        tracing::warn!(
            connections,
            open_files = most,
            available,
            "the limit of open files (LimitNOFILE=) is too low for limits.connections; connections past it are refused"
        );
    }
    connections.min(available)
}

/// Listens on an address, or on all addresses of a name that this machine has.
fn bind_tcp(listen: &Listen, unacknowledged: Duration) -> anyhow::Result<Vec<TcpListener>> {
    let mut bound = Vec::new();
    let mut missing = None;
    for at in &listen.addresses {
        let address = at.address;
        let cant = |error: io::Error| {
            let hint = listen::tcp::hint(&error, address);
            anyhow!("can't listen on {address}: {error}; {hint}")
        };
        match listen::tcp::bind(*at, unacknowledged) {
            Ok(listener) => bound.push(listener),
            Err(error) if listen::tcp::is_missing(&error) => {
                tracing::debug!(%address, %error, "can't listen on this address of the name; its other addresses are used");
                missing = Some(cant(error));
            }
            Err(error) => return Err(cant(error)),
        }
    }
    match missing {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

/// Opens the store.
fn keeping(config: &Config) -> anyhow::Result<(Backends, Arc<LocalLog>)> {
    let store = Store::open(&config.place, config.durability)?;
    let (writer, lookups) = store.into_parts();
    let archive = HistoryService::start(&lookups)?;
    let (order, past) = LocalLog::start(writer, config.retention.clone())?;
    let order = Arc::new(order);
    let auth = Arc::new(AuthService::start()?);
    Ok((
        Backends { commit_log: order.clone(), history: Arc::new(archive), auth, recovered: past },
        order,
    ))
}

/// Binds the socket for `chat-server admin`. If the operator hasn't named one, a failure is a
/// warning.
fn bind_admin(socket: &AdminSocket) -> anyhow::Result<Option<UnixSocketListener>> {
    let AdminSocket { path, is_required } = socket;
    match listen::unix::bind_privately(path) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if *is_required => {
            let (shown, hint) = (path.display(), listen::unix::hint(&error, path));
            Err(anyhow!("can't listen on the admin socket {shown}: {error}; {hint}"))
        }
        Err(error) => {
            tracing::warn!(
                %error,
                path = %path.display(),
                "can't create the admin socket; --admin-socket sets another path"
            );
            Ok(None)
        }
    }
}

/// The hub, as a part for the watchdog: it is stuck if one of its locks is never free.
pub(crate) fn hub_part(hub: &Arc<Hub>) -> Probe {
    let hub = Arc::downgrade(hub);
    let ask = move |spot: &ProbePoint| {
        if let Some(hub) = hub.upgrade() {
            hub.probe(|lock| spot.is(lock));
        }
        Pulse::Idle
    };
    Probe { name: "hub", ask: Box::new(ask) }
}

/// The addresses and the path of the listeners, for the log.
pub fn describe(addresses: &[SocketAddr], unix: Option<&Path>) -> String {
    let unix = unix.map(|path| path.display().to_string());
    let all: Vec<String> = addresses.iter().map(ToString::to_string).chain(unix).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::PeerInfo;
    use crate::hub::limits::Limits;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, ReadHalf};
    use tokio::io::{DuplexStream, WriteHalf, duplex, split};
    use tokio::time::Instant;

    type Person = (Lines<BufReader<ReadHalf<DuplexStream>>>, WriteHalf<DuplexStream>);

    fn connect(hub: &Arc<Hub>) -> Person {
        let connection_config = crate::conn::ConnectionConfig {
            throttle: None,
            name_deadline: Duration::from_mins(1),
            write_deadline: Duration::from_mins(1),
            drain_rate: 0,
        };
        let (ours, theirs) = duplex(1024);
        let (hub, connection_config) = (Arc::clone(hub), Arc::new(connection_config));
        tokio::spawn(crate::conn::serve(
            ours,
            PeerInfo::local("a test"),
            hub,
            connection_config,
            (),
        ));
        let (read, write) = split(theirs);
        (BufReader::new(read).lines(), write)
    }

    async fn read_until(person: &mut Person, words: &str) -> String {
        loop {
            let line = person.0.next_line().await.unwrap().unwrap();
            if line.contains(words) {
                return line;
            }
        }
    }

    #[tokio::test]
    async fn while_the_disk_is_nearly_full_guests_only_read() {
        let hub = Hub::in_memory(Limits::small());
        let (mut alice, mut bob) = (connect(&hub), connect(&hub));
        alice.1.write_all(b"alice\n/register long-enough-1\n/create general\n").await.unwrap();
        read_until(&mut alice, "* You made").await;
        bob.1.write_all(b"bob\n/enter general\n").await.unwrap();
        read_until(&mut bob, "* You entered").await;
        hub.disk_is(true, 5);
        for line in ["hi", "/me waves", "/msg alice hi", "/topic hi", "/register long-enough-1"] {
            bob.1.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            read_until(&mut bob, "! unavailable: The server's disk is nearly full").await;
        }
        alice.1.write_all(b"hello\n").await.unwrap();
        read_until(&mut bob, "alice: hello").await;
        hub.disk_is(false, 500);
        bob.1.write_all(b"hi\n").await.unwrap();
        read_until(&mut alice, "bob: hi").await;
    }

    #[tokio::test(start_paused = true)]
    async fn presence_of_a_large_channel_is_published_at_most_once_in_ten_seconds() {
        let hub = Hub::in_memory(Limits { large_channel: 1, ..Limits::small() });
        tokio::spawn(services::publish_presence(Arc::clone(&hub), Duration::from_secs(10)));
        let mut alice = connect(&hub);
        alice.1.write_all(b"alice\n/create general\n").await.unwrap();
        read_until(&mut alice, "* You made").await;
        let begun = Instant::now();
        let mut others = Vec::new();
        // One every second, for a minute.
        for n in 0..60 {
            let mut other = connect(&hub);
            other.1.write_all(format!("user{n}\n/enter general\n").as_bytes()).await.unwrap();
            read_until(&mut other, "* You entered").await;
            others.push(other);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let mut counted = 0;
        let mut lines = 0;
        while counted < 60 {
            let line = read_until(&mut alice, "entered").await;
            counted += line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
            lines += 1;
        }
        assert_eq!(counted, 60);
        let most = begun.elapsed().as_secs().div_ceil(10) + 1;
        assert!((5..=most).contains(&lines), "{lines} lines in {:?}", begun.elapsed());
    }
}
