//! The cost of one peer for the server and others.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_testkit::client::Skip;
use chat_testkit::{ServerSetup, TestClient, TestServer};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use crate::operators::admin;

const MIB: u64 = 1024 * 1024;

/// A connection with a small kernel buffer on this side.
pub(crate) fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpStream::from_std(socket.into()).unwrap()
}

/// With this setting no busy machine makes a reader miss the write deadline.
pub(crate) const NO_WRITE_DEADLINE: &str = "limits.write_seconds = 36000";

/// A client in `#general` that reads nothing for a while.
async fn stuck(server: &TestServer) -> TestClient {
    let mut stuck = TestClient::over("stuck", narrow(server.address()));
    stuck.settle_in(chat_testkit::ClientFormat::Text).await;
    stuck.ask("/enter general").await;
    stuck
}

#[tokio::test]
async fn an_endless_line_costs_no_memory() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    let piece = vec![b'x'; usize::try_from(MIB).unwrap()];
    alice.send_raw(&piece).await;
    let before = server.memory();
    for _ in 0..200 {
        alice.send_raw(&piece).await;
    }
    alice.send("").await;
    let over = 201 * MIB - 4096;
    alice
        .expect(&[&format!(
            "! line-too-long: That line was {over} bytes too long and was left out whole. A line \
             holds at most 4096 bytes; send it in parts."
        )])
        .await;
    let grown = server.peak_memory().saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown} bytes");
}

#[tokio::test]
async fn a_stalled_reader_costs_little_and_no_other_misses_a_message() {
    const LINES: usize = 20_000;
    /// Fewer than the ring holds, so that a reader misses none.
    const AT_ONCE: usize = 200;
    // On a disk: messages stored in memory aren't a cost of a reader.
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let server = setup.config(NO_WRITE_DEADLINE).start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    let mut stuck = stuck(&server).await;
    bob.settle().await;
    alice.settle().await;
    let before = server.memory();
    let text = "x".repeat(3000);
    for round in 0..LINES / AT_ONCE {
        let numbers = round * AT_ONCE..(round + 1) * AT_ONCE;
        let sent: String = numbers.clone().map(|number| format!("{number} {text}\n")).collect();
        let read = async {
            for number in numbers {
                bob.expect(&[&format!("[#general] alice: {number} {text}")]).await;
            }
        };
        tokio::join!(alice.send_raw(sent.as_bytes()), read);
    }
    let grown = server.peak_memory().saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes");
    alice.expect_nothing().await;
    // The stalled client receives the number of missed messages, and the newest.
    let mut counted = 0;
    let mut output = 0;
    while counted < LINES {
        let line = stuck.line().await;
        if let Some(rest) = line.strip_prefix("* You missed ") {
            counted += rest.split(' ').next().unwrap().parse::<usize>().unwrap();
            output += 1;
        } else {
            assert!(line.starts_with(&format!("[#general] alice: {counted} ")), "{}", &line[..40]);
            counted += 1;
        }
    }
    assert!(output > 0, "it missed nothing: the test holds too few lines");
    stuck.expect_nothing().await;
}

#[tokio::test]
async fn fifty_silent_connections_delay_no_client() {
    let server = TestServer::start().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(server.newcomer("silent").await);
    }
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    bob.send("hi").await;
    alice.expect(&["* bob entered #general", "[#general] bob: hi"]).await;
    for silent in &mut silent {
        silent.settle().await;
    }
}

#[tokio::test]
async fn out_of_open_files_open_connections_go_on_and_new_ones_wait() {
    let server = ServerSetup::unpaced().open_files(64).start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    alice.settle().await;
    let mut crowd = Vec::new();
    for _ in 0..80 {
        crowd.push(server.newcomer("one of many").await);
    }
    server.wait_for_log("WARN no connection can be accepted now").await;
    for n in 0..100 {
        alice.send(&format!("line {n}")).await;
        bob.expect(&[&format!("[#general] alice: line {n}")]).await;
    }
    // After a disconnect, waiting connections are accepted.
    let mut waiting = crowd.split_off(60);
    drop(crowd);
    for one in &mut waiting {
        one.expect_line("* Welcome to chat.test.", Skip::Nothing).await;
    }
    bob.send("still here").await;
    alice.expect(&["[#general] bob: still here"]).await;
}

#[tokio::test]
async fn out_of_open_files_the_admin_socket_still_answers() {
    let data = tempfile::tempdir().unwrap();
    let server = ServerSetup::unpaced().keeping(data.path()).open_files(64).start().await;
    server.wait_for_log("WARN the limit of open files (LimitNOFILE=) is too low").await;
    let mut crowd = Vec::new();
    for _ in 0..80 {
        crowd.push(server.newcomer("one of many").await);
    }
    server.wait_for_log("WARN no connection can be accepted now").await;
    for _ in 0..20 {
        let output = admin(&data.path().join("admin.sock"), &["stats"]).await;
        assert!(output.status.success(), "{output:?}");
    }
}

#[tokio::test]
async fn the_server_is_full() {
    let server = ServerSetup::default().config("limits.connections = 2").start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    for _ in 0..100 {
        let mut third = server.newcomer("third").await;
        assert_eq!(
            third.read_to_end().await,
            ["! server-full: The server has as many connections as it takes. Try again later."]
        );
    }
    bob.send("/quit").await;
    bob.read_to_end().await;
    drop(bob);
    // The slot is free when the server has closed the connection.
    loop {
        let mut third = server.newcomer("third").await;
        if third.line().await == "* Welcome to chat.test." {
            break;
        }
    }
    alice.expect_nothing().await;
}

#[tokio::test]
async fn a_name_must_be_given_in_time() {
    let server = ServerSetup::default().config("limits.name_seconds = 1").start().await;
    let mut named = server.person("named").await;
    let mut silent = server.newcomer("silent").await;
    // Lines that give no name change nothing.
    silent.send("/help").await;
    let output = silent.read_to_end().await;
    assert_eq!(
        output.last().unwrap(),
        "* Bye: no name was given in time; connect again when you like."
    );
    named.expect_nothing().await;
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_disconnected() {
    let server = ServerSetup::unpaced().config("limits.write_seconds = 1").start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    let _stuck = stuck(&server).await;
    bob.settle().await;
    alice.settle().await;
    let text = "x".repeat(4000);
    // Until the others receive the event. The kernel may have noticed it first.
    loop {
        alice.send(&text).await;
        let line = bob.line().await;
        if line.starts_with("* stuck left the system") {
            let reason = line.rsplit(": ").next().unwrap();
            assert!(["stopped reading", "connection lost"].contains(&reason), "{line}");
            break;
        }
    }
}

#[tokio::test]
async fn lines_are_throttled_and_none_is_lost() {
    let config = "limits.burst_lines = 5\nlimits.lines_per_second = 10";
    let server = ServerSetup::default().config(config).start().await;
    let mut fast = server.newcomer("fast").await;
    fast.expect(&["* Welcome to chat.test.", "* Type your name to begin, or /help for the menu."])
        .await;
    let begun = Instant::now();
    let lines: String = (0..15).map(|n| format!("/ping {n}\n")).collect();
    fast.send_raw(lines.as_bytes()).await;
    for n in 0..15 {
        fast.expect(&[&format!("* pong {n}")]).await;
    }
    // Ten lines after the burst take a second, also on a busy machine.
    assert!(begun.elapsed() >= Duration::from_millis(990), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_reset_within_a_line_leaves_nothing_behind() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    for n in 0..50 {
        let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
        stream.write_all(format!("bob{n}\n/enter general\nhal").as_bytes()).unwrap();
        alice.expect(&[&format!("* bob{n} entered #general")]).await;
        // Unread input makes closing a reset.
        drop(stream);
        // Its last lines come first, if the kernel still had them.
        let mut gone = alice.line().await;
        if gone == format!("[#general] bob{n}: hal") {
            gone = alice.line().await;
        }
        let left = format!("* bob{n} left the system");
        assert!(gone == left || gone == format!("{left}: connection lost"), "{gone}");
    }
    assert_eq!(alice.ask("/users").await, ["* 1 in #general: alice"]);
}
