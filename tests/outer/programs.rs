//! The real programs: `telnet` at a terminal, `nc` in a pipe.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use chat_testkit::TestServer;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_mins(1);

/// A program at a terminal of 80 columns.
pub(super) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: watch::Receiver<Screen>,
    _pty: Box<dyn MasterPty + Send>,
}

#[derive(Default)]
struct Screen {
    text: String,
    ended: bool,
}

impl Terminal {
    pub(super) fn start(program: &str, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("the system has terminals");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env("TERM", "xterm");
        let child = pty.slave.spawn_command(command);
        let child = child.unwrap_or_else(|error| panic!("{error}: is {program} installed?"));
        let mut output = pty.master.try_clone_reader().expect("a terminal can be read");
        let (shown, screen) = watch::channel(Screen::default());
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..length]).into_owned();
                shown.send_modify(|screen| screen.text.push_str(&text));
            }
            shown.send_modify(|screen| screen.ended = true);
        });
        let keys = pty.master.take_writer().expect("a terminal can be typed at");
        Self { child, keys, screen, _pty: pty.master }
    }

    pub(super) fn type_in(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal is there");
        self.keys.flush().expect("the terminal is there");
    }

    pub(super) async fn shows(&mut self, words: &str) {
        let shown = self.screen.wait_for(|screen| screen.ended || screen.text.contains(words));
        let found =
            matches!(timeout(DEADLINE, shown).await, Ok(Ok(screen)) if screen.text.contains(words));
        assert!(found, "no {words:?} on the terminal:\n{}", self.screen.borrow().text);
    }

    pub(super) async fn ends(&mut self) {
        let ended = timeout(DEADLINE, self.screen.wait_for(|screen| screen.ended)).await.is_ok();
        assert!(ended, "it doesn't end:\n{}", self.screen.borrow().text);
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn telnet_at_a_terminal() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general Say hello").await;
    let port = server.address().port().to_string();
    let mut telnet = Terminal::start("telnet", &["127.0.0.1", &port]);
    telnet.shows("* Type your name to begin, or /help for the menu.").await;
    telnet.type_in("bob\r");
    telnet.shows("* Hello, bob. 1 channel is open and 2 people are here.").await;
    telnet.type_in("/enter general\r");
    telnet.shows("* You entered #general (2 here). Topic: Say hello").await;
    alice.expect(&["* bob entered #general"]).await;
    // DEL removes a character, as at the terminal.
    telnet.type_in("helo\x7flo\r");
    alice.expect(&["[#general] bob: hello"]).await;
    alice.send("hi – grüß dich").await;
    telnet.shows("[#general] alice: hi – grüß dich").await;
    // Ctrl-C interrupts.
    telnet.type_in("\x03");
    telnet.shows("* Type /quit to leave.").await;
    telnet.type_in("/quit see you\r");
    telnet.shows("* Bye.").await;
    telnet.ends().await;
    alice.expect(&["* bob left the system: see you"]).await;
    // No two outputs of the server share a line.
    let screen = telnet.screen.borrow().text.clone();
    for line in screen.split("\r\n") {
        // The terminal itself shows Ctrl-C.
        let line = line.trim_start_matches("^C").trim_start_matches("* ");
        assert!(!line.contains("* "), "{line:?} in:\n{screen}");
    }
}

#[tokio::test]
async fn telnet_does_not_display_a_password() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/register correct horse").await;
    let port = server.address().port().to_string();
    // With a minus before the port telnet announces itself; else it does so only on occasion, such
    // as an interrupt.
    for (port, interrupt) in [(format!("-{port}"), ""), (port.clone(), "\x03")] {
        let mut telnet = Terminal::start("telnet", &["--", "127.0.0.1", &port]);
        telnet.shows("* Type your name to begin, or /help for the menu.").await;
        if !interrupt.is_empty() {
            telnet.type_in(interrupt);
            telnet.shows("* Type /quit to leave.").await;
        }
        telnet.type_in("/login alice\r");
        telnet.shows("* Type the password of alice and press Enter.").await;
        telnet.type_in("wrong horse\r");
        telnet.shows("! wrong-password: ").await;
        telnet.type_in("/login ALICE\r");
        telnet.shows("* Type the password of ALICE and press Enter.").await;
        telnet.type_in("correct horse\r");
        telnet.shows("* You are signed in as alice.").await;
        telnet.type_in("/ping shown\r");
        telnet.shows("/ping shown").await;
        telnet.type_in("/quit\r");
        telnet.ends().await;
        let screen = telnet.screen.borrow().text.clone();
        assert!(!screen.contains("horse"), "{screen}");
    }
}

/// Runs `nc` with this input. Returns its output.
async fn nc(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("nc")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{error}: is netcat-openbsd installed?"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let mut output = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    timeout(DEADLINE, stdout.read_to_end(&mut output)).await.expect("nc doesn't end").unwrap();
    assert!(child.wait().await.unwrap().success());
    String::from_utf8(output).unwrap()
}

#[tokio::test]
async fn nc_in_a_pipe_gets_the_answer_to_every_line() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    let port = server.address().port().to_string();
    // By half-close: `-N` shuts the connection's output down at the end of the input.
    let received = nc(&["-N", "127.0.0.1", &port], "bot\n/enter general\ndone\n/ping 1").await;
    assert!(
        received.ends_with("* You entered #general (2 here).\r\n* pong 1\r\n* Bye.\r\n"),
        "{received}"
    );
    alice
        .expect(&["* bot entered #general", "[#general] bot: done", "* bot left the system"])
        .await;
    // By /quit.
    let received =
        nc(&["127.0.0.1", &port], "/format json\nbot\n/enter general\ndone\n/quit\n").await;
    let lines: Vec<&str> = received.lines().collect();
    assert_eq!(lines.last().unwrap(), &r#"{"type":"bye","reason":"you left"}"#);
    assert_eq!(lines[lines.len() - 2], r#"{"type":"ok","re":"quit"}"#);
    alice
        .expect(&["* bot entered #general", "[#general] bot: done", "* bot left the system"])
        .await;
}

#[tokio::test]
async fn nc_at_a_terminal() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    let port = server.address().port().to_string();
    let mut nc = Terminal::start("nc", &["127.0.0.1", &port]);
    nc.shows("* Type your name to begin").await;
    nc.type_in("bob\n");
    nc.shows("* Hello, bob.").await;
    nc.type_in("/enter general\n");
    alice.expect(&["* bob entered #general"]).await;
    alice.send("hi").await;
    nc.shows("[#general] alice: hi").await;
    // Ctrl-C ends nc, which ends the connection.
    nc.type_in("\x03");
    alice.expect(&["* bob left the system"]).await;
    nc.ends().await;
}

#[tokio::test]
async fn nc_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.sock");
    let setup = chat_testkit::ServerSetup::default().flag("--unix").flag(path.to_str().unwrap());
    let server = setup.start().await;
    server.wait_for_log("listening path=").await;
    let received = nc(&["-N", "-U", path.to_str().unwrap()], "bot\n/users\n").await;
    assert!(received.ends_with("* 1 online: bot\r\n* Bye.\r\n"), "{received}");
}
