//! Tools on data that no server writes yet, or not quickly.

use std::fs;
use std::path::Path;

use super::{export, export_user, import};
use crate::store::{AccountOp, Durability, NewLine, Store, StoreLocation, WriteOp, Writer};

fn writer(directory: &Path) -> Writer {
    let place = StoreLocation::Directory(directory.to_owned());
    Store::open(&place, Durability::Process).unwrap().into_parts().0
}

fn said(number: u32, id: u64, author: &'static str, account: Option<u64>) -> WriteOp<'static> {
    let time = 1_000_000 + i64::try_from(id).unwrap() * 1000;
    let (action, by_other, text) = (id == 2, author == "bob", "hi");
    WriteOp::Line(NewLine {
        number,
        id,
        time,
        author,
        action,
        by_other,
        account,
        text,
        ..NewLine::default()
    })
}

/// Alice has account 10 and is operator of `#general`; Bob has none.
fn fill(directory: &Path) -> Writer {
    let mut writer = writer(directory);
    let account = |entry| WriteOp::Account(entry);
    writer
        .commit(&[
            WriteOp::Channel {
                number: 1,
                name: "#general",
                shown: "General",
                topic: None,
                open: true,
            },
            WriteOp::Private {
                number: 2,
                one: 10,
                other: 11,
                one_name: "Alice",
                other_name: "bob",
            },
            account(AccountOp::Create {
                user_id: 10,
                key: "alice",
                shown: "Alice",
                password: "$argon2id$secret",
                created: 1_000_000,
                admin: false,
            }),
            account(AccountOp::Token { hash: &[1; 32], user_id: 10, created: 5 }),
            account(AccountOp::Ignore { user_id: 10, name: "eve", shown: "Eve", other: None }),
            account(AccountOp::Away { user_id: 10, is_away: true, reason: Some("lunch") }),
            account(AccountOp::Member { user_id: 10, number: 1, marker: 2, entered: 1_000_000 }),
            account(AccountOp::Marker { user_id: 10, number: 2, marker: 1 }),
            account(AccountOp::Operator { number: 1, user_id: 10 }),
            said(1, 1, "bob", None),
            said(1, 2, "Alice", Some(10)),
            said(1, 3, "bob", None),
            said(2, 1, "Alice", None),
            said(2, 2, "bob", None),
            said(2, 3, "Alice", Some(10)),
        ])
        .unwrap();
    // As a server's flusher does.
    writer.flush().unwrap();
    writer
}

#[test]
fn all_data_of_an_account_is_exported_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // It stays open: the server may run.
    let _book = fill(&data);
    let file = folder.path().join("alice.jsonl");
    export_user::run(&data, "ALICE", Some(&file)).unwrap();
    let expected = [
        r#"{"type":"account","name":"Alice","created":"1970-01-01T00:16:40.000Z","seen":"1970-01-01T00:16:40.000Z","away":true,"reason":"lunch","admin":false}"#,
        r#"{"type":"ignored","name":"Eve"}"#,
        r##"{"type":"member","channel":"#General","entered":"1970-01-01T00:16:40.000Z","read":2}"##,
        r#"{"type":"chat","with":"bob","read":1}"#,
        r##"{"type":"operator","channel":"#General"}"##,
        r##"{"type":"message","id":2,"time":"1970-01-01T00:16:42.000Z","channel":"#General","from":"Alice","text":"hi","action":true}"##,
        r#"{"type":"private","id":1,"time":"1970-01-01T00:16:41.000Z","from":"Alice","to":"bob","text":"hi"}"#,
        r#"{"type":"private","id":3,"time":"1970-01-01T00:16:43.000Z","from":"Alice","to":"bob","text":"hi"}"#,
    ];
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().collect::<Vec<_>>(), expected);
    let nobody = export_user::run(&data, "bob", None).unwrap_err();
    assert!(nobody.to_string().contains("there is no account bob"), "{nobody}");
}

#[test]
fn redacted_lines_survive_export_and_import() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut writer = fill(&path("data"));
    export::run(&path("data"), "general", Some(&path("before"))).unwrap();
    writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
    while writer.redact(10, 8).unwrap() {}
    export::run(&path("data"), "general", Some(&path("after"))).unwrap();
    let (before, after) =
        (fs::read_to_string(path("before")).unwrap(), fs::read_to_string(path("after")).unwrap());
    let row =
        r##"{"type":"erased","id":2,"time":"1970-01-01T00:16:42.000Z","channel":"#General"}"##;
    assert_eq!(after.lines().nth(2), Some(row));
    // A line redacted on either side stays so after an import.
    for (first, second, expected) in [("after", "before", &after), ("before", "after", &before)] {
        let into = path(&format!("{first}-first"));
        import::run(&into, Some(&path(first))).unwrap();
        import::run(&into, Some(&path(second))).unwrap();
        assert_eq!(Store::open_to_read(&into).unwrap().faults().unwrap(), Vec::<String>::new());
        let again = path(&format!("{first}-again"));
        export::run(&into, "general", Some(&again)).unwrap();
        assert_eq!(&fs::read_to_string(again).unwrap(), expected);
    }
}
