//! The real server, which stores messages, and a client that writes to it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::server::DEADLINE;

/// A server that may be killed and restarted, on the same port and with the same data.
pub(crate) struct Store {
    data: TempDir,
    address: String,
    child: Child,
    up: Arc<Up>,
}

impl Store {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (child, address) = spawn(data.path(), "127.0.0.1:0");
        let up = Arc::new(Up::default());
        up.set(true);
        Self { data, address, child, up }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.up.set(false);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        (self.child, _) = spawn(self.data.path(), &self.address);
        self.up.set(true);
    }

    /// A client on a plain socket, without a name yet.
    pub(crate) fn dialled(&self) -> Talker {
        let mut talker = self.talker("nobody");
        talker.dial().expect("the server is there");
        talker
    }

    /// A client that connects once it has something to send.
    pub(crate) fn talker(&self, name: &str) -> Talker {
        let (name, address) = (name.to_owned(), self.address.clone());
        Talker { name, address, up: Arc::clone(&self.up), link: None }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // The test may have killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(data: &Path, listen: &str) -> (Child, String) {
    let mut child = Command::new(program())
        .args(["--no-limits", "--listen", listen, "--data"])
        .arg(data)
        .env_remove("NOTIFY_SOCKET")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let address = address_in(log).unwrap_or_else(|log| panic!("the server doesn't listen:\n{log}"));
    (child, address)
}

/// The server's binary is beside the client's.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_chat-cli")).with_file_name("chat-server");
    assert!(
        program.is_file(),
        "chat-server is not built yet: run tests/run, or `cargo build --bins` before `cargo test`"
    );
    program
}

/// Waits for the address in the log, and goes on reading so that the server never blocks on it;
/// returns the log if there is no address in time.
fn address_in(mut log: impl std::io::BufRead + Send + 'static) -> Result<String, String> {
    let (give, lines) = sync_channel(1_024);
    thread::spawn(move || {
        let mut line = String::new();
        while log.read_line(&mut line).is_ok_and(|read| read > 0) {
            // The receiver is dropped once the address is known.
            let _ = give.try_send(line.trim_end().to_owned());
            line.clear();
        }
    });
    find_address(&lines)
}

fn find_address(lines: &Receiver<String>) -> Result<String, String> {
    let until = Instant::now() + DEADLINE;
    let mut seen = String::new();
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        let address = line
            .contains("listening")
            .then(|| {
                line.split("address=").nth(1)?.split([' ', '"', ',']).find(|word| !word.is_empty())
            })
            .flatten();
        if let Some(address) = address {
            return Ok(address.to_owned());
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    Err(seen)
}

/// Whether the server runs.
#[derive(Default)]
struct Up {
    is_up: Mutex<bool>,
    changed: Condvar,
}

impl Up {
    fn set(&self, is_up: bool) {
        *self.is_up.lock().unwrap() = is_up;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let waited =
            self.changed.wait_timeout_while(self.is_up.lock().unwrap(), DEADLINE, |is_up| !*is_up);
        assert!(*waited.unwrap().0, "the server doesn't come back");
    }
}

/// A client on a plain socket that sends each message exactly once and reconnects after each loss.
pub(crate) struct Talker {
    name: String,
    address: String,
    up: Arc<Up>,
    link: Option<(BufReader<TcpStream>, TcpStream)>,
}

impl Talker {
    /// Sends the message, across any number of connections; `key` is unique to it.
    pub(crate) fn says(&mut self, key: &str, place: &str, text: &str) {
        let line = format!("/once {key} {place} {text}");
        self.until(&line, |talker| {
            let answer = talker.asks(&line)?.pop()?;
            if answer["code"] == "no-such-user" {
                // Other clients return to the channel as well.
                while talker.row()?["type"] != "entered" {}
            }
            (answer["type"] == "ok").then_some(())
        });
    }

    /// The messages of a conversation as a terminal shows them, oldest first.
    pub(crate) fn history(&mut self, place: &str) -> Vec<String> {
        let line = format!("/history {place} 10000 after 0");
        let rows = self.until(&line, |talker| {
            let mut rows = talker.asks(&line)?;
            let answer = rows.pop()?;
            assert_eq!(answer["type"], "ok", "{answer}");
            Some(rows)
        });
        let row = |row: &Value| {
            let (from, text) = (row["from"].as_str().unwrap(), row["text"].as_str().unwrap());
            if row["action"] == true {
                format!("* {from} {text}")
            } else {
                format!("{from}: {text}")
            }
        };
        rows.iter().filter(|row| row["past"] == true).map(row).collect()
    }

    /// Waits until `who` sends `text` to #general.
    pub(crate) fn hears(&mut self, who: &str, text: &str) {
        let said = |row: &Value| row["from"] == who && row["text"] == text;
        self.until(text, |talker| {
            // It may have been sent before this connection.
            if talker.asks("/history #general 20")?.iter().any(said) {
                return Some(());
            }
            while !said(&talker.row()?) {}
            Some(())
        });
    }

    /// Tries on one connection after the other until it succeeds.
    fn until<T>(&mut self, what: &str, attempt: impl Fn(&mut Self) -> Option<T>) -> T {
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            if self.link.is_none() && self.connect().is_none() {
                self.link = None;
                continue;
            }
            if let Some(done) = attempt(self) {
                return done;
            }
        }
        panic!("{what}: not in time");
    }

    /// `None` if the server is killed meanwhile.
    fn connect(&mut self) -> Option<()> {
        self.dial()?;
        for line in [format!("/name {}", self.name), "/enter #general".into()] {
            self.does(&line)?;
        }
        Some(())
    }

    fn dial(&mut self) -> Option<()> {
        self.up.wait();
        let stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        stream.set_nodelay(true).ok()?;
        self.link = Some((BufReader::new(stream.try_clone().ok()?), stream));
        self.does("/format json").map(|_| ())
    }

    /// The lines before the `ok` to the line. `None` if the connection is lost.
    #[track_caller]
    pub(crate) fn does(&mut self, line: &str) -> Option<Vec<Value>> {
        let mut rows = self.asks(line)?;
        let answer = rows.pop()?;
        assert_eq!(answer["type"], "ok", "{line}: {answer}");
        Some(rows)
    }

    /// Waits for an event of this type about this user.
    pub(crate) fn is_told(&mut self, kind: &str, user: &str) {
        while self.row().is_some_and(|row| row["type"] != kind || row["user"] != user) {}
        assert!(self.link.is_some(), "no {kind} of {user}");
    }

    /// Everything up to the answer, events of others included. `None` if the connection is lost.
    fn asks(&mut self, line: &str) -> Option<Vec<Value>> {
        let (_, writer) = self.link.as_mut()?;
        if writer.write_all(format!("{line}\n").as_bytes()).is_err() {
            self.link = None;
        }
        let mut rows = Vec::new();
        loop {
            let row = self.row()?;
            let answers = row["type"] == "ok" || row["type"] == "error";
            rows.push(row);
            if answers {
                return Some(rows);
            }
        }
    }

    /// The next line in JSON. `None` if the connection is lost.
    fn row(&mut self) -> Option<Value> {
        let (reader, _) = self.link.as_mut()?;
        loop {
            let mut line = String::new();
            if !reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                self.link = None;
                return None;
            }
            // The greeting is not JSON.
            if let Ok(row) = serde_json::from_str(&line) {
                return Some(row);
            }
        }
    }
}
