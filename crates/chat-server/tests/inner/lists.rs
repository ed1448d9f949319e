//! Lists that peers can grow, page by page.

use chat_server::conn::ConnectionConfig;
use chat_testkit::{ClientFormat, TestClient, TestHub, test_hub};
use serde_json::Value;

/// More rows than one page has.
const MANY: usize = 1005;

/// The rows and the `ok` of each page of a list.
async fn pages(client: &mut TestClient, line: &str) -> Vec<(Vec<String>, Value)> {
    let mut pages = Vec::new();
    let mut line = line.to_owned();
    loop {
        let (rows, ok) = client.ask_json(&line).await;
        assert_eq!(ok["type"], "ok", "{ok}");
        let names = rows.iter().map(|row| row["name"].as_str().unwrap().to_owned());
        pages.push((names.collect(), ok.clone()));
        match ok["next"].as_str() {
            Some(next) => next.clone_into(&mut line),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn channels_come_in_pages_and_before_a_name_there_is_one_short_page() {
    let hub = TestHub::new(ConnectionConfig { throttle: None, ..test_hub::connection_config() });
    let mut alice = hub.person("alice", ClientFormat::Json).await;
    let topic = "t".repeat(100);
    for number in 0..MANY {
        for line in [&format!("/create c{number:04} {topic}"), "hello", "/leave"] {
            assert_eq!(alice.ask_json(line).await.1["type"], "ok", "{line}");
        }
    }
    let (first, _) = alice.ask_json("/channels").await;
    assert_eq!(first[0]["topic"], format!("{}…", "t".repeat(80)));
    let pages = pages(&mut alice, "/channels").await;
    let sizes: Vec<_> = pages.iter().map(|(names, _)| names.len()).collect();
    assert_eq!(sizes, [1000, MANY - 1000]);
    assert_eq!((&pages[0].1["count"], &pages[0].1["more"]), (&1000.into(), &true.into()));
    assert_eq!(pages[0].1["next"], "/channels after:#c0999");
    assert_eq!((&pages[1].1["count"], &pages[1].1["more"]), (&5.into(), &Value::Null));
    assert!(pages.iter().flat_map(|(names, _)| names).is_sorted());
    // Only names that contain the text; they fill exactly one page.
    let (rows, ok) = alice.ask_json("/channels C09 after:#c0997").await;
    assert_eq!((rows.len(), &ok["count"]), (2, &2.into()));
    // The text format.
    alice.take_format(ClientFormat::Text).await;
    let output = alice.ask("/channels").await;
    assert_eq!(output[0], "* 1000 channels:");
    let more = "* There are more. /channels after:#c0999 shows them.";
    assert_eq!(output.last().map(String::as_str), Some(more));
    let output = alice.ask("/channels after:c0999").await;
    assert_eq!((output[0].as_str(), output.len()), ("* 5 channels:", 6));

    let mut newcomer = hub.newcomer("newcomer", 64, &[usize::MAX]);
    newcomer.settle().await;
    let output = newcomer.ask("/channels").await;
    assert_eq!((output[0].as_str(), output.len()), ("* 50 channels:", 52));
    assert!(output[51].starts_with("* There are more. Give a name first"), "{}", output[51]);
    let output = newcomer.ask("/channels after:c0999").await;
    assert_eq!(output, ["! not-named: /channels needs a name first. Type your name to begin."]);
}

#[tokio::test]
async fn users_come_in_pages() {
    let hub = TestHub::new(ConnectionConfig { throttle: None, ..test_hub::connection_config() });
    let mut alice = hub.person("alice", ClientFormat::Json).await;
    alice.ask_json("/create general").await;
    let mut others = Vec::new();
    for number in 0..MANY {
        let mut other = hub.newcomer("other", 4096, &[usize::MAX]);
        other.send(&format!("u{number:04}")).await;
        other.send("/enter general").await;
        other.settle().await;
        others.push(other);
    }
    alice.settle().await;
    for (line, next) in [
        ("/users", "/users #general after:u0998"),
        ("/users #general", "/users #general after:u0998"),
    ] {
        let pages = pages(&mut alice, line).await;
        let sizes: Vec<_> = pages.iter().map(|(names, _)| names.len()).collect();
        assert_eq!(sizes, [1000, MANY + 1 - 1000], "{line}");
        assert_eq!(pages[0].1["next"], next, "{line}");
    }
    alice.ask_json("/leave").await;
    let pages = pages(&mut alice, "/users").await;
    assert_eq!(pages[0].1["next"], "/users after:u0998");
    assert_eq!(pages[1].0.len(), MANY + 1 - 1000);
}

/// Rows are generated as the peer reads them: at most a buffer of rows exists.
#[tokio::test]
async fn a_list_is_generated_as_it_is_read() {
    let hub = TestHub::default();
    let mut alice = hub.person("alice", ClientFormat::Json).await;
    for number in 0..300 {
        for line in [&format!("/create c{number:04} {}", "t".repeat(80)), "hello", "/leave"] {
            alice.ask_json(line).await;
        }
    }
    let mut bob = hub.newcomer("bob", 64, &[usize::MAX]);
    bob.settle_in(ClientFormat::Json).await;
    bob.send("/channels").await;
    // No other command runs meanwhile, and each row is as of the time when it is read.
    alice.ask_json("/enter c0299").await;
    alice.ask_json("/topic last").await;
    let mut last = Value::Null;
    loop {
        let line: Value = serde_json::from_str(&bob.line().await).unwrap();
        if line["type"] == "ok" {
            break;
        }
        last = line;
    }
    assert_eq!((&last["name"], &last["topic"]), (&"#c0299".into(), &"last".into()));
}
