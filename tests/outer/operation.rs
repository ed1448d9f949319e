//! Flags, settings, signals, listeners, the log.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use chat_testkit::server::STOP_DEADLINE;
use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer};
use rustix::process::Signal;
use serde_json::Value;

#[tokio::test]
async fn a_signal_stops_the_server_with_a_last_line_to_all_clients() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = TestServer::start().await;
        let mut alice = server.person("alice").await;
        let mut bob = server.person_in("bob", ClientFormat::Json).await;
        let mut newcomer = server.newcomer("newcomer").await;
        newcomer.settle().await;
        // A stalled peer delays nobody.
        let silent = server.newcomer("silent").await;
        alice.ask("/create general").await;
        bob.ask("/enter general").await;
        alice.settle().await;
        let begun = Instant::now();
        server.signal(signal);
        let bye = "* Bye: the server is stopping; connect again in a moment.";
        // Depending on the order of leaving, the other may still receive the event.
        assert_eq!(alice.read_to_end().await.last().unwrap(), bye);
        assert_eq!(newcomer.read_to_end().await, [bye]);
        let last: Value = serde_json::from_str(bob.read_to_end().await.last().unwrap()).unwrap();
        assert_eq!(last["type"], "bye");
        let status = server.wait_for_exit().await;
        assert!(begun.elapsed() < STOP_DEADLINE, "{:?}", begun.elapsed());
        assert_eq!(status.code(), Some(0), "{}", server.log());
        drop(silent);
    }
}

#[tokio::test]
async fn the_server_stops_in_time_with_a_stalled_peer() {
    let mut server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut stuck = server.person("stuck").await;
    alice.ask("/create general").await;
    stuck.ask("/enter general").await;
    alice.settle().await;
    // More than the kernel buffers for one connection.
    let sent = format!("{}\n", "x".repeat(4000)).repeat(4000);
    alice.send_raw(sent.as_bytes()).await;
    alice.settle().await;
    let begun = Instant::now();
    let status = server.terminate().await;
    assert!(begun.elapsed() < STOP_DEADLINE, "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        alice.read_to_end().await.last().unwrap(),
        "* Bye: the server is stopping; connect again in a moment."
    );
}

#[tokio::test]
async fn messages_before_the_signal_are_delivered() {
    let mut server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    alice.settle().await;
    let lines: String = (0..300).map(|n| format!("line {n}\n")).collect();
    alice.send_raw(lines.as_bytes()).await;
    alice.settle().await;
    server.signal(Signal::TERM);
    let said: Vec<String> = bob.read_to_end().await;
    let heard = said.iter().filter(|line| line.starts_with("[#general] alice: line ")).count();
    assert_eq!(heard, 300, "{said:#?}");
    assert!(server.wait_for_exit().await.success());
}

#[tokio::test]
async fn clients_connect_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.sock");
    let setup = ServerSetup::default().flag("--unix").flag(path.to_str().unwrap());
    let mut server = setup.start().await;
    server.wait_for_log("listening path=").await;
    let mut alice = TestClient::connect_unix("alice", &path).await;
    alice.settle_in(ClientFormat::Text).await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    bob.send("hi").await;
    alice.expect(&["* bob entered #general", "[#general] bob: hi"]).await;
    let info = alice.ask("/info").await.join("");
    assert!(info.contains("Connected from unix, uid "), "{info}");
    // A killed server leaves its socket file; the next server replaces it.
    server.signal(Signal::KILL);
    server.wait_for_exit().await;
    assert!(path.exists());
    let mut server = setup.start().await;
    TestClient::connect_unix("alice", &path).await.settle_in(ClientFormat::Text).await;
    // A second server doesn't replace that of a running one.
    let (log, status) = setup.run_to_end().await;
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("can't listen on the Unix socket"), "{log}");
    TestClient::connect_unix("bob", &path).await.settle_in(ClientFormat::Text).await;
    assert!(server.terminate().await.success());
    assert!(!path.exists(), "it is removed at the end");
}

#[tokio::test]
async fn a_wrong_setting_is_refused_in_a_sentence() {
    for (config, output) in [
        ("lisen = []", "line 1: there is no setting \"lisen\"; did you mean \"listen\"?"),
        (
            "[limits]\nname_second = 3",
            "line 2: there is no setting \"name_second\"; did you mean \"name_seconds\"?",
        ),
        ("limits.write_seconds = 0", "limits.write_seconds must be from 1 to 31536000"),
        ("limits.name_seconds = 9223372036854775807", "limits.name_seconds must be from 1 to"),
        ("name = 3", "line 1: name must be a text in double quotes, and is 3"),
        ("limits.channels = \"many\"", "line 1: limits.channels must be a whole number from 0 up"),
        ("listen = [", "line 1: "),
        ("log = \"loud\"", "line 1: log must be \"text\" or \"json\", and is \"loud\""),
        ("motd = \"nowhere.txt\"", "nowhere.txt can't be read"),
    ] {
        let (log, status) = ServerSetup::default().config(config).run_to_end().await;
        assert_eq!(status.code(), Some(1), "{config}: {log}");
        assert!(log.contains("ERROR") && log.contains(output), "{config}: {log}");
    }
    let nowhere = ServerSetup::default().flag("--config").flag("nowhere.toml").run_to_end().await;
    assert!(nowhere.0.contains("nowhere.toml can't be read"), "{}", nowhere.0);
    let nonsense = ServerSetup::default().flag("--listen").flag("nonsense").run_to_end().await;
    assert!(nonsense.0.contains("\"nonsense\" is no address to listen on"), "{}", nonsense.0);
    assert_eq!(nonsense.1.code(), Some(1));
    let unknown = ServerSetup::default().flag("--lisen").run_to_end().await;
    assert!(unknown.0.contains("--listen"), "{}", unknown.0);
    assert_eq!(unknown.1.code(), Some(2));
}

#[tokio::test]
async fn a_failed_bind_is_reported_with_its_cure() {
    let server = TestServer::start().await;
    let taken = server.address().to_string();
    for (flags, output) in [
        (&["--listen", &taken][..], "Address already in use (os error 98); end what listens there"),
        (&["--listen", "192.0.2.1:0"], "this machine has no such address"),
        (&["--listen", "/run/chat.sock"], "--unix takes the path"),
        (&["--unix", "/nowhere/chat.sock"], "make its directory first"),
        (&["--unix", "/tmp/a.sock", "--admin-socket", "/tmp/a.sock"], "can't be both"),
        (&["--listen", "127.0.0.1:5002", "--listen", "127.0.0.1:5002"], "leave one out"),
        (&["--listen", "127.0.0.1:5002", "--listen", "0.0.0.0:5002"], "leave one out"),
    ] {
        let setup = flags.iter().fold(ServerSetup::default(), |setup, flag| setup.flag(*flag));
        let (log, status) = setup.run_to_end().await;
        assert_eq!(status.code(), Some(1), "{flags:?}: {log}");
        let lines = log.lines().filter(|line| !line.contains("INFO chat-server starts"));
        assert!(log.contains(output) && lines.count() == 1, "{flags:?}: {log}");
    }
}

/// A port that is free on both families, and below the ephemeral range, from which another test's
/// connection could take it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("::", port)).is_ok() {
            return port;
        }
    }
}

#[tokio::test]
async fn one_port_is_listened_on_for_both_families_in_either_order() {
    let port = free_port();
    let (v4, v6) = (format!("0.0.0.0:{port}"), format!("[::]:{port}"));
    let specific = format!("127.0.0.1:{port}");
    for addresses in [&[&v4, &v6][..], &[&v6, &v4], &[&v6, &specific], &[&v6]] {
        let setup = addresses.iter().fold(ServerSetup::default(), |setup, address| {
            setup.flag("--listen").flag((*address).clone())
        });
        let mut server = setup.start().await;
        for address in addresses {
            server.wait_for_log(&format!("listening address={address}")).await;
        }
        for address in [&specific, &format!("[::1]:{port}")] {
            let mut client = TestClient::connect("alice", address.parse().unwrap()).await;
            client.settle().await;
        }
        assert!(server.terminate().await.success());
    }
}

#[tokio::test]
async fn a_name_is_listened_on_at_all_its_addresses() {
    let port = free_port();
    let local = format!("localhost:{port}");
    let server = ServerSetup::default().flag("--listen").flag(local).start().await;
    let address = format!("127.0.0.1:{port}");
    server.wait_for_log(&format!("listening address={address}")).await;
    TestClient::connect("alice", address.parse().unwrap()).await.settle().await;
}

#[tokio::test]
async fn the_name_and_the_message_of_the_day_greet() {
    let folder = tempfile::tempdir().unwrap();
    let motd = folder.path().join("motd");
    fs::write(&motd, "Be kind.\n\n\x1b[31mRed\x1b[0m\ttext\n! internal: forged\n").unwrap();
    let setup = ServerSetup::bare().flag("--name").flag("chat.example.org");
    let server = setup.flag("--motd").flag(motd.to_str().unwrap()).start().await;
    let mut alice = server.newcomer("alice").await;
    let output = alice.settle().await;
    assert_eq!(output.first().unwrap(), "* Welcome to chat.example.org.");
    assert!(output.contains(&"* Be kind.".to_owned()), "{output:?}");
    assert!(output.contains(&"* ! internal: forged".to_owned()), "{output:?}");
    assert_eq!(output.last().unwrap(), "* Type your name to begin, or /help for the menu.");
    assert!(output.iter().all(|line| line.starts_with("* ") || line == "*"), "{output:?}");
    assert!(output.contains(&"* Red text".to_owned()), "{output:?}");
}

#[tokio::test]
async fn a_byte_order_mark_of_a_file_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let motd = folder.path().join("motd");
    fs::write(&motd, "\u{FEFF}Be kind.\r\n").unwrap();
    let config = format!("\u{FEFF}name = \"chat.example.org\"\nmotd = {motd:?}\n");
    let server = ServerSetup::bare().config(config).start().await;
    let output = server.newcomer("alice").await.settle().await;
    assert_eq!(output[..2], ["* Welcome to chat.example.org.", "* Be kind."]);
}

#[tokio::test]
async fn flags_win_over_the_file() {
    let server = ServerSetup::bare().config("name = \"from.file\"").start().await;
    assert_eq!(server.newcomer("x").await.line().await, "* Welcome to from.file.");
    let both = ServerSetup::bare().flag("--name").flag("from.flag").config("name = \"from.file\"");
    let server = both.start().await;
    assert_eq!(server.newcomer("x").await.line().await, "* Welcome to from.flag.");
}

#[tokio::test]
async fn the_log_can_be_json() {
    for setup in [
        ServerSetup::default().flag("--log").flag("json"),
        ServerSetup::default().config("log = \"json\""),
    ] {
        let mut server = setup.start().await;
        server.person("alice").await;
        assert!(server.terminate().await.success());
        for line in server.log().lines() {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            for key in ["timestamp", "level", "message"] {
                assert!(object[key].is_string(), "{line}");
            }
        }
        assert!(server.log().contains("\"message\":\"stopped\""), "{}", server.log());
    }
}

#[tokio::test]
async fn the_default_log_has_no_messages() {
    let mut server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create room").await;
    alice.ask("secret words").await;
    assert!(server.terminate().await.success());
    assert!(!server.log().contains("secret"), "{}", server.log());
}

#[tokio::test]
async fn two_listeners_serve_the_same_channels() {
    let server = ServerSetup::default().flag("--listen").flag("[::1]:0").start().await;
    let line = server.wait_for_log("listening address=[::1]:").await;
    let second = line.rsplit('=').next().unwrap().parse().unwrap();
    let mut alice = server.person("alice").await;
    let mut bob = TestClient::connect("bob", second).await;
    bob.settle_in(ClientFormat::Text).await;
    assert_eq!(bob.ask("/users").await, ["* 2 online: alice, bob"]);
    alice.expect_nothing().await;
}
