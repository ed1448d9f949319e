//! The real server as a child, and a client that counts.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use memchr::memmem;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A running server; it ends with this.
pub(crate) struct Server {
    _child: Child,
    address: String,
    /// From its start until it listened.
    pub(crate) start: Duration,
}

impl Server {
    /// Starts the server that was built with this program.
    pub(crate) async fn start(data: &Path) -> anyhow::Result<Self> {
        let program = program()?;
        let begun = Instant::now();
        let mut child = Command::new(&program)
            .args(["--listen", "127.0.0.1:0", "--no-limits", "--data"])
            .arg(data)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("{} can't be started; cargo build --release builds it", program.display())
            })?;
        let log = child.stderr.take().context("it has a log")?;
        let mut lines = BufReader::new(log).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("address=") {
                let (address, start) = (address.trim().to_owned(), begun.elapsed());
                // Its log is read on, so that it never waits for us.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { _child: child, address, start });
            }
            eprint_line(&line);
        }
        bail!("the server ended before it listened")
    }

    /// Somebody in the JSON form who has given a name.
    pub(crate) async fn person(&self, name: &str) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let mut client = Client { stream, read: Vec::with_capacity(64 * 1024) };
        client.ask("/format json").await?;
        client.ask(&format!("/name {name}")).await?;
        Ok(client)
    }
}

/// The log of a server that doesn't start is why.
#[expect(clippy::print_stderr, reason = "for whoever runs the benchmark")]
fn eprint_line(line: &str) {
    eprintln!("{line}");
}

fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().skip(1).find(|folder| folder.join("chat-server").is_file());
    Ok(folder.context("chat-server isn't built beside this program")?.join("chat-server"))
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    /// Sends bytes that are whole lines.
    pub(crate) async fn send(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(lines).await?)
    }

    /// Reads until so many lines are answered.
    pub(crate) async fn answers(&mut self, count: usize) -> anyhow::Result<Vec<u8>> {
        let mut answered = 0;
        let mut looked = 0;
        loop {
            while let Some(end) = memchr::memchr(b'\n', &self.read[looked..]) {
                let line = &self.read[looked..=looked + end];
                if memmem::find(line, b"{\"type\":\"error\"").is_some() {
                    bail!("refused: {}", String::from_utf8_lossy(line));
                }
                answered += usize::from(line.starts_with(b"{\"type\":\"ok\""));
                looked += end + 1;
                if answered == count {
                    let rest = self.read.split_off(looked);
                    return Ok(std::mem::replace(&mut self.read, rest));
                }
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the server closed the connection");
            }
        }
    }

    /// Sends one line and waits for its answer.
    pub(crate) async fn ask(&mut self, line: &str) -> anyhow::Result<Vec<u8>> {
        self.send(format!("{line}\n").as_bytes()).await?;
        self.answers(1).await
    }
}
