//! Lines received before a peer is gone are executed; line endings at the end of input.

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use chat_testkit::{ServerSetup, TestServer};
use socket2::SockRef;

/// Attempts at a race between two events.
const TRIES: usize = 20;

#[tokio::test]
async fn lines_of_a_peer_that_never_reads_are_executed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.sock");
    let server = ServerSetup::default().flag("--unix").flag(path.to_str().unwrap()).start().await;
    server.wait_for_log("listening path=").await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    for n in 0..TRIES {
        let lines = format!("n{n}\n/enter general\nfirst {n}\nsecond {n}\n");
        match n % 4 {
            0 => UnixStream::connect(&path).unwrap().write_all(lines.as_bytes()).unwrap(),
            1 => TcpStream::connect(server.address()).unwrap().write_all(lines.as_bytes()).unwrap(),
            _ => {
                let mut stream = TcpStream::connect(server.address()).unwrap();
                stream.write_all(lines.as_bytes()).unwrap();
                // Closing without lingering resets.
                SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            }
        }
        let gone = format!("* n{n} left the system");
        let output = alice.read_until(|line| line.starts_with(&gone)).await;
        let expected = [
            format!("* n{n} entered #general"),
            format!("[#general] n{n}: first {n}"),
            format!("[#general] n{n}: second {n}"),
        ];
        assert_eq!(output[..output.len() - 1], expected, "try {n}");
    }
    let past = alice.ask("/history 100").await;
    let said = past.iter().filter(|line| line.contains(": first ") || line.contains(": second "));
    assert_eq!(said.count(), 2 * TRIES, "{past:?}");
}

#[tokio::test]
async fn input_of_a_disconnected_peer_runs_at_the_usual_rate() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    let lines: String = (0..120).map(|n| format!("line {n}\n")).collect();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(format!("bob\n/enter general\n{lines}").as_bytes()).unwrap();
    drop(stream);
    alice.expect(&["* bob entered #general"]).await;
    for n in 0..120 {
        alice.expect(&[&format!("[#general] bob: line {n}")]).await;
    }
    assert!(alice.line().await.starts_with("* bob left the system"));
}

#[tokio::test]
async fn a_cr_alone_ends_a_line() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    let mut raw = server.newcomer("raw").await;
    // Nothing follows it for a while.
    raw.send_raw(b"raw\r").await;
    raw.read_until(|line| line.ends_with("leave the system")).await;
    raw.send_raw(b"/enter general\r").await;
    alice.expect(&["* raw entered #general"]).await;
    raw.send_raw(b"one\r").await;
    alice.expect(&["[#general] raw: one"]).await;
    // After telnet: at once, and CR LF, CR NUL and CR CR LF are one ending.
    raw.send_raw(b"\xff\xf1two\rthree\r\0four\r\nfive\r\r\nsix\r").await;
    for word in ["two", "three", "four", "five", "six"] {
        alice.expect(&[&format!("[#general] raw: {word}")]).await;
    }
    for byte in b"two\rthree\r\0four\r\nfive\r\r\nsix\r\0" {
        raw.send_raw(&[*byte]).await;
    }
    for word in ["two", "three", "four", "five", "six"] {
        alice.expect(&[&format!("[#general] raw: {word}")]).await;
    }
    raw.ask("/ping").await;
    alice.expect_nothing().await;
}

#[tokio::test]
async fn telnet_commands_are_no_part_of_a_line() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    let mut bob = server.person("bob").await;
    bob.ask("/enter general").await;
    alice.settle().await;
    for command in 236..=249_u8 {
        if ![247, 248].contains(&command) {
            let line = [b"\xff", &[command][..], b"hel\xff", &[command], b"lo\n"].concat();
            bob.send_raw(&line).await;
            alice.expect(&["[#general] bob: hello"]).await;
        }
    }
    let output = bob.settle().await;
    assert!(output.iter().all(|line| !line.starts_with('!')), "{output:?}");
    assert!(output.iter().any(|line| line == "* Type /quit to leave."), "{output:?}");
}

#[tokio::test]
async fn an_irc_client_is_advised_and_a_name_like_its_commands_is_a_name() {
    let server = TestServer::start().await;
    for opening in
        ["NICK bob\r\nUSER b 0 * :B\r\n", "CAP LS 302\r\n", "USER a 0 * :b\n", "PASS x\n"]
    {
        let mut stranger = server.newcomer("stranger").await;
        stranger.send_raw(opening.as_bytes()).await;
        let output = stranger.read_to_end().await;
        let last = output.last().unwrap();
        assert!(last.starts_with("! bad-line: ") && last.contains("IRC"), "{output:?}");
    }
    for name in ["NICK", "user", "Pass", "CAP"] {
        let mut person = server.newcomer(name).await;
        person.send_raw(format!("{name} \r\n").as_bytes()).await;
        person.read_until(|line| line.ends_with("leave the system")).await;
        let info = person.ask("/info").await.join("");
        assert!(info.contains(name), "{info}");
    }
}
