//! `--send`: lines sent by cron jobs, against a scripted server and against the real one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::gate::Gate;
use super::process::{Client, Left, run};
use super::server::Server;
use super::store::{Store, Talker};

fn left(code: i32, err: &str) -> Left {
    Left { code: Some(code), out: String::new(), err: err.into() }
}

fn secret_file(folder: &Path, name: &str, text: &str, mode: u32) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A user in #general, which is created for it.
fn talker(store: &Store) -> Talker {
    let arguments = ["-c", store.address(), "-n", "maker", "--send", "#general", "--create"];
    let mut maker = Client::start(&arguments);
    maker.types("hello\n");
    maker.end_input();
    assert_eq!(maker.left(), left(0, ""));
    let mut bob = store.talker("bob");
    bob.hears("maker", "hello");
    bob
}

#[test]
fn lines_of_the_input_are_sent_word_for_word_and_nothing_is_printed() {
    let server = Server::tcp();
    let mut client =
        Client::start(&["-c", server.address(), "-n", "cron", "--send", "#general", "--once"]);
    client.types("one\n\n/users\nlast");
    client.end_input();
    let mut peer = server.accept_named("cron");
    let key = peer.expect_once("#general", "one");
    peer.refuses("not-in-channel", "You are not in #general.");
    peer.expect("/enter #general");
    peer.sends_history(7, "bob", "before");
    peer.enter_ok("#general");
    assert_eq!(peer.expect_once("#general", "one"), key);
    peer.said_ok(8);
    peer.sends_live(9, "bob", "hello");
    for text in ["/users", "last"] {
        assert_ne!(peer.expect_once("#general", text), key);
        peer.said_ok(10);
    }
    peer.says_bye();
    assert_eq!(client.left(), left(0, ""));
}

#[test]
fn a_lost_answer_is_requested_with_the_same_key() {
    let server = Server::tcp();
    let arguments =
        ["-c", server.address(), "--user", "cron", "--send", "@bob", "--once", "--key", "build-7"];
    let mut client = Client::start(&arguments);
    client.types("one\n");
    client.end_input();
    let mut peer = server.accept_named("cron");
    assert_eq!(peer.expect_once("@bob", "one"), "build-7-1");
    drop(peer);
    let mut peer = server.accept_named("cron");
    assert_eq!(peer.expect_once("@bob", "one"), "build-7-1");
    peer.send(r#"{"type":"ok","re":"once","id":1,"to":"bob"}"#);
    peer.says_bye();
    assert_eq!(client.left(), left(0, ""));
}

#[test]
fn each_way_to_fail_has_its_code() {
    let server = Server::tcp();
    let address = server.address();
    let start = |more: &[&str], input: &str| {
        let arguments = ["-c", address, "-n", "cron", "--send", "#general"];
        let mut client = Client::start(&[&arguments, more].concat());
        client.types(input);
        client.end_input();
        client
    };
    let client = start(&[], "one\ntwo\n");
    let mut peer = server.accept_named("cron");
    peer.expect_once("#general", "one");
    peer.refuses("muted", "You are muted.");
    peer.expect_once("#general", "two");
    peer.said_ok(1);
    peer.says_bye();
    assert_eq!(client.left(), left(1, "chat-cli: line 1 was refused: muted: You are muted.\n"));

    let client = start(&[], "one\n");
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/name cron");
    peer.refuses("name-registered", "It belongs to an account.");
    let err = "chat-cli: not signed in: name-registered: It belongs to an account. --token-file or \
               --password-file says how to sign in. 1 line was not said.\n";
    assert_eq!(client.left(), left(4, err));

    let client = start(&["--once", "--timeout", "1"], "one\n");
    let mut peer = server.accept_named("cron");
    peer.expect_once("#general", "one");
    let err = format!(
        "chat-cli: given up after 1 s: no answer from {address}. line 1 may have been said or not.\n"
    );
    assert_eq!(client.left(), left(5, &err));

    let client = start(&[], &format!("{}\ntwo\n", "x".repeat(4_096)));
    let mut peer = server.accept_named("cron");
    peer.expect_once("#general", "two");
    peer.said_ok(1);
    peer.says_bye();
    let output = client.left();
    assert_eq!(output.code, Some(6));
    assert!(output.err.starts_with("chat-cli: line 1 of the input is "), "{output:?}");

    for wrong in [&["--send", "general"][..], &["--once"], &["--send", "#general", "-e", "dev"]] {
        let arguments = ["-c", address, "-n", "cron"];
        assert_eq!(run(&[&arguments, wrong].concat()).code, Some(2), "{wrong:?}");
    }
    assert_eq!(run(&["-c", address, "--send", "#general"]).code, Some(2), "nobody says it");
}

#[test]
fn an_unreachable_server_is_retried_until_the_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let start = |more: &[&str]| {
        let arguments = ["-c", &address, "-n", "cron", "--send", "#general"];
        let mut client = Client::start(&[&arguments, more].concat());
        client.types("one\ntwo\n");
        client.end_input();
        client.left()
    };
    let why = format!("can't reach {address}: Connection refused. 2 lines were not said.\n");
    let never = start(&[]);
    assert_eq!(never.code, Some(3));
    assert!(never.err.contains("can't reach"), "{never:?}");
    let err = format!("chat-cli: given up after 2 s: {why}");
    assert_eq!(start(&["--once", "--timeout", "2s"]), left(3, &err));
}

#[test]
fn without_lines_the_client_does_not_connect() {
    let arguments = ["-c", "/nonexistent/chat.sock", "-n", "cron", "--send", "#general"];
    assert_eq!(run(&arguments), left(0, ""));
}

#[test]
fn a_token_or_a_password_comes_from_a_file_or_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::tcp();
    let state = folder.path().join("state");
    let start = |more: &[&str], token: Option<&str>| {
        let arguments = ["-c", server.address(), "-n", "cron", "--send", "#general"];
        let mut environment = vec![("XDG_STATE_HOME", state.to_str().unwrap())];
        environment.extend(token.map(|token| ("CHAT_TOKEN", token)));
        let mut client = Client::start_with(&environment, &[&arguments, more].concat());
        client.types("one\n");
        client.end_input();
        client
    };
    let serve = |login: &str, token: &str| {
        let mut peer = server.accept();
        peer.greet();
        peer.expect(login);
        peer.send(&format!(r#"{{"type":"ok","re":"login","name":"cron"{token}}}"#));
        peer.expect_once("#general", "one");
        peer.said_ok(1);
        peer.says_bye();
    };
    let token = secret_file(folder.path(), "token", "token:from-file\n", 0o600);
    let client = start(&["--token-file", &token], Some("from-environment"));
    serve("/login cron token:from-file", "");
    assert_eq!(client.left(), left(0, ""));
    let client = start(&[], Some("from-environment"));
    serve("/login cron token:from-environment", "");
    assert_eq!(client.left(), left(0, ""));
    // The password is needed once: the token that the server issues is stored.
    let password = secret_file(folder.path(), "password", "open sesame\n", 0o400);
    let client = start(&["--password-file", &password], None);
    serve("/login cron open sesame", r#","token":"kept""#);
    assert_eq!(client.left(), left(0, ""));
    let client = start(&["--password-file", &password], None);
    serve("/login cron token:kept", "");
    assert_eq!(client.left(), left(0, ""));
    let client = start(&["--password-file", &password, "--no-keep"], None);
    serve("/login cron open sesame", r#","token":"not-kept""#);
    assert_eq!(client.left(), left(0, ""));
    // An invalid token is removed, and the password is used.
    let client = start(&["--password-file", &password], None);
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/login cron token:kept");
    peer.refuses("wrong-password", "It was revoked.");
    peer.expect("/login cron open sesame");
    drop(peer);
    assert_eq!(client.left().code, Some(3));
    assert_eq!(fs::read_dir(state.join("chat-cli")).unwrap().count(), 0);
}

#[test]
fn a_secret_that_others_may_read_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, text, mode, output) in [
        ("--password-file", "sesame", 0o644, "chmod 600"),
        ("--token-file", "abc", 0o640, "chmod 600"),
        ("--token-file", "a b", 0o600, "nothing else"),
        ("--password-file", "one\ntwo\n", 0o600, "nothing else"),
        ("--password-file", "\n", 0o600, "is empty"),
    ] {
        let path = secret_file(folder.path(), "secret", text, mode);
        // The client doesn't connect.
        let arguments =
            ["-c", "/nonexistent/chat.sock", "-n", "cron", "--send", "#general", flag, &path];
        let left = run(&arguments);
        assert_eq!((left.code, left.out.as_str()), (Some(4), ""), "{text}");
        assert!(left.err.contains(output) && !left.err.contains("sesame"), "{}", left.err);
    }
    // The pipe has no writer, and the client doesn't wait for one.
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let left = run(&["-n", "cron", "--send", "#general", "--token-file", pipe.to_str().unwrap()]);
    assert_eq!((left.code, left.out.as_str()), (Some(4), ""));
    assert!(left.err.contains("named pipe"), "{}", left.err);
}

#[test]
fn each_line_is_sent_once_through_lost_answers_and_kills() {
    const LINES: usize = 60;
    let mut store = Store::start();
    let mut bob = talker(&store);
    let gate = Gate::before(store.address());
    let arguments = ["-c", gate.address(), "-n", "cron", "--send", "#general", "--once"];
    let mut client = Client::start(&arguments);
    for n in 0..LINES {
        let dies = n % 12 == 7;
        if dies {
            // The answer to the previous or the next message may be lost.
            bob.hears("cron", &format!("line-{}.", n - 1));
            gate.shut();
        }
        client.types(&format!("line-{n}.\n"));
        if dies {
            store.kill();
            gate.open();
            store.start_again();
        }
    }
    client.end_input();
    assert_eq!(client.left(), left(0, ""));
    let said: Vec<_> =
        bob.history("#general").into_iter().filter(|line| line.starts_with("cron")).collect();
    let expected: Vec<_> = (0..LINES).map(|n| format!("cron: line-{n}.")).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_repeated_job_with_its_key_sends_nothing_twice() {
    let store = Store::start();
    let mut bob = talker(&store);
    for _ in 0..2 {
        let arguments =
            ["-c", store.address(), "-n", "ci", "--send", "#general", "--once", "--key", "build-7"];
        let mut client = Client::start(&arguments);
        client.types("passed\n\nall of it\n");
        client.end_input();
        assert_eq!(client.left(), left(0, ""));
    }
    assert_eq!(bob.history("#general"), ["maker: hello", "ci: passed", "ci: all of it"]);
}

#[test]
fn a_missing_channel_is_created_only_with_the_flag() {
    let store = Store::start();
    let start = |more: &[&str]| {
        let arguments = ["-c", store.address(), "-n", "cron", "--send", "#ops"];
        let mut client = Client::start(&[&arguments, more].concat());
        client.types("one\n");
        client.end_input();
        client.left()
    };
    let refused = start(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.starts_with("chat-cli: #ops was refused: no-such-channel: "),
        "{refused:?}"
    );
    assert_eq!(start(&["--create"]), left(0, ""));
    assert_eq!(start(&[]), left(0, ""), "it is there now");
}
