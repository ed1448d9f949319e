//! Databases of earlier versions.

use super::*;

/// A database as version 1 left it.
fn version_1(file: &Path) {
    let connection = Connection::open(file).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch(include_str!("../schema/0001_lines.sql")).unwrap();
    connection
        .execute_batch(
            "PRAGMA application_id = 1667785076;
            PRAGMA user_version = 1;
            INSERT INTO conversation (number, name, shown, topic) VALUES (1, '#general', 'General', 'hi');
            INSERT INTO line (place, time, author, flags, text) VALUES
                (1 << 36 | 1, 1000, 'alice', 0, 'indexed before'),
                (1 << 36 | 2, 2000, 'bob', 1, 'waits to be indexed');
            INSERT INTO word (rowid, text, author) VALUES (1 << 36 | 1, 'indexed before', 'alice');
            UPDATE conversation SET indexed = 1;
            INSERT INTO holder VALUES ('alice', 7, 5);",
        )
        .unwrap();
}

#[test]
fn a_database_of_version_1_is_migrated_with_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let place = StoreLocation::Directory(folder.path().to_owned());
    version_1(&folder.path().join(FILE));
    // Beside version 1, which may still run.
    let older = Store::open_to_read(folder.path());
    assert!(matches!(older, Err(OpenError::Older { found: 1, .. })));
    let copy = folder.path().join("copy.db");
    Store::open_to_copy(folder.path()).unwrap().copy_to(&copy).unwrap();
    assert_eq!(maintenance::faults_of(&copy).unwrap(), Vec::<String>::new());

    let (mut writer, readers) = Store::open(&place, Durability::Machine).unwrap().into_parts();
    let reader = readers.reader().unwrap();
    let page = reader.lines(StoreKey::Channel("#general"), 0, 9, 9, 999).unwrap();
    assert_eq!(ids(&page), [1, 2]);
    assert!(page.lines.iter().all(|line| line.account.is_none() && !line.redacted));
    for words in ["indexed before", "waits to be indexed"] {
        assert_eq!(search(&reader, &[(words, false)]), [words]);
    }
    assert_eq!(writer.holders().unwrap().len(), 1);
    assert!(writer.accounts().unwrap().is_empty());
    writer.commit(&[said(1, 3, "alice", "and on")]).unwrap();
    drop((writer, readers, reader));
    assert!(Store::open_to_read(folder.path()).is_ok());
    let (writer, _) = Store::open(&place, Durability::Machine).unwrap().into_parts();
    assert_eq!(writer.conversations().unwrap()[0].last, 3);
}

#[test]
fn times_of_a_clock_that_went_back_hide_nothing_from_a_search_before_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let place = StoreLocation::Directory(folder.path().to_owned());
    let file = folder.path().join(FILE);
    version_1(&file);
    Connection::open(&file)
        .unwrap()
        .execute_batch(
            "INSERT INTO line (place, time, author, flags, text) VALUES
                (1 << 36 | 3, 500, 'bob', 0, 'indexed early'),
                (1 << 36 | 4, 3000, 'bob', 0, 'indexed late'),
                (1 << 36 | 5, 4000, 'bob', 0, 'indexed last');",
        )
        .unwrap();
    let (mut writer, readers) = Store::open(&place, Durability::Machine).unwrap().into_parts();
    writer.flush().unwrap();
    let reader = readers.reader().unwrap();
    let before = |time| {
        let (phrases, channels) = ([("indexed", false)], [("#general".to_owned(), 0)]);
        let query = FullTextQuery { before: Some((time, 0)), ..query(&phrases, &channels) };
        texts(reader.search(&query, SearchScope::Everywhere, &soon()).unwrap())
    };
    assert_eq!(before(600), ["indexed early"]);
    assert_eq!(before(1500), ["indexed before", "indexed early"]);
    assert_eq!(
        before(4000),
        ["indexed late", "waits to be indexed", "indexed before", "indexed early"]
    );
    assert_eq!(before(9000).len(), 5);
    assert_eq!(writer.last_times().unwrap()[&1], 4000);
    assert_eq!(writer.last_before(1, 0, 900, 9).unwrap(), (0, false), "the first keeps the third");
    let unordered: u64 = crate::util::sync::lock(writer.connection())
        .query_row("SELECT unordered FROM conversation", (), |row| row.get(0))
        .unwrap();
    assert_eq!(unordered, 3);
    writer.commit(&[WriteOp::OutOfOrder { number: 1, id: 5 }]).unwrap();
    assert_eq!(before(600), ["indexed early"]);
}

#[test]
fn words_indexed_by_an_earlier_version_are_folded_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = StoreLocation::Directory(folder.path().to_owned());
    let file = folder.path().join(FILE);
    version_1(&file);
    Connection::open(&file)
        .unwrap()
        .execute_batch(
            "INSERT INTO line (place, time, author, flags, text) VALUES
                (1 << 36 | 3, 3000, 'Αθήνα', 0, 'straße nach ısparta');
            INSERT INTO word (rowid, text, author) VALUES (1 << 36 | 3, 'straße nach ısparta', 'Αθήνα');
            UPDATE conversation SET indexed = 3;",
        )
        .unwrap();
    let (mut writer, readers) = Store::open(&place, Durability::Machine).unwrap().into_parts();
    let reader = readers.reader().unwrap();
    for words in ["STRASSE", "straße", "ISPARTA", "STRASSE NACH"] {
        assert_eq!(search(&reader, &[(words, false)]), ["straße nach ısparta"], "{words}");
    }
    writer.flush().unwrap();
    assert_eq!(search(&reader, &[("strasse", false)]).len(), 1);
    // Index entries are deleted as they were added.
    writer.raise_floor(1, 3).unwrap();
    while writer.sweep(1, 100).unwrap() > 0 {}
    assert!(search(&reader, &[("strasse", false)]).is_empty());
    assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
}

/// `check` of a store whose start was killed between two migrations said "no such column".
#[test]
fn a_store_between_two_migrations_has_no_faults_and_starts() {
    for version in 1..schema::KNOWN {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join(FILE)).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        for migration in &schema::MIGRATIONS[..version as usize] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "application_id", schema::APPLICATION).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        drop(connection);
        let none = Vec::<String>::new();
        for opened in [Store::open_to_check(folder.path()), Store::open_to_copy(folder.path())] {
            assert_eq!(opened.unwrap().faults().unwrap(), none, "version {version}");
        }
        let place = StoreLocation::Directory(folder.path().to_owned());
        drop(Store::open(&place, Durability::Machine).unwrap());
        assert_eq!(Store::open_to_read(folder.path()).unwrap().faults().unwrap(), none);
    }
}
