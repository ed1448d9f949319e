//! Tests that every store passes, on disk and in memory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::lock::BETWEEN_TRIES;
use super::*;

mod accounts;
use self::accounts::MADE;
mod identity;
mod purge;
mod redact;
mod server_moderation;
mod versions;

/// A store under test, with its directory.
struct StoreFixture {
    place: StoreLocation,
    _folder: TempDir,
}

fn both() -> [StoreFixture; 2] {
    let folder = || tempfile::tempdir().unwrap();
    let (one, other) = (folder(), folder());
    [
        StoreFixture { place: StoreLocation::Directory(one.path().join("data")), _folder: one },
        StoreFixture { place: StoreLocation::Memory, _folder: other },
    ]
}

impl StoreFixture {
    fn open(&self) -> (Writer, Reader) {
        let (writer, readers) = Store::open(&self.place, Durability::Machine).unwrap().into_parts();
        let reader = readers.reader().unwrap();
        (writer, reader)
    }
}

const GENERAL: WriteOp<'_> = WriteOp::Channel {
    number: 1,
    name: "#general",
    shown: "General",
    topic: Some("hi"),
    open: true,
};
const DEV: WriteOp<'_> =
    WriteOp::Channel { number: 2, name: "#dev", shown: "dev", topic: None, open: true };
const CHAT: WriteOp<'_> =
    WriteOp::Private { number: 3, one: 10, other: 11, one_name: "alice", other_name: "bob" };

fn said<'a>(number: u32, id: u64, author: &'a str, text: &'a str) -> WriteOp<'a> {
    let time = 1_000_000 + i64::try_from(id).unwrap() * 1000;
    let by_other = author == "bob";
    WriteOp::Line(NewLine { number, id, time, author, by_other, text, ..NewLine::default() })
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

fn ids(page: &LinePage) -> Vec<u64> {
    page.lines.iter().map(|line| line.id).collect()
}

#[test]
fn committed_lines_are_read_in_ranges() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL, CHAT]).unwrap();
        let texts: Vec<String> = (1..=10).map(|id| format!("line {id}")).collect();
        let lines: Vec<_> =
            (1..).zip(&texts).map(|(id, text)| said(1, id, "alice", text)).collect();
        writer.commit(&lines).unwrap();
        writer.commit(&[said(3, 1, "bob", "psst")]).unwrap();
        let key = StoreKey::Channel("#general");
        assert_eq!(ids(&reader.lines(key, 3, 7, 100, 1000).unwrap()), [4, 5, 6, 7]);
        assert_eq!(ids(&reader.lines(key, 0, 99, 3, 1000).unwrap()), [1, 2, 3]);
        assert_eq!(ids(&reader.lines(key, 0, 99, 100, 12).unwrap()), [1, 2], "enough bytes");
        assert_eq!(reader.ends(key).unwrap().1, 10);
        assert_eq!(reader.ends(StoreKey::Channel("#nowhere")).unwrap().1, 0);
        let page = reader.lines(StoreKey::Private(10, 11), 0, 9, 9, 999).unwrap();
        assert!(page.lines[0].by_other && page.lines[0].text == "psst");
        assert_eq!(page.names, ("alice".to_owned(), "bob".to_owned()));
        assert_eq!(reader.private_with(10, "bob", fold).unwrap(), Some((10, 11)));
        assert_eq!(reader.private_with(11, "bob", fold).unwrap(), None);
        let rows = writer.conversations().unwrap();
        assert_eq!((rows[0].last, rows[0].topic.as_deref()), (10, Some("hi")));
        assert_eq!(rows[1].parties, Some((10, 11)));
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_commit_is_atomic() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL, said(1, 1, "alice", "first")]).unwrap();
        let twice = [GENERAL, said(1, 2, "alice", "second"), said(1, 1, "alice", "again")];
        assert!(writer.commit(&twice).is_err());
        assert_eq!(ids(&reader.lines(StoreKey::Channel("#general"), 0, 9, 9, 999).unwrap()), [1]);
        assert!(search(&reader, &[("second", false)]).is_empty());
        writer.commit(&[said(1, 2, "alice", "second")]).unwrap();
        assert_eq!(search(&reader, &[("second", false)]), ["second"]);
    }
}

/// Limits the growth of a database to a number of pages, as on a full disk.
fn bound(connection: &Connection, more: i64) {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update(None, "max_page_count", pages + more).unwrap();
}

#[test]
fn a_full_disk_refuses_whole_commits_and_recovers_by_itself() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL]).unwrap();
        let key = StoreKey::Channel("#general");
        let long = "word ".repeat(2000);
        let with_another = [DEV, said(1, 1, "alice", &long)];
        bound(&crate::util::sync::lock(writer.connection()), 0);
        let failure = writer.commit(&with_another).unwrap_err();
        assert_eq!(failure.kind(), StoreErrorKind::Full);
        assert_eq!(reader.ends(key).unwrap().1, 0);
        bound(&crate::util::sync::lock(writer.connection()), 1000);
        writer.commit(&with_another).unwrap();
        assert_eq!(reader.ends(key).unwrap().1, 1);
    }
}

#[test]
fn a_journal_that_is_full_refuses_lines_and_recovers_by_itself() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    writer.commit(&[GENERAL]).unwrap();
    let key = StoreKey::Channel("#general");
    let long = "word ".repeat(2000);
    let line = [said(1, 1, "alice", &long)];
    bound(writer.memtable().journal().unwrap().connection(), 0);
    assert_eq!(writer.commit(&line).unwrap_err().kind(), StoreErrorKind::Full);
    assert_eq!((writer.waiting(), reader.ends(key).unwrap().1), (0, 0));
    bound(writer.memtable().journal().unwrap().connection(), 1000);
    writer.commit(&line).unwrap();
    assert_eq!(reader.ends(key).unwrap().1, 1);
}

#[test]
fn lines_that_do_not_fit_into_the_tables_stay_in_the_journal_and_further_ones_are_refused() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    writer.commit(&[GENERAL]).unwrap();
    let key = StoreKey::Channel("#general");
    let long = "word ".repeat(2000);
    bound(&crate::util::sync::lock(writer.connection()), 0);
    writer.commit(&[said(1, 1, "alice", &long)]).unwrap();
    assert_eq!(writer.flush().unwrap_err().kind(), StoreErrorKind::Full);
    assert_eq!(ids(&reader.lines(key, 0, 9, 9, usize::MAX).unwrap()), [1], "it is read on");
    assert_eq!(
        writer.commit(&[said(1, 2, "alice", "no")]).unwrap_err().kind(),
        StoreErrorKind::Full
    );
    // As after a crash.
    drop((writer, reader));
    let (mut writer, reader) = tried.open();
    assert_eq!(reader.ends(key).unwrap().1, 1);
    writer.commit(&[said(1, 2, "alice", "yes")]).unwrap();
    assert_eq!(ids(&reader.lines(key, 0, 9, 9, usize::MAX).unwrap()), [1, 2]);
    assert_eq!(search(&reader, &[("word", false)]).len(), 1);
    assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
}

#[test]
fn other_processes_read_lines_once_they_are_in_the_tables() {
    let [tried, _] = both();
    let StoreLocation::Directory(directory) = &tried.place else { return };
    let key = StoreKey::Channel("#general");
    let (mut writer, reader) = tried.open();
    writer.commit(&[GENERAL]).unwrap();
    writer.commit(&[said(1, 1, "alice", "waits")]).unwrap();
    let flusher = writer.flusher();
    std::thread::scope(|threads| {
        threads.spawn(|| flusher.run(|| {}));
        let outside = Store::open_to_read(directory).unwrap();
        assert_eq!(ids(&outside.lines(key, 0, 9, 9, 999).unwrap()), [1]);
        flusher.stop();
    });
    // No server runs, and an earlier one left unflushed lines.
    writer.commit(&[said(1, 2, "alice", "waits too")]).unwrap();
    drop((writer, reader, flusher));
    let outside = Store::open_to_read(directory).unwrap();
    assert_eq!(ids(&outside.lines(key, 0, 9, 9, 999).unwrap()), [1, 2]);
}

#[test]
fn the_flushing_thread_checkpoints_a_long_wal() {
    let [tried, _] = both();
    let StoreLocation::Directory(directory) = &tried.place else { return };
    let (mut writer, _lookup) = tried.open();
    writer.commit(&[GENERAL]).unwrap();
    let file = || fs::metadata(directory.join(JOURNAL_FILE)).unwrap().len();
    let before = file();
    let text = "x".repeat(4000);
    let flusher = writer.flusher();
    std::thread::scope(|threads| {
        threads.spawn(|| flusher.run(|| {}));
        // Fewer pages than make the committing thread checkpoint.
        for id in 1..=150 {
            writer.commit(&[said(1, id, "alice", &text)]).unwrap();
        }
        let until = Instant::now() + Duration::from_mins(1);
        while file() == before && Instant::now() < until {
            std::thread::yield_now();
        }
        flusher.stop();
    });
    assert!(file() > before, "{before}");
}

#[test]
fn buffered_and_flushed_lines_are_read_together() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        let key = StoreKey::Channel("#general");
        writer.commit(&[GENERAL, MADE, said(1, 1, "alice", "word 1")]).unwrap();
        let member = AccountOp::Member { user_id: 10, number: 1, marker: 0, entered: 1 };
        writer.commit(&[member.into()]).unwrap();
        writer.commit(&[said(1, 2, "bob", "word 2"), said(1, 3, "alice", "word 3")]).unwrap();
        // A line beside an operation that isn't journaled isn't journaled either.
        writer.commit(&[DEV, said(1, 4, "bob", "word 4")]).unwrap();
        writer.commit(&[said(1, 5, "alice", "word 5")]).unwrap();
        assert_eq!(
            writer.waiting(),
            1,
            "what came before line 4 is in the tables, not in the index"
        );
        let viewer =
            Viewer { user_id: 10, hidden: &["bob".to_owned()], hidden_accounts: &[], fold };
        for waiting in [1, 0] {
            assert_eq!(reader.ends(key).unwrap(), (0, 5));
            assert_eq!(ids(&reader.lines(key, 0, 9, 99, 9999).unwrap()), [1, 2, 3, 4, 5]);
            assert_eq!(ids(&reader.lines(key, 1, 4, 2, 9999).unwrap()), [2, 3]);
            let found = ["word 5", "word 4", "word 3", "word 2", "word 1"];
            assert_eq!(search(&reader, &[("word", false)]), found);
            let channels = [("#general".to_owned(), 0)];
            let phrases = [("word", false)];
            let before = FullTextQuery {
                before: Some((1_003_500, 0)),
                most: 2,
                ..query(&phrases, &channels)
            };
            let hits = reader.search(&before, SearchScope::Everywhere, &soon()).unwrap();
            assert_eq!(hits.next, Some((1_002_000, 2)));
            assert_eq!(texts(hits), ["word 3", "word 2"]);
            let first = &all_unread(&reader, &viewer, 99)[0];
            assert_eq!((first.lines, first.after), (3, 0));
            assert_eq!(writer.waiting(), waiting);
            writer.flush().unwrap();
        }
        writer.commit(&[AccountOp::Marker { user_id: 10, number: 1, marker: 3 }.into()]).unwrap();
        let of = |unread: Vec<UnreadLines>| unread.first().map(|one| (one.lines, one.after));
        assert_eq!(of(all_unread(&reader, &viewer, 99)), Some((1, 3)));
        writer.raise_floor(1, 4).unwrap();
        assert_eq!(ids(&reader.lines(key, 0, 9, 99, 9999).unwrap()), [5]);
        assert_eq!(of(all_unread(&reader, &viewer, 99)), Some((1, 4)));
        assert_eq!(search(&reader, &[("word", false)]), ["word 5"]);
    }
}

#[test]
fn a_start_recovers_more_than_the_memtable_holds() {
    let [tried, _] = both();
    let key = StoreKey::Channel("#general");
    let text = "x".repeat(4000);
    let lines = |first: u64| {
        let ids = first..first + 100;
        ids.map(|id| said(1, id, "alice", &text)).collect::<Vec<_>>()
    };
    {
        let (mut writer, _) = tried.open();
        writer.commit(&[GENERAL]).unwrap();
        // The tables are full, so all of it is in the journal when the server ends.
        bound(&crate::util::sync::lock(writer.connection()), 0);
        for batch in 0..50 {
            if writer.commit(&lines(1 + batch * 100)).is_err() {
                break;
            }
        }
        assert!(writer.waiting() > 700, "{}", writer.waiting());
    }
    let (mut writer, reader) = tried.open();
    let last = reader.ends(key).unwrap().1;
    assert!(last > 700 && writer.waiting() == 0, "{last}");
    assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
    writer.commit(&[said(1, last + 1, "alice", "and on")]).unwrap();
    assert_eq!(search(&reader, &[("on", false)]), ["and on"]);
}

#[test]
fn a_line_beside_another_operation_overtakes_no_buffered_line() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL]).unwrap();
        writer.commit(&[said(1, 1, "alice", "waits")]).unwrap();
        writer.commit(&[DEV, said(1, 2, "bob", "doesn't")]).unwrap();
        let tables = crate::util::sync::lock(writer.connection());
        let count = tables.query_row("SELECT count(*) FROM line", (), |row| row.get(0));
        assert_eq!(count, Ok(2));
        drop(tables);
        assert_eq!(
            ids(&reader.lines(StoreKey::Channel("#general"), 0, 9, 9, 999).unwrap()),
            [1, 2]
        );
    }
}

#[test]
fn a_large_flush_takes_several_steps() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL, DEV]).unwrap();
        let text = "many words of one line ".repeat(40);
        for id in 1..=1000 {
            writer.commit(&[said(1, id, "alice", &text), said(2, id, "bob", "few")]).unwrap();
        }
        assert_eq!(writer.waiting(), 2000);
        assert_eq!(reader.ends(StoreKey::Channel("#dev")).unwrap().1, 1000);
        assert_eq!(search(&reader, &[("few", false)]).len(), 10);
        assert_eq!(writer.waiting(), 2000, "reading leaves them where they are");
        assert_eq!(writer.last_before(2, 0, 0, 9).unwrap(), (0, false));
        assert_eq!(writer.waiting(), 1000, "the others wait on");
        writer.flush().unwrap();
        assert_eq!(writer.waiting(), 0);
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
        assert_eq!(writer.conversations().unwrap()[0].last, 1000);
    }
}

fn query<'a>(phrases: &'a [(&'a str, bool)], channels: &'a [(String, u64)]) -> FullTextQuery<'a> {
    FullTextQuery {
        channels,
        user_id: None,
        from: None,
        fold,
        before: None,
        phrases,
        hidden: &[],
        hidden_accounts: &[],
        most: 10,
    }
}

fn texts(hits: SearchHits) -> Vec<String> {
    hits.hits.into_iter().map(|hit| hit.line.text).collect()
}

fn soon() -> Cutoff {
    (Instant::now() + Duration::from_mins(1)).into()
}

fn search(reader: &Reader, phrases: &[(&str, bool)]) -> Vec<String> {
    let channels = [("#general".to_owned(), 0), ("#dev".to_owned(), 0)];
    texts(reader.search(&query(phrases, &channels), SearchScope::Everywhere, &soon()).unwrap())
}

#[test]
fn words_of_any_language_are_found_newest_first_in_readable_lines() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer
            .commit(&[
                GENERAL,
                DEV,
                CHAT,
                said(1, 1, "alice", "The release notes are out"),
                said(1, 2, "bob", "notes on the release"),
                said(1, 3, "alice", "東京に行く"),
                said(1, 4, "alice", "Größe und Été"),
                said(1, 5, "alice", "ภาษาไทยง่าย"),
                said(2, 6, "Bobby", "release in dev"),
                said(3, 7, "alice", "a secret release"),
            ])
            .unwrap();
        for (phrases, found) in [
            (
                &[("release", false)][..],
                &["release in dev", "notes on the release", "The release notes are out"][..],
            ),
            (&[("release notes", false)], &["The release notes are out"]),
            (
                &[("release", false), ("notes", false)],
                &["notes on the release", "The release notes are out"],
            ),
            (
                &[("rel", true)],
                &["release in dev", "notes on the release", "The release notes are out"],
            ),
            (&[("rel", false)], &[]),
            (&[("京", false)], &["東京に行く"]),
            (&[("東京", false)], &["東京に行く"]),
            (&[("grosse", false)], &["Größe und Été"]),
            (&[("gross", false)], &[]),
            (&[("ete", false)], &["Größe und Été"]),
            (&[("ไทย", false)], &["ภาษาไทยง่าย"]),
            (&[("out\" OR \"dev", false)], &[]),
        ] {
            assert_eq!(search(&reader, phrases), found, "{phrases:?}");
        }
        let channels = [("#general".to_owned(), 0), ("#dev".to_owned(), 0)];
        let release = [("release", false)];
        let all = query(&release, &channels);
        let everywhere = |query: &FullTextQuery<'_>| {
            texts(reader.search(query, SearchScope::Everywhere, &soon()).unwrap())
        };
        assert_eq!(
            everywhere(&FullTextQuery { from: Some("bob"), ..all }),
            ["notes on the release"]
        );
        assert_eq!(
            everywhere(&FullTextQuery { from: Some("bobby"), phrases: &[], ..all }),
            ["release in dev"]
        );
        assert_eq!(
            everywhere(&FullTextQuery { before: Some((1_002_000, 0)), ..all }),
            ["The release notes are out"]
        );
        assert_eq!(everywhere(&FullTextQuery { user_id: Some(10), ..all })[0], "a secret release");
        assert_eq!(everywhere(&FullTextQuery { user_id: Some(12), ..all }).len(), 3);
        let hidden = ["bobby".to_owned()];
        assert_eq!(everywhere(&FullTextQuery { hidden: &hidden, ..all }).len(), 2);
        let sought = SearchScope::In(StoreKey::Channel("#dev"));
        assert_eq!(texts(reader.search(&all, sought, &soon()).unwrap()), ["release in dev"]);
        let two = reader
            .search(&FullTextQuery { most: 2, ..all }, SearchScope::Everywhere, &soon())
            .unwrap();
        assert!(two.next.is_some() && two.hits.len() == 2);
    }
}

#[test]
fn pages_neither_skip_nor_repeat_lines() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL, DEV]).unwrap();
        // Many share a time, as lines of one batch do, and some share the id too.
        let mut lines = Vec::new();
        for id in 1..=20 {
            for number in [1, 2] {
                let mut line = said(number, id, "alice", "word");
                if let WriteOp::Line(message) = &mut line {
                    message.time = 1_000_000 + i64::try_from(id / 8).unwrap();
                }
                lines.push(line);
            }
        }
        writer.commit(&lines[..30]).unwrap();
        writer.flush().unwrap();
        writer.commit(&lines[30..]).unwrap();
        let channels = [("#general".to_owned(), 2), ("#dev".to_owned(), 0)];
        let phrases = [("word", false)];
        for most in [1, 3, 4, 37, 38] {
            let mut query = FullTextQuery { most, ..query(&phrases, &channels) };
            let mut found = Vec::new();
            loop {
                let hits = reader.search(&query, SearchScope::Everywhere, &soon()).unwrap();
                found.extend(hits.hits.into_iter().map(|hit| (hit.line.id, hit.conversation)));
                let Some(next) = hits.next else { break };
                query.before = Some(next);
            }
            assert_eq!(found.len(), 38, "{most}");
            assert!(found.is_sorted_by_key(|(id, _)| std::cmp::Reverse(*id)), "{most}");
            found.dedup();
            assert_eq!(found.len(), 38, "{most}");
        }
    }
}

#[test]
fn a_count_covers_shown_lines() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL, CHAT]).unwrap();
        let key = StoreKey::Channel("#general");
        let hidden = ["mallory".to_owned()];
        let viewer = Viewer { user_id: 10, hidden: &hidden, hidden_accounts: &[12], fold };
        let output = |range, most| reader.lines_for(&viewer, key, range, most, 9999).unwrap();
        let begin = |range, most| reader.last_lines(&viewer, key, range, most).unwrap();
        let lines = (1..=10).map(|id| said(1, id, "alice", "hi")).collect::<Vec<_>>();
        writer.commit(&lines).unwrap();
        let batch = |ids: std::ops::RangeInclusive<u64>, author| {
            ids.map(|id| said(1, id, author, "spam")).collect::<Vec<_>>()
        };
        writer.commit(&batch(11..=3000, "mallory")).unwrap();
        for flushed in [false, true] {
            if flushed {
                writer.flush().unwrap();
            }
            assert_eq!(begin((0, 3000), 3), LastLines::After(7));
            assert_eq!(begin((8, 3000), 3), LastLines::After(8));
            assert_eq!(begin((0, 3000), 11), LastLines::After(0));
            assert_eq!(ids(&output((7, 3000), 3)), [8, 9, 10]);
            assert_eq!(output((10, 3000), 3), LinePage { upto: 3000, ..LinePage::default() });
        }
        // More than one query examines.
        writer.commit(&batch(3001..=60_000, "mallory")).unwrap();
        let (mut left, mut below, mut asked) = (3, 60_000, 0);
        let after = loop {
            asked += 1;
            match reader.last_lines(&viewer, key, (0, below), left).unwrap() {
                LastLines::After(id) => break id,
                LastLines::Missing(missing, at) => (left, below) = (missing, at),
            }
        };
        assert_eq!((after, asked > 1), (7, true));
        writer.flush().unwrap();
        let page = output((10, 60_000), 3);
        assert!(page.lines.is_empty() && page.upto < 60_000, "{page:?}");
        assert_eq!(reader.unread_in(key, 5, &viewer, 4).unwrap().unwrap().lines, 4);
        let lines = (1..=900).map(|id| said(3, id, if id <= 5 { "bob" } else { "alice" }, "psst"));
        writer.commit(&lines.collect::<Vec<_>>()).unwrap();
        let chats = reader.unread_chats(10, |_| 0).unwrap();
        let viewer = Viewer { user_id: 10, ..viewer };
        let mut others = Vec::new();
        let all = reader.newest_of_other(&chats[0], &viewer, 3, |line| {
            others.push(line.id);
            others.len() < 3
        });
        assert_eq!((all.unwrap(), others), (false, vec![5, 4, 3]));
        assert!(reader.unread_chats(10, |_| 900).unwrap().is_empty());
    }
}

/// Unread counts of all channels and private chats of an account.
fn all_unread(reader: &Reader, viewer: &Viewer<'_>, most: u64) -> Vec<UnreadLines> {
    let mut all = reader.unread_channels(viewer, most, &|| true).unwrap();
    for chat in reader.unread_chats(viewer.user_id, |_| 0).unwrap() {
        all.push(reader.count_unread(&chat, viewer, most).unwrap());
    }
    all.retain(|one| one.lines > 0);
    all
}

#[test]
fn lines_below_the_floor_are_hidden_at_once_and_deleted_in_steps() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        let texts: Vec<String> = (1..=100).map(|id| format!("word{id} all")).collect();
        let lines = (1..).zip(&texts).map(|(id, text)| said(1, id, "alice", text));
        writer.commit(&[GENERAL].into_iter().chain(lines).collect::<Vec<_>>()).unwrap();
        assert_eq!(writer.last_before(1, 0, 1_050_500, 99).unwrap(), (50, false));
        assert_eq!(writer.last_before(1, 20, 1_050_500, 20).unwrap(), (40, true));
        assert_eq!(writer.last_before(1, 0, 0, 99).unwrap(), (0, false));
        assert_eq!(writer.last_before(1, 90, i64::MAX, 99).unwrap(), (100, false));
        writer.raise_floor(1, 90).unwrap();
        let key = StoreKey::Channel("#general");
        assert_eq!(
            ids(&reader.lines(key, 0, 200, 100, 9999).unwrap()),
            (91..=100).collect::<Vec<_>>()
        );
        assert!(search(&reader, &[("word90", false)]).is_empty());
        let steps: Vec<usize> = (0..4).map(|_| writer.sweep(1, 40).unwrap()).collect();
        assert_eq!(steps, [40, 40, 10, 0]);
        assert_eq!(search(&reader, &[("word91", false)]), ["word91 all"]);
        assert_eq!(search(&reader, &[("all", false)]).len(), 10);
        assert_eq!(reader.ends(key).unwrap().1, 100);
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
        writer.raise_floor(1, 100).unwrap();
        while writer.sweep(1, 40).unwrap() > 0 {}
        assert_eq!(writer.conversations().unwrap()[0].last, 100, "an id is never given twice");
    }
}

#[test]
fn keys_and_names_survive_a_restart() {
    for tried in both() {
        let once = |id, key| match said(1, id, "alice", "hi") {
            WriteOp::Line(message) => {
                WriteOp::Line(NewLine { once: Some(("alice", key)), ..message })
            }
            other => other,
        };
        let (mut writer, reader) = tried.open();
        let hold = WriteOp::HoldName { name: "alice", user_id: 7, since: 5 };
        writer.commit(&[GENERAL, once(1, "k1"), once(2, "k2"), hold]).unwrap();
        if tried.place != StoreLocation::Memory {
            drop((writer, reader));
            writer = tried.open().0;
        }
        let first = Some(OnceRow { number: 1, id: 1, time: 1_001_000 });
        assert_eq!(writer.said_once("alice", "k1", 0).unwrap(), first);
        assert_eq!(writer.said_once("alice", "k1", 1_001_001).unwrap(), None, "a day has passed");
        assert_eq!(writer.said_once("bob", "k1", 0).unwrap(), None);
        assert_eq!(
            writer.holders().unwrap(),
            [NameHolderRow { name: "alice".into(), user_id: 7, since: 5 }]
        );
        assert_eq!(writer.forget_once_before(1_002_000, 10).unwrap(), 1);
        assert_eq!(writer.said_once("alice", "k1", 0).unwrap(), None);
        assert!(writer.said_once("alice", "k2", 0).unwrap().is_some());
        writer.commit(&[WriteOp::ReleaseName { name: "alice" }]).unwrap();
        assert!(writer.holders().unwrap().is_empty());
    }
}

#[test]
fn a_lock_that_is_released_soon_is_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let mut held = Some(lock(folder.path(), || panic!("it is free"), 1).unwrap());
    let mut pauses = 0;
    let let_go = || {
        pauses += 1;
        if pauses == 3 {
            drop(held.take());
        }
    };
    let taken = lock(folder.path(), let_go, TRIES);
    assert!(taken.is_ok() && pauses == 3, "{pauses}");
    let mut pauses = 0;
    let refused = lock(folder.path(), || pauses += 1, TRIES);
    assert!(matches!(refused, Err(OpenError::InUse { .. })));
    assert_eq!(BETWEEN_TRIES * pauses, Duration::from_secs(2));
}

#[test]
fn a_second_server_a_newer_and_a_foreign_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = StoreLocation::Directory(folder.path().to_owned());
    let open = || Store::open(&place, Durability::Machine);
    let (writer, readers) = open().unwrap().into_parts();
    assert!(matches!(open(), Err(OpenError::InUse { .. })));
    drop((writer, readers));
    let file = folder.path().join(FILE);
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    assert!(matches!(open(), Err(OpenError::Newer { found: 999, .. })));
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection.pragma_update(None, "application_id", 5).unwrap();
    assert!(matches!(open(), Err(OpenError::Foreign)));
    drop(connection);
    fs::write(&file, "no database at all, but long enough to be read as one".repeat(100)).unwrap();
    assert!(
        matches!(open(), Err(OpenError::Failed(failure)) if failure.kind() == StoreErrorKind::Damaged)
    );
}

#[test]
fn a_copy_has_all_commits_and_missing_lines_are_detected() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    writer
        .commit(&[GENERAL, said(1, 1, "a", "x"), said(1, 2, "a", "y"), said(1, 3, "a", "z")])
        .unwrap();
    let StoreLocation::Directory(directory) = &tried.place else { return };
    let copy = directory.join("copy.db");
    reader.copy_to(&copy).unwrap();
    assert_eq!(maintenance::faults_of(&copy).unwrap(), Vec::<String>::new());
    crate::util::sync::lock(writer.connection())
        .execute("DELETE FROM line WHERE text = 'y'", ())
        .unwrap();
    assert_eq!(reader.faults().unwrap().len(), 1);
}

#[test]
fn a_search_ends_at_its_deadline() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    let texts: Vec<String> = (1..=5000).map(|id| format!("common {id}")).collect();
    let lines = (1..).zip(&texts).map(|(id, text)| said(1, id, "alice", text));
    writer.commit(&[GENERAL].into_iter().chain(lines).collect::<Vec<_>>()).unwrap();
    let channels = [("#general".to_owned(), 0)];
    let phrases = [("common", false)];
    // An ignored name that all lines are compared with and that wrote none.
    let query = FullTextQuery { hidden: &["alice".to_owned()], ..query(&phrases, &channels) };
    let failure =
        reader.search(&query, SearchScope::Everywhere, &Instant::now().into()).unwrap_err();
    assert_eq!(failure.kind(), StoreErrorKind::TooLong);
    assert_eq!(search(&reader, &[("4321", false)]), ["common 4321"], "the next one is searched");
}

#[test]
fn words_are_found_before_and_after_they_are_indexed_and_after_a_crash() {
    for tried in both() {
        let (mut writer, mut reader) = tried.open();
        writer.commit(&[GENERAL, DEV]).unwrap();
        writer
            .commit(&[said(1, 1, "alice", "one word"), said(2, 1, "bob", "another word")])
            .unwrap();
        assert!(writer.waiting() > 0);
        assert_eq!(search(&reader, &[("word", false)]).len(), 2);
        assert_eq!(search(&reader, &[("wo", true), ("one", false)]), ["one word"]);
        if tried.place != StoreLocation::Memory {
            // As after a crash, without cleanup.
            writer.commit(&[said(2, 2, "bob", "last word")]).unwrap();
            drop((writer, reader));
            (writer, reader) = tried.open();
            assert_eq!(search(&reader, &[("last", false)]), ["last word"]);
            assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
        }
        assert!(search(&reader, &[("word", false)]).len() >= 2);
        writer.flush().unwrap();
        assert_eq!(writer.waiting(), 0);
        assert!(search(&reader, &[("word", false)]).len() >= 2);
        writer.commit(&[said(1, 2, "alice", "newest word")]).unwrap();
        assert_eq!(search(&reader, &[("word", false)])[0], "newest word");
        let texts: Vec<String> = (3..300).map(|id| format!("word {id}")).collect();
        for (id, text) in (3..).zip(&texts) {
            writer.commit(&[said(1, id, "alice", text)]).unwrap();
        }
        assert_eq!(search(&reader, &[("7", false)]), ["word 7"]);
        assert_eq!(search(&reader, &[("298", false)]), ["word 298"]);
        writer.raise_floor(1, 299).unwrap();
        while writer.sweep(1, 100).unwrap() > 0 {}
        let left = search(&reader, &[("word", false)]);
        assert!(
            left.iter().all(|text| ["another word", "last word"].contains(&&**text)),
            "{left:?}"
        );
    }
}

#[test]
fn the_files_are_private_in_any_directory() {
    let folder = tempfile::tempdir().unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let modes = || {
        let files = [
            "chat.db",
            "chat.db-wal",
            "chat.db-shm",
            "recent.db",
            "recent.db-wal",
            "recent.db-shm",
        ];
        let files = files.map(|file| folder.path().join(file));
        files.map(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777)
    };
    set(folder.path(), 0o755);
    let place = StoreLocation::Directory(folder.path().to_owned());
    let store = Store::open(&place, Durability::Machine).unwrap();
    assert_eq!(modes(), [0o600; 6]);
    drop(store);
    // As an earlier version, or a copy, may have left it.
    set(&folder.path().join(FILE), 0o644);
    let store = Store::open(&place, Durability::Machine).unwrap();
    assert_eq!(modes(), [0o600; 6]);
    drop(store);
}
