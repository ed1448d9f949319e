//! One test for each fault that was found in this program from outside.

use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer};
use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpStream;

use crate::resources::{NO_WRITE_DEADLINE, narrow};

/// Attempts at a race between two clients.
const MEETINGS: usize = 150;

/// Attempts at a race within one write.
const PIECES: usize = 60;

/// The number of requests before a message shifts it against those of another client.
fn after_pings(count: usize, line: &str) -> String {
    format!("{}{line}\n", "/ping\n".repeat(count))
}

/// Whether a user is in the list of a channel's members, or of all users.
async fn is_listed(asker: &mut TestClient, question: &str, name: &str) -> bool {
    let output = asker.ask(question).await;
    let Some((_, names)) = output.iter().find_map(|line| line.split_once(": ")) else {
        assert!(output.iter().any(|line| line.starts_with("* Nobody is in ")), "{output:?}");
        return false;
    };
    names.split(", ").any(|one| one == name)
}

fn count(output: &[String], line: &str) -> usize {
    output.iter().filter(|one| *one == line).count()
}

#[tokio::test]
async fn a_client_kicked_while_leaving_and_entering_becomes_a_ghost_member() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create a").await;
    let mut bob = server.person_in("bob", ClientFormat::Json).await;
    for n in 0..MEETINGS {
        bob.ask("/enter a").await;
        alice.settle().await;
        let moves = format!("{}/leave a\n/enter a\n", "/help\n".repeat(29));
        let kick = after_pings(n % 50, "/kick bob x");
        if n % 2 == 0 {
            bob.send_raw(moves.as_bytes()).await;
            alice.send_raw(kick.as_bytes()).await;
        } else {
            alice.send_raw(kick.as_bytes()).await;
            bob.send_raw(moves.as_bytes()).await;
        }
        tokio::join!(alice.settle(), bob.settle());
        let listed = is_listed(&mut alice, "/users a", "bob").await;
        let output = bob.ask("/say #a hi").await.pop().unwrap();
        let output: Value = serde_json::from_str(&output).unwrap();
        let heard = alice.settle().await.contains(&"[#a] bob: hi".to_owned());
        if output["type"] == "ok" {
            assert!(listed && heard, "try {n}: {listed} {heard} {output}");
        } else {
            assert_eq!(output["code"], "not-in-channel", "try {n}");
            assert!(!listed && !heard, "try {n}: {listed} {heard} {output}");
        }
        if n % 10 == 9 {
            bob.send("/quit").await;
            bob.read_to_end().await;
            assert!(!is_listed(&mut alice, "/users a", "bob").await, "try {n}");
            assert!(!is_listed(&mut alice, "/leave a\n/users\n/enter a", "bob").await, "try {n}");
            bob = server.person_in("bob", ClientFormat::Json).await;
        }
    }
    // The only member is its operator: no stale member has been in it longer.
    for mut person in [bob, alice] {
        person.send("/quit").await;
        person.read_to_end().await;
    }
    let mut carol = server.person_in("carol", ClientFormat::Json).await;
    let output = carol.ask("/enter a").await;
    let output = output.iter().find(|line| line.contains(r#""type":"ok""#)).unwrap();
    let output: Value = serde_json::from_str(output).unwrap();
    assert_eq!((&output["members"], &output["operator"]), (&1.into(), &true.into()), "{output}");
}

#[tokio::test]
async fn a_kicked_client_receives_later_messages() {
    let server = ServerSetup::unpaced().config(NO_WRITE_DEADLINE).start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create k0").await;
    let mut bob = TestClient::over("bob", narrow(server.address()));
    bob.settle_in(ClientFormat::Text).await;
    bob.ask("/enter k0").await;
    alice.settle().await;
    // He leaves the channel only when he reads.
    let sent = format!("{}/leave k0\n", "/h\n".repeat(2700));
    bob.send_raw(sent.as_bytes()).await;
    alice.ask("before the kick").await;
    assert_eq!(alice.ask("/kick bob enough").await, ["* You kicked bob from #k0."]);
    let secrets: String = (0..20).map(|n| format!("secret {n}\n")).collect();
    alice.send_raw(secrets.as_bytes()).await;
    alice.expect_nothing().await;
    let output = bob.settle().await;
    let of_the_channel: Vec<_> = output.iter().filter(|line| line.contains("k0")).collect();
    let [before, kicked, refused] = of_the_channel.as_slice() else {
        panic!("{of_the_channel:#?}");
    };
    assert_eq!(*before, "[#k0] alice: before the kick");
    assert_eq!(*kicked, "* alice kicked you from #k0 (enough). You are in no conversation.");
    assert!(refused.starts_with("! not-in-channel: "), "{refused}");
    assert!(!output.iter().any(|line| line.contains("secret")), "{of_the_channel:#?}");
}

#[tokio::test]
async fn an_interrupt_with_urgent_data_turns_a_command_into_public_text() {
    let server = TestServer::start_unpaced().await;
    let mut bob = server.person("bob").await;
    let mut carol = server.person("carol").await;
    bob.ask("/create general").await;
    carol.ask("/enter general").await;
    for n in 0..PIECES {
        let stream = std::net::TcpStream::connect(server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        let urgent = stream.try_clone().unwrap();
        let name = format!("alice{n}");
        let mut alice = TestClient::over(&name, TcpStream::from_std(stream).unwrap());
        alice.settle_in(ClientFormat::Text).await;
        alice.ask("/enter general").await;
        bob.settle().await;
        carol.settle().await;
        // IAC IP IAC, and DM as urgent data.
        alice.send_raw(b"\xff\xf4\xff").await;
        SockRef::from(&urgent).send_out_of_band(b"\xf2").unwrap();
        alice.send("/msg bob secret").await;
        assert_eq!(alice.settle().await, ["* Type /quit to leave."]);
        bob.expect(&[&format!("[@{name}] {name}: secret")]).await;
        carol.expect_nothing().await;
        alice.send("/quit").await;
        alice.read_to_end().await;
    }
}

#[tokio::test]
async fn a_private_message_goes_to_another_user_who_took_the_name() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/private bob").await;
    bob.send("/quit").await;
    bob.read_to_end().await;
    alice.expect(&["* bob left the system"]).await;
    let mut stranger = server.person("bob").await;
    let output = alice.ask("for the bob I know").await;
    assert!(output.len() == 1 && output[0].starts_with("! no-such-user: "), "{output:?}");
    stranger.expect_nothing().await;
    let output = alice.ask("/private bob").await;
    assert_eq!(output, ["* You are in a private chat with bob. /leave ends it."]);
    stranger.expect(&["* alice opened a private chat with you. /private alice to answer."]).await;
    alice.ask("for the new one").await;
    stranger.expect(&["[@alice] alice: for the new one"]).await;
}

#[tokio::test]
async fn after_many_chats_a_private_message_goes_to_another_user_who_took_the_name() {
    let server = TestServer::start_unpaced().await;
    let mut xan = server.person("xan").await;
    let mut yve = server.person("yve").await;
    xan.ask("/private yve").await;
    yve.settle().await;
    let mut others = Vec::new();
    for n in 0..66 {
        let name = format!("other-{n}");
        let mut other = server.person(&name).await;
        xan.send(&format!("/msg {name} hi")).await;
        other.expect(&["[@xan] xan: hi"]).await;
        others.push(other);
    }
    assert_eq!(yve.ask("/name zoe").await, ["* You are now zoe."]);
    let mut stranger = server.person("yve").await;
    xan.ask("for the one I know").await;
    yve.expect(&["[@xan] xan: for the one I know"]).await;
    stranger.expect_nothing().await;
}

#[tokio::test]
async fn a_departure_is_delivered_twice_to_a_client_that_leaves_a_channel() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create a").await;
    alice.ask("/create b").await;
    for n in 0..MEETINGS {
        // In every third attempt they share #a alone.
        let shares_b = n % 3 != 0;
        let mut bob = server.person("bob").await;
        bob.ask("/enter a").await;
        if shares_b {
            bob.ask("/enter b").await;
        }
        alice.ask("/enter a").await;
        let quit = after_pings(n % 7, "/quit");
        let leave = after_pings(n % 11, "/leave a");
        if n % 2 == 0 {
            bob.send_raw(quit.as_bytes()).await;
            alice.send_raw(leave.as_bytes()).await;
        } else {
            alice.send_raw(leave.as_bytes()).await;
            bob.send_raw(quit.as_bytes()).await;
        }
        bob.read_to_end().await;
        let output = alice.settle().await;
        let gone = count(&output, "* bob left the system");
        assert!(gone == 1 || (gone == 0 && !shares_b), "try {n}: {output:#?}");
    }
}

#[tokio::test]
async fn a_departure_is_delivered_twice_to_a_client_that_enters_a_channel() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create a").await;
    alice.ask("/create b").await;
    for n in 0..MEETINGS {
        let mut bob = server.person("bob").await;
        bob.ask("/enter a").await;
        bob.ask("/enter b").await;
        alice.ask("/leave a").await;
        let quit = after_pings(n % 7, "/quit");
        let enter = after_pings(n % 11, "/enter a");
        if n % 2 == 0 {
            bob.send_raw(quit.as_bytes()).await;
            alice.send_raw(enter.as_bytes()).await;
        } else {
            alice.send_raw(enter.as_bytes()).await;
            bob.send_raw(quit.as_bytes()).await;
        }
        bob.read_to_end().await;
        let output = alice.settle().await;
        assert_eq!(count(&output, "* bob left the system"), 1, "try {n}: {output:#?}");
    }
}

/// Two users in `#a` and `#b`, entered in different order.
async fn listeners(server: &TestServer) -> [TestClient; 2] {
    let mut alice = server.person("alice").await;
    let mut carol = server.person("carol").await;
    alice.ask("/create a").await;
    carol.ask("/create b").await;
    alice.ask("/enter b").await;
    carol.ask("/enter a").await;
    alice.settle().await;
    [alice, carol]
}

#[tokio::test]
async fn a_message_under_a_new_name_comes_before_the_rename() {
    let server = TestServer::start_unpaced().await;
    let mut listeners = listeners(&server).await;
    let mut rob = server.person("rob").await;
    rob.ask("/enter a").await;
    rob.ask("/enter b").await;
    for listener in &mut listeners {
        listener.settle().await;
    }
    let mut before = "rob".to_owned();
    for n in 0..PIECES {
        let name = format!("rob{n}");
        rob.send_raw(format!("/name {name}\n/say #b hi\n").as_bytes()).await;
        for listener in &mut listeners {
            let renamed = format!("* {before} is now {name}");
            listener.expect(&[&renamed, &format!("[#b] {name}: hi")]).await;
        }
        before = name;
    }
    for n in PIECES..2 * PIECES {
        let name = format!("rob{n}");
        let sent = format!("/name {name}\n/msg alice psst\n/msg carol psst\n");
        rob.send_raw(sent.as_bytes()).await;
        for listener in &mut listeners {
            let renamed = format!("* {before} is now {name}");
            listener.expect(&[&renamed, &format!("[@{name}] {name}: psst")]).await;
        }
        before = name;
    }
    for listener in &mut listeners {
        listener.expect_nothing().await;
    }
}

#[tokio::test]
async fn the_last_messages_come_after_the_departure() {
    let server = TestServer::start_unpaced().await;
    let mut listeners = listeners(&server).await;
    for _ in 0..PIECES {
        let mut bob = server.person("bob").await;
        bob.ask("/enter a").await;
        bob.ask("/enter b").await;
        for listener in &mut listeners {
            listener.settle().await;
        }
        bob.send_raw(b"/say #b last words\n/quit\n").await;
        bob.read_to_end().await;
        for listener in &mut listeners {
            assert_eq!(
                listener.settle().await,
                ["[#b] bob: last words", "* bob left the system"],
                "{}",
                listener.who()
            );
        }
    }
}

const WELCOME: [&str; 2] =
    ["* Welcome to chat.test.", "* Type your name to begin, or /help for the menu."];
const NOT_A_WEB_SERVER: &str = "! bad-line: This is a chat server, not a web server. Connect with \
     telnet, nc or chat-cli instead of a browser.";

/// A number of visitors, a few at a time, each of which hangs up after the advice.
async fn visitors(server: &TestServer, how_many: usize) {
    const AT_ONCE: usize = 20;
    assert_eq!(how_many % AT_ONCE, 0);
    for _ in 0..how_many / AT_ONCE {
        let mut visitors = Vec::new();
        for _ in 0..AT_ONCE {
            let mut visitor = server.newcomer("visitor").await;
            visitor.send_raw(b"GET / HTTP/1.1\r\nHost: chat\r\n\r\n").await;
            visitors.push(visitor);
        }
        for mut visitor in visitors {
            assert_eq!(visitor.read_to_end().await.last().unwrap(), NOT_A_WEB_SERVER);
        }
    }
}

#[tokio::test]
async fn http_peers_are_never_released() {
    let server = TestServer::start().await;
    visitors(&server, 500).await;
    let before = server.memory();
    visitors(&server, 3000).await;
    let grown = server.memory().saturating_sub(before);
    // A leaked client costs 2 KB and more; the allocator's cache varies by a megabyte.
    assert!(grown < 3 * 1024 * 1024, "{grown} bytes");
}

#[tokio::test]
async fn a_web_page_makes_a_browser_chat() {
    let server = TestServer::start().await;
    let long = [b"POST /", "a".repeat(5000).as_bytes()].concat();
    for first in [&long[..], b"GET /\xe9", b"POST /\xff\xfe"] {
        let request = [first, b" HTTP/1.1\r\nHost: x\r\n\r\nhacker\r\n/channels\r\n"].concat();
        // In one write and in two, with a round trip of another client between them.
        for cut in [0, 3, 100.min(request.len())] {
            let mut browser = server.newcomer("browser").await;
            browser.send_raw(&request[..cut]).await;
            server.newcomer("somebody").await.settle().await;
            browser.send_raw(&request[cut..]).await;
            let output = browser.read_to_end().await;
            assert_eq!(output, [WELCOME[0], WELCOME[1], NOT_A_WEB_SERVER], "{cut}");
        }
    }
}

#[tokio::test]
async fn messages_missed_before_a_kick_are_miscounted() {
    const LINES: usize = 20_000;
    const AT_ONCE: usize = 1000;
    let server = ServerSetup::unpaced().config(NO_WRITE_DEADLINE).start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    let mut stuck = TestClient::over("stuck", narrow(server.address()));
    stuck.settle_in(ClientFormat::Text).await;
    stuck.ask("/enter general").await;
    alice.settle().await;
    let text = "x".repeat(500);
    for round in 0..LINES / AT_ONCE {
        let numbers = round * AT_ONCE..(round + 1) * AT_ONCE;
        let sent: String = numbers.map(|number| format!("{number} {text}\n")).collect();
        alice.send_raw(sent.as_bytes()).await;
    }
    assert_eq!(alice.ask("/kick stuck").await, ["* You kicked stuck from #general."]);
    alice.send_raw("afterwards\n".repeat(1000).as_bytes()).await;
    alice.expect_nothing().await;
    let kicked = "* alice kicked you from #general. You are in no conversation.";
    let mut output = stuck.read_until(|line| line == kicked).await;
    output.pop();
    let (mut delivered, mut missed) = (0, 0);
    for line in output {
        if let Some(rest) = line.strip_prefix("* You missed ") {
            missed += rest.split(' ').next().unwrap().parse::<usize>().unwrap();
        } else {
            let next = delivered + missed;
            assert!(line.starts_with(&format!("[#general] alice: {next} x")), "{line:.60}");
            delivered += 1;
        }
    }
    assert!(missed > 0, "it missed nothing: the test holds too few lines");
    assert_eq!(delivered + missed, LINES, "{delivered} delivered, {missed} missed");
    stuck.expect_nothing().await;
}

#[tokio::test]
async fn names_in_capitals_get_no_suggestions() {
    let server = TestServer::start().await;
    let mut robert = server.person("Robert29").await;
    robert.ask("/create general").await;
    let mut alice = server.person("alice").await;
    for channel in ["GENRAL", "genral", "GeNrAl"] {
        let output = alice.ask(&format!("/enter {channel}")).await.join("\n");
        assert!(output.starts_with("! no-such-channel: "), "{output}");
        assert!(output.contains("Near: #general."), "{output}");
    }
    for name in ["ROBRT29", "robrt29", "RoBrT29"] {
        let output = alice.ask(&format!("/whois {name}")).await.join("\n");
        assert!(output.starts_with("! no-such-user: "), "{output}");
        assert!(output.contains("Near: Robert29."), "{output}");
    }
}

#[tokio::test]
async fn a_stray_telnet_byte_swallows_the_end_of_a_line() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    let mut bob = server.person("bob").await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    alice.settle().await;
    for cut in 0..=4 {
        let (first, rest) = b"abc\xff\n/ping 1\n".split_at(cut);
        alice.send_raw(first).await;
        bob.expect_nothing().await;
        alice.send_raw(rest).await;
        alice.expect(&["* pong 1"]).await;
        bob.expect(&["[#general] alice: abc"]).await;
    }
    alice.expect_nothing().await;
    bob.expect_nothing().await;
}

#[tokio::test]
async fn private_messages_to_a_reading_user_are_lost_silently() {
    const LINES: usize = 1000;
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    let mut bob = server.person("bob").await;
    let sent: String = (0..LINES).map(|n| format!("/msg bob {n}\n")).collect();
    let last = "[@alice] alice: done";
    let write = async {
        alice.send_raw(sent.as_bytes()).await;
        let mut taken = Vec::new();
        for n in 0..LINES {
            let answer = alice.json().await;
            match (answer["type"].as_str(), answer["code"].as_str()) {
                (Some("ok"), _) => taken.push(format!("[@alice] alice: {n}")),
                (Some("error"), Some("user-busy")) => {}
                _ => panic!("{n}: {answer}"),
            }
        }
        loop {
            alice.send("/msg bob done").await;
            if alice.json().await["type"] == "ok" {
                break;
            }
        }
        taken
    };
    let (mut taken, delivered) = tokio::join!(write, bob.read_until(|line| line == last));
    taken.push(last.to_owned());
    assert!(delivered == taken, "{} delivered, {} taken", delivered.len(), taken.len());
    bob.expect_nothing().await;
}

#[tokio::test]
async fn a_search_without_a_hit_says_that_no_channels_are_open() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create general").await;
    assert_eq!(
        alice.ask("/channels zzz").await,
        ["* No channel has zzz in its name. /channels lists them all."]
    );
}

#[tokio::test]
async fn a_settings_error_states_its_cause_twice() {
    for (setup, cause) in [
        (ServerSetup::default().flag("--config").flag("nowhere.toml"), "os error 2"),
        (ServerSetup::default().flag("--motd").flag("nowhere.txt"), "os error 2"),
        (ServerSetup::default().config("motd = \"nowhere.txt\""), "os error 2"),
        (ServerSetup::default().flag("--listen").flag("nonsense"), "it has no port"),
    ] {
        let (log, status) = setup.run_to_end().await;
        assert_eq!(status.code(), Some(1), "{log}");
        assert_eq!(log.matches(cause).count(), 1, "{log}");
    }
}

#[tokio::test]
async fn the_right_of_an_operator_outside_the_channel_passes_late_and_skips_a_member() {
    let server = TestServer::start_unpaced().await;
    let mut maker = server.person("maker").await;
    let mut anna = server.person("anna").await;
    let mut bert = server.person("bert").await;
    maker.ask("/create n").await;
    anna.ask("/enter n").await;
    bert.ask("/enter n").await;
    maker.ask("/leave").await;
    anna.settle().await;
    bert.settle().await;
    maker.send("/quit").await;
    maker.read_to_end().await;
    anna.expect(&["* You are now the operator of #n."]).await;
    anna.ask("/leave").await;
    anna.ask("/enter n").await;
    assert_eq!(anna.ask("/kick bert").await, ["* You kicked bert from #n."]);
}

#[tokio::test]
async fn a_reset_peer_stays_while_it_is_throttled() {
    let server = TestServer::start().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create a").await;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let mut lines = b"bob\n/enter a\n".to_vec();
    lines.extend(b"1\n".repeat(1000));
    socket.send(&lines).unwrap();
    alice.read_until(|line| line == "[#a] bob: 1").await;
    // Closing without lingering resets.
    socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(socket);
    let output = alice.read_until(|line| line.starts_with("* bob left the system")).await;
    let said = output.iter().filter(|line| *line == "[#a] bob: 1").count();
    assert!(said < 500, "{said} lines of somebody who is gone");
}

#[tokio::test]
async fn an_ejected_user_sends_one_more_message() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person("alice").await;
    alice.ask("/create a").await;
    let mut bob = server.person("bob").await;
    for n in 0..MEETINGS {
        bob.ask("/enter a").await;
        alice.settle().await;
        bob.send_raw(&b"/say #a v\n".repeat(40)).await;
        alice.send_raw(after_pings(n % 20, "/kick bob").as_bytes()).await;
        alice.read_until(|line| line == "* You kicked bob from #a.").await;
        assert!(!alice.settle().await.iter().any(|line| line.contains("bob: v")), "try {n}");
        bob.settle().await;
    }
}
