//! In a pipe: lines in, lines out, an exit code.

use std::net::TcpListener;
use std::thread;

use super::process::{Client, Left, run};
use super::server::{Server, message};

fn left(code: i32, out: &str, err: &str) -> Left {
    Left { code: Some(code), out: out.into(), err: err.into() }
}

#[test]
fn lines_are_sent_and_the_answers_decide() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    client.types("hi\n\n/users");
    client.end_input();
    let mut peer = server.accept_named("alice");
    peer.expect("/enter #general");
    peer.send(r#"{"type":"error","re":"enter","code":"no-such-channel","text":"There is none."}"#);
    peer.expect("/create #general");
    peer.send(r##"{"type":"ok","re":"create","channel":"#general","members":1}"##);
    peer.expect_once("#general", "hi");
    peer.said_ok(1);
    peer.expect("/users");
    peer.says("bob", "hello\\u001b[2J");
    peer.send(r##"{"type":"user","name":"alice","channel":"#general","operator":true}"##);
    peer.send(r#"{"type":"ok","re":"users","count":1}"#);
    peer.says_bye();
    let out = "* You made #general and entered it as its operator.\n\
               [#general] bob: hello[2J\n\
               * 1 in #general: alice\n\
               * Bye.\n";
    assert_eq!(client.left(), left(0, out, ""));
}

#[test]
fn a_refusal_is_reported_and_determines_the_exit_code() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice"]);
    client.types("hi\n/ping\n");
    client.end_input();
    let mut peer = server.accept_named("alice");
    peer.expect("hi");
    peer.send(r#"{"type":"error","re":"say","code":"no-conversation","text":"Nowhere."}"#);
    peer.expect("/ping");
    peer.send(r#"{"type":"ok","re":"ping"}"#);
    peer.says_bye();
    let err = "chat-cli: refused: no-conversation: Nowhere.\n";
    assert_eq!(client.left(), left(1, "* pong\n* Bye.\n", err));
}

#[test]
fn a_refused_name_ends_it() {
    let server = Server::tcp();
    let client = Client::start(&["-c", server.address(), "-n", "root"]);
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/name root");
    peer.send(r#"{"type":"error","re":"name","code":"bad-name","text":"It is reserved."}"#);
    let err = "chat-cli: the name was refused: bad-name: It is reserved.\n";
    assert_eq!(client.left(), left(1, "", err));
}

#[test]
fn without_a_name_the_first_line_is_the_name() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address()]);
    client.types("alice\nhi\n");
    client.end_input();
    let mut peer = server.accept_named("alice");
    peer.expect("hi");
    peer.said_ok(1);
    peer.says_bye();
    assert_eq!(client.left(), left(0, "* Bye.\n", ""));
}

#[test]
fn an_unreachable_server_is_reported_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let err = format!("chat-cli: can't reach {address}: Connection refused\n");
    assert_eq!(run(&["-c", &address, "-n", "alice"]), left(3, "", &err));
}

#[test]
fn a_refused_connection_is_reported_in_one_line() {
    let server = Server::tcp();
    let client = Client::start(&["-c", server.address(), "-n", "alice"]);
    let mut peer = server.accept();
    peer.send_raw("! server-full: Too many people are here.\r\n");
    // Reads to the end of what the client sends, since closing earlier may discard the refusal.
    peer.expect("/format json");
    drop(peer);
    let address = server.address();
    let err = format!("chat-cli: {address} refused: server-full: Too many people are here.\n");
    assert_eq!(client.left(), left(3, "", &err));
}

#[test]
fn a_lost_server_leaves_lines_unconfirmed() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    client.types("one\ntwo\nthree\n");
    let mut peer = server.accept_in("alice", "#general");
    peer.expect_once("#general", "one");
    peer.said_ok(1);
    // The next ones have no answer.
    peer.expect_once("#general", "two");
    drop(peer);
    let address = server.address();
    let err =
        format!("chat-cli: lost {address}: the server closed it; 2 lines were not confirmed\n");
    assert_eq!(client.left(), left(3, "* You entered #general (2 here).\n", &err));
}

#[test]
fn wrong_use_has_its_own_exit_code() {
    for arguments in [["-c", ":1"], ["-n", "two words"], ["--no-such", "thing"]] {
        assert_eq!(run(&arguments).code, Some(2), "{arguments:?}");
    }
    assert_eq!(run(&["--version"]).code, Some(0));
}

#[test]
fn socket_and_input_are_read_independently() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    let mut peer = server.accept_in("alice", "#general");
    assert_eq!(client.line(), "* You entered #general (2 here).");
    for n in 0..3 {
        peer.says("bob", &format!("hello {n}"));
        assert_eq!(client.line(), format!("[#general] bob: hello {n}"));
        client.types(&format!("hi {n}\n"));
        peer.expect_once("#general", &format!("hi {n}"));
        peer.said_ok(n);
    }
    client.end_input();
    peer.says_bye();
    assert_eq!(client.left(), left(0, "* Bye.\n", ""));
}

#[test]
fn unwritable_output_determines_the_exit_code() {
    let server = Server::tcp();
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut client =
        Client::start_into(full.into(), &["-c", server.address(), "-n", "alice", "-e", "general"]);
    client.end_input();
    let peer = server.accept_in("alice", "#general");
    peer.says_bye();
    let received = "chat-cli: the output can't be written: No space left on device (os error 28)\n";
    assert_eq!(client.left(), left(1, "", received));
}

#[test]
fn with_closed_output_the_input_is_still_sent() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    client.types("one\ntwo\n");
    let mut peer = server.accept_in("alice", "#general");
    peer.expect_once("#general", "one");
    client.stop_listening();
    // The first of these fails to write, and no more is read from the input, which stays open.
    peer.says("bob", "hello");
    peer.said_ok(1);
    peer.expect_once("#general", "two");
    peer.said_ok(2);
    peer.says_bye();
    // Not all of the input was sent.
    assert_eq!(client.left(), left(1, "", ""));
}

#[test]
fn a_slow_reader_of_the_pipe_gets_every_line() {
    // Far more than the pipe, the socket and the client buffer together.
    const LINES: usize = 60_000;
    let directory = tempfile::tempdir().unwrap();
    let server = Server::unix(&directory.path().join("chat"));
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    let mut peer = server.accept_in("alice", "#general");
    assert_eq!(client.line(), "* You entered #general (2 here).");
    let flood = thread::spawn(move || {
        for n in 0..LINES {
            peer.says("bob", &format!("{n:0200}"));
        }
        peer
    });
    for n in 0..LINES {
        assert_eq!(client.line(), format!("[#general] bob: {n:0200}"));
    }
    client.end_input();
    flood.join().unwrap().says_bye();
    assert_eq!(client.left(), left(0, "* Bye.\n", ""));
}

#[test]
fn many_pipelined_lines_are_answered() {
    const LINES: u64 = 2_000;
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    let mut peer = server.accept_in("alice", "#general");
    let typing = thread::spawn(move || {
        for n in 0..LINES {
            client.types(&format!("line {n}\n"));
        }
        client.end_input();
        client
    });
    for n in 0..LINES {
        peer.expect_once("#general", &format!("line {n}"));
        peer.said_ok(n + 1);
    }
    peer.says_bye();
    assert_eq!(typing.join().unwrap().left().code, Some(0));
}

#[test]
fn invalid_lines_are_refused_and_the_others_sent() {
    let server = Server::tcp();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("input");
    std::fs::write(&path, b"one\nz\xffz\ntwo\n").unwrap();
    let client = std::process::Command::new(env!("CARGO_BIN_EXE_chat-cli"))
        .args(["-c", server.address(), "-n", "alice"])
        .stdin(std::fs::File::open(&path).unwrap())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut peer = server.accept_named("alice");
    peer.expect("one");
    peer.said_ok(1);
    peer.expect("two");
    peer.said_ok(2);
    peer.says_bye();
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "chat-cli: refused: bad-line: Line 2 of the input isn't UTF-8. It was not sent.\n"
    );
}

#[test]
fn history_is_printed_with_its_date() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    let mut peer = server.accept_in("alice", "#general");
    client.line();
    peer.send(&message("bob", "hi").replace(r#""id""#, r#""past":true,"id""#));
    assert_eq!(client.line(), "[#general 2026-11-22 07:44:05] bob: hi");
    client.end_input();
    peer.says_bye();
    assert_eq!(client.left().code, Some(0));
}

#[test]
fn one_line_is_sent_once_and_awaits_its_ok() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    client.types("hello\n");
    client.end_input();
    let mut peer = server.accept_in("alice", "#general");
    let key = peer.expect_once("#general", "hello");
    peer.refuses("unavailable", "The disk is full.");
    assert_eq!(peer.expect_once("#general", "hello"), key);
    peer.said_ok(1);
    peer.says_bye();
    let left = client.left();
    assert_eq!(left.code, Some(0));
    assert!(left.err.starts_with("chat-cli: Not said yet: hello (The disk is full.)"), "{left:?}");
}

#[test]
fn keys_are_never_reused() {
    let mut keys = std::collections::HashSet::new();
    for _ in 0..3 {
        let server = Server::tcp();
        let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
        client.types("same\nsame\n");
        client.end_input();
        let mut peer = server.accept_in("alice", "#general");
        for id in 1..=2 {
            assert!(keys.insert(peer.expect_once("#general", "same")), "{keys:?}");
            peer.said_ok(id);
        }
        peer.says_bye();
        assert_eq!(client.left().code, Some(0));
    }
}

#[test]
fn messages_missed_by_a_slow_pipe_are_fetched() {
    let server = Server::tcp();
    let mut client = Client::start(&["-c", server.address(), "-n", "alice", "-e", "general"]);
    let mut peer = server.accept_in("alice", "#general");
    client.line();
    peer.sends_live(1, "bob", "one");
    peer.send(r##"{"type":"missed","channel":"#general","count":1,"after":1}"##);
    peer.sends_live(3, "bob", "three");
    peer.expect("/history #general 500 after 1");
    peer.sends_history(2, "bob", "two");
    peer.sends_history(3, "bob", "three");
    peer.history_ok(r##""channel":"#general""##, 2);
    peer.expect("/history #general 500 after 3");
    peer.history_ok(r##""channel":"#general""##, 0);
    for line in ["] bob: one", "] bob: two", "] bob: three"] {
        let printed = client.line();
        assert!(printed.ends_with(line), "{printed}");
    }
    client.end_input();
    peer.says_bye();
    assert_eq!(client.left(), left(0, "* Bye.\n", ""));
}
