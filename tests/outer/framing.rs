//! Bytes to lines, over the wire.

use chat_testkit::{ClientFormat, TestClient, TestServer};

/// Two users in a channel; the second one has the format.
async fn two(server: &TestServer, format: ClientFormat) -> (TestClient, TestClient) {
    let mut alice = server.person("alice").await;
    let mut bob = server.person_in("bob", format).await;
    alice.ask("/create general").await;
    bob.ask("/enter general").await;
    alice.settle().await;
    (alice, bob)
}

/// The text of the next message in `#general`.
async fn said(listener: &mut TestClient, format: ClientFormat, by: &str) -> String {
    match format {
        ClientFormat::Text => {
            let line = listener.line().await;
            let text = line.strip_prefix(&format!("[#general] {by}: "));
            text.unwrap_or_else(|| listener.fail(&format!("not {by}'s: {line}"))).to_owned()
        }
        ClientFormat::Json => {
            let object = listener.json().await;
            assert_eq!(
                (object["type"].as_str(), object["from"].as_str()),
                (Some("message"), Some(by))
            );
            object["text"].as_str().unwrap().to_owned()
        }
    }
}

#[tokio::test]
async fn lines_are_independent_of_segmentation() {
    for format in ClientFormat::BOTH {
        let server = TestServer::start_unpaced().await;
        let (mut alice, mut bob) = two(&server, format).await;
        let bytes = "one\ntwo\r\nthree\r\0\r\n\nfour – vier\r\n/me waves\nfive\n".as_bytes();
        let mut whole = Vec::new();
        alice.send_raw(bytes).await;
        for _ in 0..6 {
            whole.push(bob.line().await);
        }
        for cut in 0..=bytes.len() {
            alice.send_raw(&bytes[..cut]).await;
            // A round trip: the first part has been read alone.
            bob.received_by_now().await;
            alice.send_raw(&bytes[cut..]).await;
            alice.send("end").await;
            bob.read_until(|line| line.ends_with("alice: end") || line.contains(r#""end""#)).await;
        }
        // One byte at a time.
        for byte in bytes {
            alice.send_raw(&[*byte]).await;
        }
        for expected in &whole {
            let line = bob.line().await;
            let text = |line: &str| line.split("\"from\"").nth(1).unwrap_or(line).to_owned();
            assert_eq!(text(&line), text(expected));
        }
        bob.expect_nothing().await;
    }
}

#[tokio::test]
async fn every_line_is_answered_once_and_in_order_however_many_are_sent_ahead() {
    let server = TestServer::start_unpaced().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    alice.ask("/create general").await;
    let lines: Vec<(String, &str)> = (0..600)
        .map(|n| match n % 6 {
            0 => (format!("line {n}"), "say"),
            1 => (format!("/ping {n}"), "ping"),
            2 => ("/users".to_owned(), "users"),
            3 => ("/nonsense".to_owned(), "nonsense"),
            4 => ("/enter nowhere".to_owned(), "enter"),
            _ => ("/me waves".to_owned(), "me"),
        })
        .collect();
    let sent: String = lines.iter().map(|(line, _)| format!("{line}\n\n")).collect();
    alice.send_raw(sent.as_bytes()).await;
    let mut id = 0;
    for (line, re) in lines {
        let answer = alice.answer().await.pop().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["re"], re, "{line}: {answer}");
        if let Some(n) = line.strip_prefix("/ping ") {
            assert_eq!(answer["token"], n);
        }
        if ["say", "me"].contains(&re) {
            id += 1;
            assert_eq!(answer["id"], id, "{line}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_end_of_input_runs_all_lines() {
    for (input, farewell) in [
        ("dave\n/enter general\nlast, without an ending", ClientFormat::Text),
        ("dave\r\n/enter general\r\nlast, without an ending\r", ClientFormat::Text),
        ("/format json\ndave\n/enter general\nlast, without an ending", ClientFormat::Json),
    ] {
        let server = TestServer::start().await;
        let (mut alice, mut bob) = two(&server, ClientFormat::Text).await;
        let mut dave = server.newcomer("dave").await;
        dave.send_raw(input.as_bytes()).await;
        dave.half_close().await;
        let output = dave.read_to_end().await;
        for listener in [&mut alice, &mut bob] {
            listener
                .expect(&[
                    "* dave entered #general",
                    "[#general] dave: last, without an ending",
                    "* dave left the system",
                ])
                .await;
        }
        match farewell {
            ClientFormat::Text => {
                assert_eq!(output.last().unwrap(), "* Bye.");
                assert!(output.iter().any(|line| line == "* You entered #general (3 here)."));
            }
            ClientFormat::Json => {
                let [.., answer, bye] = output.as_slice() else { panic!("{output:?}") };
                assert!(answer.starts_with(r#"{"type":"ok","re":"say","id":1,"#), "{output:?}");
                assert_eq!(bye, r#"{"type":"bye","reason":"your input ended"}"#);
            }
        }
    }
}

#[tokio::test]
async fn a_line_holds_4096_bytes_and_not_one_more() {
    for format in ClientFormat::BOTH {
        let server = TestServer::start().await;
        let (mut alice, mut bob) = two(&server, format).await;
        for (line, over) in [
            ("x".repeat(4096), 0),
            ("x".repeat(4097), 1),
            ("ä".repeat(2048), 0),
            (format!("{}x", "ä".repeat(2048)), 1),
            ("x".repeat(10_000), 5904),
        ] {
            for ending in ["\n", "\r\n", "\r\0"] {
                alice.send_raw(format!("{line}{ending}").as_bytes()).await;
                if over == 0 {
                    assert_eq!(said(&mut bob, format, "alice").await, line);
                } else {
                    let bytes =
                        if over == 1 { "1 byte".to_owned() } else { format!("{over} bytes") };
                    alice
                        .expect(&[&format!(
                            "! line-too-long: That line was {bytes} too long and was left out whole. \
                             A line holds at most 4096 bytes; send it in parts."
                        )])
                        .await;
                }
            }
        }
        alice.send("the next one").await;
        assert_eq!(said(&mut bob, format, "alice").await, "the next one");
        alice.expect_nothing().await;
    }
}

#[tokio::test]
async fn invalid_utf8_is_refused_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = two(&server, ClientFormat::Text).await;
    for line in
        [&b"a\xc3("[..], b"\xe2\x82", b"\xf0\x9f\x98", b"\x80", b"\xed\xa0\x80", b"\xc0\xaf"]
    {
        alice.send_raw(line).await;
        alice.send_raw(b"\n").await;
        alice
            .expect(&[
                "! bad-line: That line is not UTF-8 and was left out. Set your terminal to UTF-8.",
            ])
            .await;
    }
    alice.send("the next one").await;
    bob.expect(&["[#general] alice: the next one"]).await;
}

/// Characters that must not reach any client: C0 except line endings and TAB, DEL, C1,
/// bidirectional controls, separators.
fn controls() -> String {
    let c0 = (1..0x20u8).filter(|byte| ![b'\t', b'\n'].contains(byte)).map(char::from);
    c0.chain(['\u{7f}'])
        .chain('\u{80}'..='\u{9f}')
        .chain('\u{202a}'..='\u{202e}')
        .chain('\u{2066}'..='\u{2069}')
        .chain(['\u{2028}', '\u{2029}', '\0'])
        .collect()
}

#[tokio::test]
async fn control_characters_reach_no_client() {
    for format in ClientFormat::BOTH {
        let server = TestServer::start_unpaced().await;
        let (mut alice, mut bob) = two(&server, format).await;
        for c in controls().chars() {
            alice.send_raw(format!("a{c}b\t{c}c\n").as_bytes()).await;
            let expected = if "\u{c}\r\u{85}".contains(c) { "a b  c" } else { "ab c" };
            assert_eq!(said(&mut bob, format, "alice").await, expected, "{c:?}");
        }
        // Every field with text. The client fails at any control character.
        let all = controls().replace(['\u{c}', '\r', '\u{85}'], "");
        let mut mallory = server.newcomer("mallory").await;
        mallory.take_format_quietly(format).await;
        for line in [
            "mall?ory",
            "/enter gen?eral",
            "a?b",
            "/me a?b",
            "/topic a?b",
            "/topic",
            "/away a?b",
            "/msg alice a?b",
            "/private alice a?b",
            "/say #general a?b",
            "/create a?b a?b",
            "/nons?ense",
            "/help a?b",
            "/format a?b",
            "/ping a?b",
            "/whois a?b",
            "/kick alice a?b",
            "/leave general a?b",
            "/enter general",
            "/info",
            "/channels",
            "/users",
        ] {
            mallory.send_raw(format!("{}\n", line.replace('?', &all)).as_bytes()).await;
            mallory.settle().await;
            alice.settle().await;
        }
        let output = bob.settle().await.join("\n");
        assert!(output.contains("ab"), "{output}");
        mallory.send_raw(format!("/quit a{all}b\n").as_bytes()).await;
        mallory.read_to_end().await;
        let gone = bob.line().await;
        assert!(gone.contains("mallory") && gone.contains("ab"), "{gone}");
    }
}

/// The output after the greeting to a client that sends these bytes.
async fn advised(server: &TestServer, bytes: &[u8]) -> Vec<String> {
    let mut stranger = server.newcomer("stranger").await;
    stranger.send_raw(bytes).await;
    let output = stranger.read_to_end().await;
    assert_eq!(output.first().map(String::as_str), Some("* Welcome to chat.test."));
    output[2..].to_vec()
}

#[tokio::test]
async fn a_peer_of_another_protocol_gets_one_line_of_advice() {
    let server = TestServer::start().await;
    for request in [
        &b"GET / HTTP/1.1\r\nHost: chat\r\nUser-Agent: x\r\n\r\n"[..],
        b"POST /x HTTP/1.0\r\nContent-Length: 9\r\n\r\n/quit now",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(
            advised(&server, request).await,
            ["! bad-line: This is a chat server, not a web server. Connect with telnet, nc or \
              chat-cli instead of a browser."]
        );
    }
    assert_eq!(
        advised(&server, b"SSH-2.0-OpenSSH_9.2p1\r\n").await,
        ["! bad-line: This is a chat server, not an SSH server. Connect with telnet, nc or \
          chat-cli instead of ssh."]
    );
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh";
    assert_eq!(
        advised(&server, hello).await,
        ["! bad-line: This port is plain, without TLS. Connect without TLS, with telnet, nc \
          or chat-cli."]
    );
}

const IAC: u8 = 255;

#[tokio::test]
async fn a_peer_that_speaks_telnet_is_answered_in_telnet_and_no_other_is() {
    let server = TestServer::start().await;
    let (_alice, mut bob) = two(&server, ClientFormat::Text).await;
    let mut peer = server.newcomer("peer").await;
    // No telnet byte is sent unasked: the client fails at anything but a line of text.
    peer.settle().await;
    // DO ECHO, WILL TERMINAL-TYPE: refused. WONT, DONT: never answered.
    peer.send_raw(&[IAC, 253, 1, IAC, 251, 24, IAC, 252, 1, IAC, 254, 1]).await;
    let mut answered = Vec::new();
    while answered.len() < 6 {
        answered.extend(peer.bytes().await);
    }
    assert_eq!(answered, [IAC, 252, 1, IAC, 254, 24]);
    // A subnegotiation is skipped, also if it contains lines; a command may be split.
    peer.send_raw(&[b'd', b'a', IAC, 250, 31, b'\n', 80, IAC, IAC, 0, IAC]).await;
    bob.settle().await;
    peer.send_raw(&[240, b'v', b'x', 8, b'e', b'y', 127, b'\r', 0]).await;
    peer.read_until(|line| line.starts_with("* Hello, dave.")).await;
    peer.settle().await;
    // Interrupt, "are you there", erase a line.
    peer.send_raw(&[IAC, 244]).await;
    peer.expect(&["* Type /quit to leave."]).await;
    peer.send_raw(&[IAC, 246]).await;
    peer.expect(&["* Still here."]).await;
    peer.ask("/enter general").await;
    bob.settle().await;
    peer.send_raw(&[b'n', b'o', IAC, 248, b'y', b'e', b's', b'z', IAC, 247, b'\r', b'\n']).await;
    bob.expect(&["[#general] dave: yes"]).await;
}
