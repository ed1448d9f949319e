//! The real server as a child process on a free port.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::binary;
use crate::client::{ClientFormat, TestClient};

/// The deadline of every wait. Only a failing test reaches it.
const DEADLINE: Duration = Duration::from_mins(1);

/// A stop takes 5 seconds at most by the server's own deadlines; a busy machine may need longer.
pub const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Options of a server to start.
#[derive(Clone, Debug)]
pub struct ServerSetup {
    flags: Vec<String>,
    config: Option<String>,
    environment: Vec<(String, String)>,
    /// A shell command that runs before the shell executes the server.
    prelude: Option<String>,
}

impl Default for ServerSetup {
    /// On a free port, named `chat.test`, without storage.
    fn default() -> Self {
        Self {
            flags: ["--listen", "127.0.0.1:0", "--ephemeral"].map(str::to_owned).into(),
            config: None,
            environment: Vec::new(),
            prelude: None,
        }
        .flag("--name")
        .flag("chat.test")
    }
}

impl ServerSetup {
    /// Without throttling.
    pub fn unpaced() -> Self {
        Self::default().flag("--no-limits")
    }

    /// With only a free port.
    pub fn bare() -> Self {
        let mut bare = Self::default();
        bare.flags.truncate(3);
        bare
    }

    /// Adds an argument.
    #[must_use]
    pub fn flag(mut self, word: impl Into<String>) -> Self {
        self.flags.push(word.into());
        self
    }

    /// With this settings file.
    #[must_use]
    pub fn config(mut self, toml: impl Into<String>) -> Self {
        self.config = Some(toml.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn environment(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    /// Limits the number of open files.
    #[must_use]
    pub fn open_files(self, most: u32) -> Self {
        // Both limits: the server raises the soft one to the hard one.
        self.prelude(format!("ulimit -n {most}"))
    }

    /// Sets a shell command that runs before the shell executes the server: for limits, which are
    /// inherited.
    #[must_use]
    pub fn prelude(mut self, shell: impl Into<String>) -> Self {
        self.prelude = Some(shell.into());
        self
    }

    /// Stores messages in this directory, which outlives the server.
    #[must_use]
    pub fn keeping(mut self, data: &Path) -> Self {
        let data = data.to_str().expect("a path of ours is UTF-8");
        self.flags.retain(|flag| flag != "--ephemeral");
        match self.flags.iter().position(|flag| flag == "--data") {
            Some(at) => data.clone_into(&mut self.flags[at + 1]),
            None => self.flags.extend(["--data", data].map(str::to_owned)),
        }
        self
    }

    /// Listens on this address, which an earlier server used.
    #[must_use]
    pub fn listening_at(mut self, address: SocketAddr) -> Self {
        self.flags[1] = address.to_string();
        self
    }

    fn command(&self, folder: &Path) -> Command {
        let program = binary::path("chat-server");
        let mut command = match &self.prelude {
            None => Command::new(program),
            Some(prelude) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("{prelude} && exec \"$0\" \"$@\""));
                command.arg(program);
                command
            }
        };
        command.args(&self.flags);
        if let Some(config) = &self.config {
            let path = folder.join("config.toml");
            std::fs::write(&path, config).expect("the folder is ours");
            command.arg("--config").arg(path);
        }
        command.env_remove("NOTIFY_SOCKET").env_remove("RUST_LOG");
        command.env("STATE_DIRECTORY", folder).envs(self.environment.iter().cloned());
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::piped());
        command
    }

    /// Starts a server and waits until it listens.
    pub async fn start(&self) -> TestServer {
        let mut server = self.spawn();
        let line = server.wait_for_log("listening address").await;
        server.address = Some(address_in(&line));
        server
    }

    /// The same for a server that may exit before it listens.
    ///
    /// # Errors
    ///
    /// The log, if it exited.
    pub async fn try_start(&self) -> Result<TestServer, String> {
        let mut server = self.spawn();
        match server.line_of_log("listening address").await {
            Some(line) => {
                server.address = Some(address_in(&line));
                Ok(server)
            }
            None => Err(server.log()),
        }
    }

    /// Starts a server that is expected to exit before it listens; returns its log and exit status.
    pub async fn run_to_end(&self) -> (String, ExitStatus) {
        let mut server = self.spawn();
        let status = server.wait_for_exit().await;
        (server.log(), status)
    }

    fn spawn(&self) -> TestServer {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let mut child = self.command(folder.path()).spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("it is piped");
        let (log, reader) = watch::channel(CapturedLog::default());
        std::thread::spawn(move || gather(stderr, &log));
        TestServer { child, address: None, log: reader, folder, exited: None }
    }
}

#[derive(Debug, Default)]
struct CapturedLog {
    lines: Vec<String>,
    ended: bool,
}

fn gather(stderr: ChildStderr, log: &watch::Sender<CapturedLog>) {
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { break };
        log.send_modify(|log| log.lines.push(line));
    }
    log.send_modify(|log| log.ended = true);
}

/// A running server. It is killed on drop, and its log is shown if the test has failed.
#[derive(Debug)]
pub struct TestServer {
    child: Child,
    address: Option<SocketAddr>,
    log: watch::Receiver<CapturedLog>,
    folder: TempDir,
    exited: Option<ExitStatus>,
}

impl TestServer {
    /// With the default limits.
    pub async fn start() -> Self {
        ServerSetup::default().start().await
    }

    /// Without throttling.
    pub async fn start_unpaced() -> Self {
        ServerSetup::unpaced().start().await
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("it listens")
    }

    /// The process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The temporary folder of the server, removed with it.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.log.borrow().lines.join("\n")
    }

    /// Waits for a line of the log that contains these words in this order.
    pub async fn wait_for_log(&self, words: &str) -> String {
        let line = self.line_of_log(words).await;
        line.unwrap_or_else(|| panic!("the log has no line with {words:?}:\n{}", self.log()))
    }

    /// The same; `None` if the log ends before that.
    async fn line_of_log(&self, words: &str) -> Option<String> {
        let has_words = |line: &str| {
            let mut rest = line;
            words.split(' ').all(|word| match rest.split_once(word) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        };
        let find = |log: &CapturedLog| log.lines.iter().find(|line| has_words(line)).cloned();
        let mut log = self.log.clone();
        let found = timeout(DEADLINE, log.wait_for(|log| log.ended || find(log).is_some())).await;
        match found {
            Ok(Ok(log)) => find(&log),
            _ => None,
        }
    }

    /// Asks it to stop.
    pub fn signal(&self, signal: Signal) {
        assert!(self.exited.is_none(), "it has stopped already");
        kill_process(self.process(), signal).expect("it runs");
    }

    /// Stops it with SIGTERM, and waits until it has exited.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_for_exit().await
    }

    /// Kills it with SIGKILL, as a crash does, and waits until it has exited.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait_for_exit().await;
    }

    /// Waits until it has exited.
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        if let Some(status) = self.exited {
            return status;
        }
        // The log ends with the process, since no other process has it open.
        let ended = timeout(DEADLINE, self.log.wait_for(|log| log.ended)).await.is_ok();
        assert!(ended, "the server doesn't stop:\n{}", self.log());
        let status = self.child.wait().expect("it is our child");
        self.exited = Some(status);
        status
    }

    /// Bytes of memory that it occupies.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// The most bytes of memory that it has occupied.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    fn status(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {key} in:\n{status}"))
    }

    fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// A connected client, which has read nothing yet.
    pub async fn newcomer(&self, who: &str) -> TestClient {
        TestClient::connect(who, self.address()).await
    }

    /// A client that has taken its name and read the main page, in the text format.
    pub async fn person(&self, who: &str) -> TestClient {
        self.person_in(who, ClientFormat::Text).await
    }

    /// A client that has taken its name and read the main page.
    pub async fn person_in(&self, who: &str, format: ClientFormat) -> TestClient {
        let mut client = self.newcomer(who).await;
        client.settle_in(format).await;
        client
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if self.exited.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let mut shown = String::new();
            for line in &self.log.borrow().lines {
                let _ = writeln!(shown, "  {line}");
            }
            eprintln!("the server's log:\n{shown}");
        }
    }
}

/// The address in a line of the log, in either format.
fn address_in(line: &str) -> SocketAddr {
    let address = line.split("address=").nth(1).or_else(|| line.split(r#""address":""#).nth(1));
    let address = address.and_then(|rest| rest.split(['"', ' ']).next()?.parse().ok());
    address.unwrap_or_else(|| panic!("no address in: {line}"))
}
