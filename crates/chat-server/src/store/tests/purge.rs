//! Purges: hidden at once, marked later.

use super::*;

const AUTHORS: [&str; 3] = ["Bob", "alice", "nä16"];

const OF_GENERAL: StoreKey<'_> = StoreKey::Channel("#general");

/// Lines of three authors in turn, most of them indexed.
fn filled(writer: &mut Writer, upto: u64) {
    writer.commit(&[GENERAL]).unwrap();
    let texts: Vec<String> = (1..=upto).map(|id| format!("word {id} carol")).collect();
    let lines: Vec<_> = (1..).zip(&texts).map(|(id, text)| said(1, id, author(id), text)).collect();
    let (first, last) = lines.split_at(lines.len() - 10);
    writer.commit(first).unwrap();
    writer.flush().unwrap();
    writer.commit(last).unwrap();
}

fn author(id: u64) -> &'static str {
    AUTHORS[usize::try_from(id).unwrap() % 3]
}

fn purge(name: &str, upto: u64) -> WriteOp<'_> {
    let author = AuthorPeriod { name, from: None, upto: None };
    WriteOp::ChannelModeration {
        number: 1,
        op: ChannelModerationOp::Purge(PurgeOp { author, upto }),
    }
}

fn blocks(writer: &Writer, of: &str) -> u64 {
    let sql = "SELECT count(*) FROM author_block WHERE author = ?1";
    crate::util::sync::lock(writer.connection()).query_row(sql, [of], |row| row.get(0)).unwrap()
}

/// The visible lines, in every way to read them.
fn shown(reader: &Reader, upto: u64) -> [u64; 5] {
    let page = reader.lines(OF_GENERAL, 0, upto, usize::MAX, usize::MAX).unwrap();
    let by_nae16 = page.lines.iter().filter(|line| line.author == "nä16").count();
    let channels = [("#general".to_owned(), 0)];
    let phrases = [("word", false)];
    let query = FullTextQuery { most: 5000, ..query(&phrases, &channels) };
    let found = reader.search(&query, SearchScope::Everywhere, &soon()).unwrap().hits;
    let found = found.iter().filter(|hit| hit.line.author == "nä16").count();
    let viewer = Viewer { user_id: 9, hidden: &[], hidden_accounts: &[], fold };
    let asked =
        MentionQuery { viewer, name: "carol", channels: &channels, before: None, most: 5000 };
    let naming = reader.mentions(&asked, &soon()).unwrap().hits;
    let naming = naming.iter().filter(|hit| hit.line.author == "nä16").count();
    let unread = reader.unread_in(OF_GENERAL, 0, &viewer, 5000).unwrap().unwrap().lines;
    let places = reader.all_lines(OF_GENERAL, 0, upto, usize::MAX, usize::MAX).unwrap().lines;
    assert_eq!(places.len() as u64, upto);
    let output = places.iter().filter(|line| !line.redacted && line.author == "nä16").count();
    [by_nae16 as u64, found as u64, naming as u64, unread, output as u64]
}

#[test]
fn a_purge_hides_at_once_and_marks_lines_later_also_after_a_restart() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        filled(&mut writer, 2000);
        let theirs = (1..=2000).filter(|id| author(*id) == "nä16").count() as u64;
        let of = [AuthorPeriod { name: "nä16", from: None, upto: None }];
        let count = |reader: &Reader, range| reader.count_by(OF_GENERAL, &of, range, 9999).unwrap();
        assert_eq!(count(&reader, (0, 2000)), LineCount { lines: theirs, upto: 2000 });
        let sliced = reader.count_by(OF_GENERAL, &of, (0, 2000), 300).unwrap();
        assert!(sliced.lines < theirs && sliced.upto < 2000);
        let rest = count(&reader, (sliced.upto, 2000));
        assert_eq!(sliced.lines + rest.lines, theirs, "no line is counted twice");
        assert_eq!(shown(&reader, 2000), [theirs, theirs, theirs, 2000, theirs]);

        writer.commit(&[purge("nä16", 2000)]).unwrap();
        // Lines after the purge aren't hidden.
        writer.commit(&[said(1, 2001, "nä16", "word and on, carol")]).unwrap();
        let hidden = [1, 1, 1, 2001 - theirs, 1];
        assert_eq!(shown(&reader, 2001), hidden);
        assert_eq!(count(&reader, (0, 2000)).lines, 0);
        for _ in 0..3 {
            assert_eq!(writer.purge_some(7).unwrap(), 1);
            assert_eq!(shown(&reader, 2001), hidden);
        }
        let (writer, reader) = if tried.place == StoreLocation::Memory {
            (writer, reader)
        } else {
            drop((writer, reader));
            tried.open()
        };
        assert_eq!((writer.pending_purges().unwrap(), shown(&reader, 2001)), (1, hidden));
        while writer.purge_some(50).unwrap() > 0 {
            assert_eq!(shown(&reader, 2001), hidden);
        }
        assert_eq!(shown(&reader, 2001), hidden);
        writer.flush().unwrap();
        assert_eq!(blocks(&writer, "nä16"), 1, "that of the line after it");
        assert_eq!(blocks(&writer, "bob"), 8);
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_purge_reads_the_blocks_of_its_author_alone() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    writer.commit(&[GENERAL]).unwrap();
    let lines: Vec<_> = (1..=5000)
        .map(|id| said(1, id, if id == 10 || id == 4000 { "eve" } else { "dan" }, "hi"))
        .collect();
    writer.commit(&lines).unwrap();
    writer.flush().unwrap();
    let of = [AuthorPeriod { name: "eve", from: None, upto: None }];
    // Two blocks of 256 and no more.
    let counted = reader.count_by(OF_GENERAL, &of, (0, 5000), 512).unwrap();
    assert_eq!(counted, LineCount { lines: 2, upto: 5000 });
    let counted = reader.count_by(OF_GENERAL, &of, (0, 5000), 300).unwrap();
    assert_eq!(counted.lines, 1);
    writer.commit(&[purge("eve", 5000)]).unwrap();
    assert_eq!(writer.purge_some(99).unwrap(), 0, "one step is enough");
}

#[test]
fn names_are_forgotten_with_the_last_of_their_lines() {
    let [tried, _] = both();
    let (mut writer, _) = tried.open();
    filled(&mut writer, 1000);
    writer.flush().unwrap();
    assert_eq!(blocks(&writer, "alice"), 4);
    writer.raise_floor(1, 600).unwrap();
    while writer.sweep(1, 100).unwrap() > 0 {}
    assert_eq!(blocks(&writer, "alice"), 2, "two blocks of 256 are over, and a part of the third");
    writer.commit(&[purge("alice", 1000)]).unwrap();
    writer.raise_floor(1, 1000).unwrap();
    while writer.sweep(1, 100).unwrap() > 0 {}
    while writer.purge_some(99).unwrap() > 0 {}
    writer.forget_conversation(1).unwrap();
    assert_eq!(blocks(&writer, "alice") + blocks(&writer, "bob"), 0);
}
