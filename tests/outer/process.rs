//! The process: an unread log, and signals.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use chat_testkit::server::STOP_DEADLINE;
use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer, binary};
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::service::hear;

/// Only a failing test waits this long.
const DEADLINE: Duration = Duration::from_mins(1);

const BYE: &str = "* Bye: the server is stopping; connect again in a moment.";
const FLAGS: [&str; 4] = ["--listen", "127.0.0.1:0", "--ephemeral", "--no-limits"];

/// Reads the server's address like the service manager, since its log isn't read.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        Self { socket: UnixDatagram::bind(&path).unwrap(), path, _folder: folder }
    }

    async fn address(&self) -> SocketAddr {
        let ready = hear(&self.socket).await;
        let status = ready.iter().find_map(|line| line.strip_prefix("STATUS=Listening on "));
        status.unwrap().parse().unwrap()
    }
}

/// A server whose standard error the test provides.
struct Quiet {
    child: Child,
    address: SocketAddr,
    _manager: Manager,
}

impl Quiet {
    async fn start(stderr: impl Into<Stdio>, flags: &[&str]) -> Self {
        let mut command = Command::new(binary::path("chat-server"));
        command.args(FLAGS).args(flags).stderr(stderr);
        Self::spawn(command).await
    }

    async fn spawn(mut command: Command) -> Self {
        let manager = Manager::new();
        command.env("NOTIFY_SOCKET", &manager.path).env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().unwrap();
        Self { child, address: manager.address().await, _manager: manager }
    }

    async fn serves_and_stops(&mut self) {
        // Each logs more than one line, with -v.
        for _ in 0..50 {
            newcomer(self.address).await;
        }
        let mut alice = newcomer(self.address).await;
        let begun = Instant::now();
        signal(self.child.id(), Signal::TERM);
        assert_eq!(alice.read_to_end().await.last().unwrap(), BYE);
        assert_eq!(self.wait().await.code(), Some(0));
        assert!(begun.elapsed() < STOP_DEADLINE, "{:?}", begun.elapsed());
    }

    async fn wait(&mut self) -> ExitStatus {
        timeout(DEADLINE, self.child.wait()).await.expect("it ends").unwrap()
    }
}

async fn newcomer(address: SocketAddr) -> TestClient {
    let mut client = TestClient::connect("alice", address).await;
    client.settle().await;
    client
}

fn signal(pid: Option<u32>, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid.unwrap()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A full pipe.
fn full_pipe() -> (io::PipeReader, io::PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    for piece in [4096, 1] {
        while writer.write(&b"x".repeat(piece)).is_ok() {}
    }
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

#[tokio::test]
async fn an_unread_log_blocks_neither_service_nor_stop() {
    for flags in [&[][..], &["-v"], &["-vv", "--log", "json"]] {
        let (reader, writer) = full_pipe();
        let mut server = Quiet::start(OwnedFd::from(writer), flags).await;
        server.serves_and_stops().await;
        drop(reader);
    }
}

#[tokio::test]
async fn a_log_that_is_read_again_continues() {
    let (mut reader, writer) = full_pipe();
    let mut server = Quiet::start(OwnedFd::from(writer), &["-v"]).await;
    for _ in 0..50 {
        newcomer(server.address).await;
    }
    let reading = spawn_blocking(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).map(|_| log)
    });
    signal(server.child.id(), Signal::TERM);
    assert_eq!(server.wait().await.code(), Some(0));
    let log = reading.await.unwrap().unwrap();
    let count = |words| log.matches(words).count();
    assert_eq!((count("listening"), count("disconnected"), count("stopped")), (1, 50, 1), "{log}");
}

#[tokio::test]
async fn a_closed_broken_or_full_standard_error_ends_nothing() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for stderr in [Stdio::from(writer), full.into(), Stdio::null()] {
        Quiet::start(stderr, &["-v"]).await.serves_and_stops().await;
    }
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" -v 2>&-"]).arg(binary::path("chat-server"));
    command.args(FLAGS);
    Quiet::spawn(command).await.serves_and_stops().await;
}

/// A file with a size limit stands for a full disk: writes fail until the file is emptied.
#[tokio::test]
async fn dropped_log_lines_are_counted_when_there_is_space_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let file = File::options().append(true).create(true).open(&path).unwrap();
    let mut command = Command::new("sh");
    // One block of 512 bytes: about six lines.
    command.args(["-c", "ulimit -f 1 && exec \"$0\" \"$@\" -v"]).arg(binary::path("chat-server"));
    command.args(FLAGS).stderr(file);
    let mut server = Quiet::spawn(command).await;
    for _ in 0..10 {
        newcomer(server.address).await;
    }
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    signal(server.child.id(), Signal::TERM);
    assert_eq!(server.wait().await.code(), Some(0));
    let log = std::fs::read_to_string(&path).unwrap();
    let counted = log.lines().find(|line| line.contains("log lines were dropped"));
    let counted = counted.unwrap_or_else(|| panic!("{log}"));
    assert!(counted.contains("WARN") && counted.contains("standard error took nothing"), "{log}");
}

/// A server at its own terminal.
struct AtTerminal {
    terminal: Box<dyn MasterPty + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    address: SocketAddr,
}

impl AtTerminal {
    async fn start() -> Self {
        let manager = Manager::new();
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new(binary::path("chat-server"));
        command.args(FLAGS);
        command.arg("-v");
        command.env("NOTIFY_SOCKET", &manager.path);
        let child = pty.slave.spawn_command(command).unwrap();
        Self { terminal: pty.master, child, address: manager.address().await }
    }

    async fn exit_code(mut self) -> u32 {
        let ended = spawn_blocking(move || self.child.wait().unwrap().exit_code());
        timeout(DEADLINE, ended).await.expect("it ends").unwrap()
    }
}

#[tokio::test]
async fn a_paused_terminal_blocks_nothing() {
    let server = AtTerminal::start().await;
    let mut output = server.terminal.try_clone_reader().unwrap();
    let mut keys = server.terminal.take_writer().unwrap();
    // Ctrl-S, and later Ctrl-Q.
    keys.write_all(b"\x13").unwrap();
    for _ in 0..50 {
        newcomer(server.address).await;
    }
    keys.write_all(b"\x11").unwrap();
    let reading = spawn_blocking(move || {
        let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&shown).contains("stopping") {
            let count = output.read(&mut piece).unwrap();
            shown.extend_from_slice(&piece[..count]);
        }
    });
    let mut alice = newcomer(server.address).await;
    // Ctrl-C.
    keys.write_all(b"\x03").unwrap();
    timeout(DEADLINE, reading).await.expect("the log goes on").unwrap();
    keys.write_all(b"\x13").unwrap();
    assert_eq!(alice.read_to_end().await.last().unwrap(), BYE);
    assert_eq!(server.exit_code().await, 0);
}

#[tokio::test]
async fn a_lost_terminal_is_a_stop_with_goodbye() {
    let AtTerminal { terminal, child, address } = AtTerminal::start().await;
    let mut alice = newcomer(address).await;
    // A lost ssh session: SIGHUP, and standard error fails from then on.
    drop(terminal);
    assert_eq!(alice.read_to_end().await.last().unwrap(), BYE);
    let ended = spawn_blocking({
        let mut child = child;
        move || child.wait().unwrap().exit_code()
    });
    assert_eq!(timeout(DEADLINE, ended).await.expect("it ends").unwrap(), 0);
}

#[tokio::test]
async fn each_signal_that_stops_says_goodbye() {
    // Under nohup, tests pass an ignored SIGHUP on.
    let setup = ServerSetup::default().prelude(r#"exec env --default-signal "$0" "$@""#);
    for signal in [Signal::HUP, Signal::QUIT, Signal::XCPU] {
        let mut server = setup.start().await;
        let mut alice = server.person("alice").await;
        server.signal(signal);
        assert_eq!(alice.read_to_end().await.last().unwrap(), BYE, "{signal:?}");
        assert_eq!(server.wait_for_exit().await.code(), Some(0), "{signal:?}");
        assert!(server.log().contains("stopped"), "{}", server.log());
    }
}

#[tokio::test]
async fn signals_without_a_meaning_do_nothing() {
    let mut server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    for signal in [
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::POWER,
        Signal::STKFLT,
        Signal::XFSZ,
        Signal::PIPE,
        Signal::CHILD,
        Signal::CONT,
        Signal::WINCH,
        Signal::URG,
    ] {
        server.signal(signal);
        alice.ask("/ping").await;
    }
    let real_time = format!("kill -s RTMIN+3 {}", server.pid());
    let sent = Command::new("bash").args(["-c", &real_time]).status().await.unwrap();
    assert!(sent.success());
    alice.ask("/ping").await;
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn a_server_under_nohup_outlives_its_terminal() {
    let mut server = ServerSetup::default().prelude("trap '' HUP").start().await;
    let mut alice = server.person("alice").await;
    server.signal(Signal::HUP);
    alice.ask("/ping").await;
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn a_second_signal_changes_nothing() {
    let mut server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut stuck = server.person_in("stuck", ClientFormat::Text).await;
    alice.ask("/create general").await;
    stuck.ask("/enter general").await;
    // More than the kernel buffers for one connection: the last line waits for this reader.
    alice.send_raw(format!("{}\n", "x".repeat(4000)).repeat(4000).as_bytes()).await;
    alice.settle().await;
    server.signal(Signal::TERM);
    server.wait_for_log("stopping").await;
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    server.signal(Signal::HUP);
    assert_eq!(alice.read_to_end().await.last().unwrap(), BYE);
    assert_eq!(server.wait_for_exit().await.code(), Some(0), "{}", server.log());
}
