//! The server's hub without a process or a socket: for tests with a paused clock.

use std::sync::Arc;
use std::time::Duration;

use chat_proto::time::Timestamp;
use chat_server::commit::retention::Retention;
use chat_server::conn::{self, ConnectionConfig, PeerInfo};
use chat_server::hub::Hub;
use chat_server::hub::limits::{Limits, RegistrationMode};
use chat_server::test_support::inline_backends;
use tokio::io::{DuplexStream, duplex};

use crate::chopped::Chopped;
use crate::client::{ClientFormat, TestClient};

/// Longer than any deadline of the server: with a paused clock it expires at once when no task can
/// make progress.
const DEADLINE: Duration = Duration::from_hours(24);

/// A hub and the configuration of its connections.
pub struct TestHub {
    /// The hub.
    pub hub: Arc<Hub>,
    connection_config: Arc<ConnectionConfig>,
}

impl Default for TestHub {
    /// The default limits of a server.
    fn default() -> Self {
        Self::new(connection_config())
    }
}

/// The default settings of connections, without throttling.
pub fn connection_config() -> ConnectionConfig {
    ConnectionConfig {
        throttle: None,
        name_deadline: Duration::from_mins(1),
        write_deadline: Duration::from_mins(1),
        drain_rate: 128,
    }
}

impl TestHub {
    /// A hub without users or channels.
    pub fn new(connection_config: ConnectionConfig) -> Self {
        let bounds = Limits {
            channels: 10_000,
            conversations_per_person: 50,
            large_channel: 50,
            empty_channel_millis: Some(24 * 3_600_000),
            replay_lines: 20,
            registration: RegistrationMode::Open,
            accounts_required: false,
            new_channels: Vec::new(),
            shares: None,
        };
        let keeping = inline_backends(Retention::default());
        let now = Timestamp(1_795_333_445_120);
        let hub = Hub::new(bounds, "chat.test".to_owned(), Vec::new(), keeping, now);
        Self { hub, connection_config: Arc::new(connection_config) }
    }

    /// Serves another connection in a new task; returns the peer's end of the pipe, which buffers
    /// `holds` bytes per direction. The server's end is limited to `sizes`.
    pub fn pipe(&self, holds: usize, sizes: &[usize]) -> DuplexStream {
        let (peer, ours) = duplex(holds);
        let ours = Chopped::new(ours, sizes);
        let (hub, connection_config) = (Arc::clone(&self.hub), Arc::clone(&self.connection_config));
        tokio::spawn(conn::serve(ours, PeerInfo::local("a test"), hub, connection_config, ()));
        peer
    }

    /// A client on a pipe, before it has a name.
    pub fn newcomer(&self, who: &str, holds: usize, sizes: &[usize]) -> TestClient {
        let mut client = TestClient::over(who, self.pipe(holds, sizes));
        client.set_deadline(DEADLINE);
        client
    }

    /// A client that has taken its name and read the main page.
    pub async fn person(&self, who: &str, format: ClientFormat) -> TestClient {
        let mut client = self.newcomer(who, 64, &[usize::MAX]);
        client.settle_in(format).await;
        client
    }
}
