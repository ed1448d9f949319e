//! Accounts at a terminal: passwords aren't shown, and tokens are stored.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::server::{Peer, Server, message};
use super::terminal::Terminal;

fn kept(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join("chat-cli")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn signed_in(peer: &mut Peer, token: &str) {
    peer.send(&format!(r#"{{"type":"ok","re":"login","name":"alice"{token}}}"#));
    peer.channels_ok();
}

#[test]
fn a_password_is_hidden_and_its_token_stored() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let server = Server::tcp();
    let mut terminal = Terminal::start_keeping(state, &["-c", server.address(), "--no-color"]);
    let mut peer = server.accept();
    peer.greet();
    terminal.shows_last("name>");
    terminal.presses("/login alice\r");
    terminal.shows_last("Password of alice:");
    terminal.presses("open sesami\x7fe\r");
    peer.expect("/login alice open sesame");
    signed_in(&mut peer, r#","token":"t-1""#);
    terminal.shows_row("You are signed in as alice. /logout signs out.");
    terminal.shows_last("(nowhere)>");
    // Up has nothing to recall.
    terminal.presses("\x1b[Ax");
    terminal.shows_last("(nowhere)> x");
    terminal.presses("\x15\x04");
    peer.says_bye();
    let (code, written) = terminal.left();
    assert_eq!(code, 0);
    assert!(!written.contains("sesam"), "{written}");
    let [path] = kept(state).try_into().unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert!(fs::read_to_string(&path).unwrap().contains("t-1"));

    // The token signs in at the next start, and after a lost connection.
    let arguments = ["-c", server.address(), "-n", "alice", "--no-color"];
    let mut terminal = Terminal::start_keeping(state, &arguments);
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/login alice token:t-1");
    signed_in(&mut peer, "");
    terminal.shows_last("(nowhere)>");
    drop(peer);
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/login alice token:t-1");
    // The token was revoked meanwhile.
    peer.refuses("wrong-password", "It was revoked.");
    terminal.shows_last("name>");
    terminal.shows("what became of it", |rows| {
        rows.iter()
            .any(|row| row.contains("The sign-in that was kept for alice is not valid any more"))
    });
    terminal.presses("bob\r");
    peer.expect("/name bob");
    assert!(kept(state).is_empty());
}

#[test]
fn a_new_password_is_typed_twice_and_signing_out_removes_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "general", "--no-color"];
    let mut terminal = Terminal::start_keeping(state, &arguments);
    let mut peer = server.accept_at_terminal("alice", "#general");
    terminal.presses("/register\r");
    terminal.shows_last("New password:");
    terminal.presses("short\r");
    terminal.shows("that it is too short", |rows| {
        rows.iter().any(|row| row.contains("it needs at least 8"))
    });
    terminal.presses("open sesame\r");
    terminal.shows_last("The same again:");
    // Messages of others are shown above it.
    peer.says("bob", "hello");
    terminal.shows_row("bob: hello");
    terminal.shows_last("The same again:");
    terminal.presses("open sesame\r");
    peer.expect("/register open sesame");
    peer.send(r#"{"type":"ok","re":"register","name":"alice","token":"t-1"}"#);
    terminal.shows_last("#general>");
    // Both contain a blank, so the server has to ask.
    terminal.presses("/password\ropen sesame\rclose sesame\rclose sesame\r");
    for (line, asked) in [("/password", "old"), ("open sesame", "new")] {
        peer.expect(line);
        peer.send(&format!(r#"{{"type":"password","for":"{asked}","name":"alice"}}"#));
        peer.send(r#"{"type":"ok","re":"password"}"#);
    }
    peer.expect("close sesame");
    peer.send(r#"{"type":"ok","re":"password","token":"t-2"}"#);
    terminal.shows_row("Your password is changed, and you are signed out everywhere else.");
    // The token is stored before anything else is done.
    terminal.presses("hi\r");
    peer.expect_once("#general", "hi");
    peer.said_ok(1);
    terminal.shows_last("#general>");
    assert!(fs::read_to_string(&kept(state)[0]).unwrap().contains("t-2"));
    // Nothing is sent if nothing is typed.
    terminal.presses("/forget\r\r");
    terminal.shows_row("* /forget was not sent.");
    terminal.presses("/logout\r");
    peer.expect("/logout");
    peer.send(r#"{"type":"ok","re":"logout","name":"alice"}"#);
    terminal.shows_last("name>");
    terminal.presses("\x04");
    peer.says_bye();
    let (_, written) = terminal.left();
    assert!(kept(state).is_empty());
    assert!(!written.contains("sesame"), "{written}");
}

#[test]
fn a_stored_token_that_others_may_read_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "--no-color"];
    let mut terminal = Terminal::start_keeping(state, &arguments);
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/name alice");
    peer.refuses("name-registered", "It belongs to an account.");
    terminal.shows_last("name>");
    terminal.presses("/login alice\rsesame\r");
    peer.expect("/login alice sesame");
    signed_in(&mut peer, r#","token":"t-1""#);
    terminal.shows_last("(nowhere)>");
    terminal.presses("/ping\r");
    peer.expect("/ping");
    let [path] = kept(state).try_into().unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

    let mut terminal = Terminal::start_keeping(state, &arguments);
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/name alice");
    terminal.shows("how to mend it", |rows| {
        let text = rows.join("").replace('\n', "");
        text.contains("may be read by others (its mode is 0644)") && text.contains("chmod 600")
    });
}

#[test]
fn unread_messages_are_counted_before_the_prompt() {
    let server = Server::tcp();
    let arguments = ["-c", server.address(), "-n", "alice", "-e", "dev", "-e", "general"];
    let mut terminal = Terminal::start(&arguments);
    let mut peer = server.accept_named("alice");
    for channel in ["#dev", "#general"] {
        peer.expect(&format!("/enter {channel}"));
        peer.enter_ok(channel);
        peer.users_ok(channel);
    }
    peer.channels_ok();
    terminal.shows_last("#general>");
    let in_dev = |text: &str| message("bob", text).replace("#general", "#dev");
    peer.send(&in_dev("one"));
    terminal.shows_last("[#dev +1] #general>");
    terminal.presses("half a li");
    peer.says("bob", "here");
    peer.send(&in_dev("two, alice"));
    peer.send(r#"{"type":"private","id":1,"from":"bob","to":"alice","text":"psst"}"#);
    terminal.shows_last("[@bob +1 #dev +2!] #general> half a li");
    let written = terminal.written();
    assert!(written.contains("\x1b[1;35m@bob +1\x1b[0m"), "it stands out: {written:?}");
    assert!(written.contains("\x1b[1mtwo, \x1b[0m\x1b[1;7;33malice\x1b[0m"), "{written:?}");
    assert!(written.contains(": \x1b[1mpsst\x1b[0m"), "{written:?}");
    assert!(!written.contains('\x07'), "the bell has to be asked for");
    terminal.presses("\x15/enter dev\r");
    peer.expect("/enter dev");
    peer.enter_ok("#dev");
    terminal.shows_last("[@bob +1] #dev>");
}
