//! One client that sends a line and waits for its answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::dialect::Dialect;

/// The timeout of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A blocking connection in the JSON format of chat-server.
pub(crate) struct BenchClient(BufReader<TcpStream>);

impl BenchClient {
    /// Connects and signs in under a name.
    pub(crate) fn new(address: SocketAddr, name: &str) -> anyhow::Result<Self> {
        let mut talker = Self::stranger(address)?;
        talker.ask(&format!("/name {name}"))?;
        Ok(talker)
    }

    /// Connects without a name.
    pub(crate) fn stranger(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut talker = Self(BufReader::with_capacity(64 * 1024, stream));
        talker.ask("/format json")?;
        Ok(talker)
    }

    /// Sends one line and reads until its `ok`, which it returns.
    pub(crate) fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        loop {
            answer.clear();
            let read = self.0.read_line(&mut answer).context("waiting for an answer")?;
            ensure!(read > 0, "the server closed the connection");
            ensure!(!Dialect::Json.refuses(answer.as_bytes()), "refused: {line}: {answer}");
            if answer.starts_with(r#"{"type":"ok""#) {
                return Ok(answer);
            }
        }
    }
}
