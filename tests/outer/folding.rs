//! One case folding: search, mentions, bans and word filters compare words alike.

use chat_testkit::{ClientFormat, ServerSetup, TestClient};
use serde_json::Value;

async fn texts(person: &mut TestClient, line: &str) -> Vec<String> {
    let (rows, answer) = person.ask_json(line).await;
    assert_eq!(answer["type"], "ok", "{line}: {answer}");
    let lines = rows.into_iter().filter(|row| row["past"] == true);
    lines.map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

async fn answer(person: &mut TestClient, line: &str) -> Value {
    person.ask_json(line).await.1
}

#[tokio::test]
async fn a_search_finds_a_word_in_any_case_with_accents_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let setup = ServerSetup::unpaced().keeping(&folder.path().join("data"));
    let mut server = setup.start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    answer(&mut alice, "/create general").await;
    let said = ["Αθήνα", "straße", "ısparta", "İstanbul", "ΟΔΟΣ", "crème brûlée", "Ёлка"];
    for text in said {
        assert_eq!(answer(&mut alice, text).await["type"], "ok");
    }
    for restarted in [false, true] {
        for (word, found) in [
            ("ΑΘΗΝΑ", "Αθήνα"),
            ("αθηνα", "Αθήνα"),
            ("STRASSE", "straße"),
            ("STRAẞE", "straße"),
            ("strass*", "straße"),
            ("ISPARTA", "ısparta"),
            ("isparta", "ısparta"),
            ("istanbul", "İstanbul"),
            ("ISTANBUL", "İstanbul"),
            ("οδος", "ΟΔΟΣ"),
            ("\"CREME BRULEE\"", "crème brûlée"),
            ("елка", "Ёлка"),
        ] {
            let line = format!("/search {word}");
            assert_eq!(texts(&mut alice, &line).await, [found], "{word}, restarted: {restarted}");
        }
        if !restarted {
            assert!(server.terminate().await.success());
            server = setup.start().await;
            alice = server.person_in("alice", ClientFormat::Json).await;
            answer(&mut alice, "/enter general").await;
        }
    }
}

#[tokio::test]
async fn filters_bans_and_mentions_fold_as_a_search_does() {
    let server = ServerSetup::unpaced().start().await;
    let mut alice = server.person_in("alice", ClientFormat::Json).await;
    answer(&mut alice, "/create general").await;
    let mut athena = server.person_in("Αθήνα", ClientFormat::Json).await;
    answer(&mut athena, "/enter general").await;
    for word in ["strasse", "ισπαρτα", "ısparta"] {
        assert_eq!(answer(&mut alice, &format!("/set words +{word}")).await["type"], "ok");
    }
    for text in ["in der STRAßE", "straße", "ΙΣΠΑΡΤΑ", "Ισπάρτα", "ISPARTA"] {
        assert_eq!(answer(&mut athena, text).await["code"], "not-allowed", "{text}");
    }
    assert_eq!(answer(&mut alice, "welcome ΑΘΗΝΑ").await["type"], "ok");
    assert_eq!(texts(&mut athena, "/mentions").await, ["welcome ΑΘΗΝΑ"]);
    assert_eq!(answer(&mut alice, "/ban ΑΘΗΝΑ").await["type"], "ok");
    assert_eq!(answer(&mut athena, "/enter general").await["code"], "banned");
    assert_eq!(answer(&mut alice, "/unban Αθηνα").await["type"], "ok");
    assert_eq!(answer(&mut athena, "/enter general").await["type"], "ok");
    // Names stay distinct: this is another user's.
    let mut other = server.person_in("ΑΘΗΝΑ", ClientFormat::Json).await;
    assert_eq!(answer(&mut other, "/ping").await["type"], "ok");
}
