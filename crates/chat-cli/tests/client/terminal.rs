//! At a terminal: a real pseudo-terminal, and its screen.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::server::{DEADLINE, Server, message};

/// Rows of scrollback.
const SCROLLBACK: usize = 3_000;
const SIZE: PtySize = PtySize { rows: 12, cols: 100, pixel_width: 0, pixel_height: 0 };

/// A client at a terminal.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    /// Closing it would send SIGHUP to the client.
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn std::io::Write + Send>,
    chunks: Receiver<Vec<u8>>,
    /// Nothing is read from the terminal before this has been used or dropped.
    gate: Option<SyncSender<()>>,
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut terminal = Self::start_stopped(arguments);
        terminal.go_on();
        terminal
    }

    /// A terminal that neither shows nor takes anything until it is resumed.
    fn start_stopped(arguments: &[&str]) -> Self {
        Self::spawn(Path::new("/dev/null"), arguments)
    }

    /// A terminal whose client stores its tokens in this folder.
    pub(crate) fn start_keeping(state: &Path, arguments: &[&str]) -> Self {
        let mut terminal = Self::spawn(state, arguments);
        terminal.go_on();
        terminal
    }

    fn spawn(state: &Path, arguments: &[&str]) -> Self {
        let pty = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_chat-cli"));
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("TZ", "UTC");
        command.env_remove("NO_COLOR");
        command.env_remove("CHAT_TOKEN");
        command.env("XDG_STATE_HOME", state);
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let keys = pty.master.take_writer().unwrap();
        let (give, chunks) = sync_channel(1024);
        let (gate, opened) = sync_channel::<()>(1);
        thread::spawn(move || {
            let _ = opened.recv();
            let mut chunk = [0; 4096];
            // Reading fails once the client has exited.
            while let Ok(read @ 1..) = reader.read(&mut chunk) {
                if give.send(chunk[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            _master: pty.master,
            keys,
            chunks,
            gate: Some(gate),
            parser: vt100::Parser::new(
                SIZE.rows.try_into().unwrap(),
                SIZE.cols.try_into().unwrap(),
                SCROLLBACK,
            ),
            bytes: Vec::new(),
        }
    }

    fn go_on(&mut self) {
        self.gate = None;
    }

    pub(crate) fn presses(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn rows(&self) -> Vec<String> {
        let (_, columns) = self.parser.screen().size();
        let rows = self.parser.screen().rows(0, columns.into());
        let mut rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        while rows.pop_if(|last| last.is_empty()).is_some() {}
        rows
    }

    /// Reads until the screen matches.
    #[track_caller]
    pub(crate) fn shows(&mut self, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let until = Instant::now() + DEADLINE;
        loop {
            let rows = self.rows();
            if wanted(&rows) {
                return rows;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(chunk) => {
                    self.parser.process(&chunk);
                    self.bytes.extend(chunk);
                }
                Err(error) => panic!("{error}: the screen doesn't show {what}: {rows:#?}"),
            }
        }
    }

    /// Reads until this is the last row.
    #[track_caller]
    pub(crate) fn shows_last(&mut self, row: &str) -> Vec<String> {
        self.shows(row, |rows| rows.last().is_some_and(|last| last == row))
    }

    /// Reads until a row ends with this.
    #[track_caller]
    pub(crate) fn shows_row(&mut self, end: &str) {
        self.shows(end, |rows| rows.iter().any(|row| row.ends_with(end)));
    }

    /// Reads until a line that ends with this was written, even if it has scrolled away.
    #[track_caller]
    pub(crate) fn writes(&mut self, end: &str) {
        let line = format!("{end}\r\n");
        let until = Instant::now() + DEADLINE;
        while !String::from_utf8_lossy(&self.bytes).contains(&line) {
            match self.chunks.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(chunk) => {
                    self.parser.process(&chunk);
                    self.bytes.extend(chunk);
                }
                Err(error) => panic!("{error}: {end} isn't written: {:#?}", self.rows()),
            }
        }
    }

    /// Everything written so far.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// All rows, including those that have scrolled away.
    pub(crate) fn all_rows(&mut self) -> Vec<String> {
        let (height, columns) = self.parser.screen().size();
        let screen = self.parser.screen_mut();
        screen.set_scrollback(usize::MAX);
        let mut above = screen.scrollback();
        let mut all = Vec::new();
        while above > 0 {
            screen.set_scrollback(above);
            let rows = above.min(usize::from(height.get()));
            all.extend(
                screen.rows(0, columns.get()).take(rows).map(|row| row.trim_end().to_owned()),
            );
            above -= rows;
        }
        screen.set_scrollback(0);
        all.extend(self.rows());
        all
    }

    /// Kills the client with SIGKILL.
    pub(crate) fn killed(mut self) {
        let pid = self.child.process_id().unwrap().to_string();
        let killed = Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap();
    }

    /// Reads to the end; returns the exit code, and everything that was written.
    pub(crate) fn left(mut self) -> (u32, String) {
        let until = Instant::now() + DEADLINE;
        while let Ok(chunk) =
            self.chunks.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.bytes.extend(chunk);
        }
        assert!(Instant::now() < until, "the client doesn't end");
        let code = self.child.wait().unwrap().exit_code();
        (code, String::from_utf8_lossy(&self.bytes).into_owned())
    }
}

#[test]
fn a_line_being_typed_survives_output() {
    let server = Server::tcp();
    let mut terminal = Terminal::start(&["-c", server.address(), "-e", "general"]);
    let mut peer = server.accept();
    peer.greet();
    terminal.shows_last("name>");
    terminal.presses("alice\r");
    peer.expect("/name alice");
    peer.send(r#"{"type":"ok","re":"name","name":"alice"}"#);
    peer.expect("/enter #general");
    peer.enter_ok("#general");
    peer.users_ok("#general");
    peer.channels_ok();
    terminal.shows_last("#general>");
    terminal.presses("half a li");
    terminal.shows_last("#general> half a li");
    for n in 0..30 {
        peer.says("bob", &format!("line {n}"));
    }
    let rows = terminal.shows("line 29", |rows| {
        rows.iter().any(|row| row.ends_with("[#general] bob: line 29"))
            && rows.last().is_some_and(|last| last == "#general> half a li")
    });
    assert_eq!(rows[rows.len() - 3], "07:44 [#general] bob: line 28", "nothing in between");
    terminal.presses("ne\r");
    peer.expect_once("#general", "half a line");
    terminal.shows_last("#general>");
    peer.said_ok(31);
    terminal.shows_row("07:44 [#general] alice: half a line");
    terminal.presses("\x04");
    peer.says_bye();
    let (code, written) = terminal.left();
    assert_eq!(code, 0);
    assert!(written.contains("Bye."));
    assert_eq!(written.matches(": half a line").count(), 1, "{written:?}");
}

#[test]
fn tab_completes_and_up_recalls() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    peer.says("barbara", "hi");
    peer.says("bob", "hi");
    terminal.shows_row("bob: hi");
    terminal.presses("b\t");
    terminal.shows("candidates", |rows| {
        rows.ends_with(&["#general> bob:".into(), "bob  barbara".into()])
    });
    terminal.presses("\t");
    terminal.shows("the next", |rows| {
        rows.ends_with(&["#general> barbara:".into(), "bob  barbara".into()])
    });
    terminal.presses("hello\r");
    peer.expect_once("#general", "barbara: hello");
    peer.said_ok(9);
    terminal.shows_last("#general>");
    terminal.presses("/us\t");
    terminal.shows_last("#general> /users");
    terminal.presses("#g\t\r");
    peer.expect("/users #general ");
    terminal.presses("c\t/enter r");
    terminal.shows_last("#general> carol: /enter r");
    terminal.presses("\x15/enter r\t");
    terminal.shows_last("#general> /enter #random");
    assert!(!terminal.rows().join("\n").contains("online"), "looking up shows nothing");
    terminal.presses("\x15");
    terminal.presses("\x1b[A\x1b[A");
    terminal.shows_last("#general> barbara: hello");
    terminal.presses("\x1b[B");
    terminal.shows_last("#general> /users #general");
}

#[test]
fn a_private_line_and_a_mention_ring_the_bell() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--bell"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    peer.says("bob", "hello all");
    terminal.shows_row("hello all");
    assert!(!terminal.bytes.contains(&7), "not for everything");
    peer.says("bob", "hello Alice");
    terminal.shows_row("hello Alice");
    peer.send(r#"{"type":"private","id":1,"from":"bob","to":"alice","text":"psst"}"#);
    terminal.shows_row("[@bob] bob: psst");
    peer.says("bob", "that is all");
    terminal.shows_row("that is all");
    assert_eq!(terminal.bytes.split(|byte| *byte == 7).count(), 3, "it rang twice");
    let written = String::from_utf8_lossy(&terminal.bytes);
    assert!(written.contains("\x1b[1;7;33mAlice\x1b[0m"), "one's own name stands out");
}

#[test]
fn without_colours_output_is_plain() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    peer.says("bob", "hello alice");
    peer.send(r#"{"type":"error","re":"x","code":"internal","text":"Oh."}"#);
    terminal.shows_row("! internal: Oh.");
    terminal.presses("b\t\x04\x15\x04");
    peer.says_bye();
    let (_, written) = terminal.left();
    let painted = written.split("\x1b[").skip(1).any(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
    });
    assert!(!painted, "{written:?}");
}

#[test]
fn a_lost_connection_is_reported_and_reestablished() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "dev", "-e", "general"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_named("alice");
    peer.expect("/enter #dev");
    peer.enter_ok("#dev");
    peer.users_ok("#dev");
    peer.expect("/enter #general");
    peer.enter_ok("#general");
    peer.users_ok("#general");
    peer.channels_ok();
    terminal.shows_last("#general>");
    terminal.presses("was it said?\r");
    let key = peer.expect_once("#general", "was it said?");
    terminal.presses("half a li");
    terminal.shows_last("#general> half a li");
    drop(peer);
    terminal.shows_row("* Connection lost: the server closed it. Trying again in 1 s.");
    terminal.presses("\x15");
    terminal.presses("into the void\r");
    terminal.shows_row(
        "Not said yet: into the void (it goes into #general once the connection is back)",
    );
    terminal.presses("/topic late\r");
    terminal.shows_row("Not sent, there is no connection: /topic late (Up brings it back)");
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/name alice");
    peer.send(r#"{"type":"notice","text":"Hello, alice."}"#);
    peer.send(r#"{"type":"ok","re":"name","name":"alice"}"#);
    peer.expect("/enter #dev");
    peer.enter_ok("#dev");
    peer.expect("/enter #general");
    peer.enter_ok("#general");
    terminal.shows_row(&format!("Connected again to {}.", server.address()));
    assert_eq!(peer.expect_once("#general", "was it said?"), key, "the server knows it by its key");
    peer.said_ok(1);
    peer.expect_once("#general", "into the void");
    peer.said_ok(2);
    terminal.shows_row("[#general] alice: into the void");
    terminal.shows_last("#general>");
    let shown = String::from_utf8_lossy(&terminal.bytes).into_owned();
    assert!(!shown.contains("Hello, alice."), "the main page is not shown again");
}

#[test]
fn a_stopped_terminal_does_not_stop_the_socket() {
    // Far more than the socket and the client buffer.
    const LINES: usize = 60_000;
    let directory = tempfile::tempdir().unwrap();
    let server = Server::unix(&directory.path().join("chat"));
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start_stopped(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    for n in 0..LINES {
        // Fails at its deadline if the client doesn't read.
        peer.says("bob", &format!("{n:0200}"));
    }
    peer.send(&message("bob", "the last one"));
    // Typed at a terminal that shows nothing.
    terminal.presses("still here\r");
    terminal.go_on();
    terminal.shows_row("bob: the last one");
    peer.expect_once("#general", "still here");
    let shown = String::from_utf8_lossy(&terminal.bytes).into_owned();
    let dropped: usize = shown
        .split("* … ")
        .skip(1)
        .filter_map(|rest| rest.split_once(" lines not shown")?.0.parse::<usize>().ok())
        .sum();
    assert!(dropped > 0, "some were dropped");
    let lines = shown.matches("bob: ").count();
    assert_eq!(lines + dropped, LINES + 1, "and each was counted");
}

#[test]
fn a_signal_restores_the_terminal() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general"];
    let mut terminal = Terminal::start(&arguments);
    let _peer = server.accept_at_terminal("alice", "#general");
    terminal.shows_last("#general>");
    let pid = terminal.child.process_id().unwrap();
    let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    assert!(sent.unwrap().success());
    let (code, written) = terminal.left();
    assert_eq!(code, 143);
    assert!(written.ends_with("\x1b[?2004l"), "{written:?}");
}

#[test]
fn without_a_server_the_client_exits_with_one_line() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (code, written) = Terminal::start(&["-c", &address, "-n", "alice"]).left();
    assert_eq!(code, 3);
    assert_eq!(written, format!("chat-cli: can't reach {address}: Connection refused\r\n"));
}

#[test]
fn plain_lines_at_a_terminal() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--plain"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_in("alice", "#general");
    peer.says("bob", "hello alice");
    terminal.presses("hi\n");
    peer.expect_once("#general", "hi");
    peer.said_ok(1);
    terminal.shows_row("[#general] bob: hello alice");
    terminal.presses("\x04");
    peer.says_bye();
    let (code, written) = terminal.left();
    assert_eq!(code, 0);
    assert!(!written.contains('\x1b'), "{written:?}");
}

#[test]
fn missed_messages_are_shown_before_live_ones() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    peer.sends_live(7, "bob", "before");
    terminal.shows_row("bob: before");
    terminal.presses("mine\r");
    let key = peer.expect_once("#general", "mine");
    drop(peer);
    let mut peer = server.accept_named("alice");
    peer.expect("/enter #general after 7");
    peer.sends_history(7, "bob", "before");
    peer.sends_history(8, "alice", "mine");
    peer.sends_history(9, "bob", "meanwhile");
    peer.entered("#general", 9);
    peer.sends_live(10, "bob", "now");
    assert_eq!(peer.expect_once("#general", "mine"), key);
    peer.said_ok(8);
    peer.sends_live(11, "bob", "later");
    terminal.shows_row("bob: later");
    let rows = terminal.all_rows();
    let at =
        rows.iter().position(|row| row == "— 2 lines in #general while you were away —").unwrap();
    let rows: Vec<_> = rows[at + 1..at + 5].iter().map(String::as_str).collect();
    assert_eq!(
        rows,
        [
            "2026-11-22 07:44 [#general] alice: mine",
            "2026-11-22 07:44 [#general] bob: meanwhile",
            "07:44 [#general] bob: now",
            "07:44 [#general] bob: later",
        ]
    );
}

#[test]
fn a_restored_server_is_entered_without_a_read_position_and_reported() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    peer.sends_live(57, "bob", "of the future");
    terminal.shows_row("bob: of the future");
    drop(peer);
    let mut peer = server.accept_named("alice");
    peer.expect("/enter #general after 57");
    peer.refuses("bad-argument", "The last line is 41.");
    peer.expect("/enter #general");
    peer.sends_history(41, "bob", "of old");
    peer.entered("#general", 41);
    terminal.shows_row("[#general] bob: of old");
    terminal.shows("that it was set back", |rows| {
        rows.iter().any(|row| row.contains("The server doesn't have line 57 of #general any more"))
    });
    drop(peer);
    let mut peer = server.accept_named("alice");
    peer.expect("/enter #general after 41");
}

#[test]
fn a_refused_line_is_shown_with_its_text_and_can_be_recalled() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    terminal.presses("oh no\r");
    peer.expect_once("#general", "oh no");
    peer.refuses("muted", "You are muted.");
    terminal.shows_row("! muted: You are muted.");
    terminal.shows_row("* Not said: oh no (Up brings it back)");
    terminal.presses("\x1b[A");
    terminal.shows_last("#general> oh no");
}

#[test]
fn a_line_without_a_permit_stays_in_the_editor() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    terminal.shows_last("#general>");
    for n in 0..100 {
        terminal.presses(&format!("line {n}\r"));
    }
    terminal.presses("one more\r");
    terminal.shows_last("#general> one more");
    terminal.shows_row("100 lines wait to be said. This one stays here; press Enter again later.");
    for n in 0..100 {
        peer.expect_once("#general", &format!("line {n}"));
        peer.said_ok(n + 1);
    }
    terminal.shows_row("[#general] alice: line 99");
    terminal.shows_last("#general> one more");
    terminal.presses("\r");
    peer.expect_once("#general", "one more");
    peer.said_ok(101);
    terminal.shows_row("[#general] alice: one more");
}

#[test]
fn history_and_search_are_readable() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    terminal.presses("/history\r");
    peer.expect("/history");
    peer.sends_history(5, "bob", "we Deploy now");
    peer.history_ok(r##""channel":"#general""##, 1);
    terminal.shows_row("— 1 line of #general —");
    terminal.shows_row("2026-11-22 07:44 [#general] bob: we Deploy now");
    terminal.shows_row("— /history #general 20 before 5 shows what was said before —");
    terminal.presses("/search deploy\r");
    peer.expect("/search deploy");
    peer.sends_history(5, "bob", "we Deploy now");
    peer.send(r#"{"type":"ok","re":"search","count":1}"#);
    terminal.shows_row("— 1 line found, newest first —");
    terminal.shows_row("* 1 found.");
    let written = String::from_utf8_lossy(&terminal.bytes);
    assert!(written.contains("\x1b[1;7;33mDeploy\x1b[0m"), "what was looked for stands out");
    assert!(!written.contains("\x1b[2J"), "nothing is cleared");
}

#[test]
fn a_name_that_is_still_held_is_retried() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start(&arguments);
    drop(server.accept_at_terminal("alice", "#general"));
    let mut peer = server.accept();
    peer.greet();
    for _ in 0..2 {
        peer.expect("/name alice");
        peer.refuses("name-taken", "Somebody has it.");
    }
    terminal.shows("why it waits", |rows| {
        rows.iter().any(|row| row.contains("The name can't be had yet"))
    });
    peer.expect("/name alice");
    peer.send(r#"{"type":"ok","re":"name","name":"alice"}"#);
    peer.expect("/enter #general");
}
