//! Purges: what they hide at once, and what is marked later.

use super::*;

const AUTHORS: [&str; 3] = ["Bob", "alice", "nä16"];

const OF_GENERAL: Key<'_> = Key::Channel("#general");

/// Lines of three authors in turn, most of them indexed.
fn filled(book: &mut Book, upto: u64) {
    book.commit(&[GENERAL]).unwrap();
    let texts: Vec<String> = (1..=upto).map(|id| format!("word {id} carol")).collect();
    let lines: Vec<_> = (1..).zip(&texts).map(|(id, text)| said(1, id, author(id), text)).collect();
    let (first, last) = lines.split_at(lines.len() - 10);
    book.commit(first).unwrap();
    book.flush().unwrap();
    book.commit(last).unwrap();
}

fn author(id: u64) -> &'static str {
    AUTHORS[usize::try_from(id).unwrap() % 3]
}

fn purge(name: &str, upto: u64) -> Entry<'_> {
    let author = Author { name, from: None, upto: None };
    Entry::Rule { number: 1, rule: Rule::Purge(Purge { author, upto }) }
}

fn blocks(book: &Book, of: &str) -> u64 {
    let sql = "SELECT count(*) FROM author_block WHERE author = ?1";
    crate::util::sync::lock(book.connection()).query_row(sql, [of], |row| row.get(0)).unwrap()
}

/// What is shown of them, in every way to read lines.
fn shown(lookup: &Lookup, upto: u64) -> [u64; 5] {
    let page = lookup.lines(OF_GENERAL, 0, upto, usize::MAX, usize::MAX).unwrap();
    let by_nae16 = page.lines.iter().filter(|line| line.author == "nä16").count();
    let channels = [("#general".to_owned(), 0)];
    let phrases = [("word", false)];
    let query = Query { most: 5000, ..query(&phrases, &channels) };
    let found = lookup.search(&query, Sought::Everywhere, &soon()).unwrap().hits;
    let found = found.iter().filter(|hit| hit.line.author == "nä16").count();
    let reader = Reader { party: 9, hidden: &[], hidden_accounts: &[], fold };
    let asked = Mentions { reader, name: "carol", channels: &channels, before: None, most: 5000 };
    let naming = lookup.mentions(&asked, &soon()).unwrap().hits;
    let naming = naming.iter().filter(|hit| hit.line.author == "nä16").count();
    let unread = lookup.unread_in(OF_GENERAL, 0, &reader, 5000).unwrap().unwrap().lines;
    let places = lookup.places(OF_GENERAL, 0, upto, usize::MAX, usize::MAX).unwrap().lines;
    assert_eq!(places.len() as u64, upto);
    let told = places.iter().filter(|line| !line.erased && line.author == "nä16").count();
    [by_nae16 as u64, found as u64, naming as u64, unread, told as u64]
}

#[test]
fn a_purge_hides_at_once_and_marks_lines_later_also_after_a_restart() {
    for tried in both() {
        let (mut book, lookup) = tried.open();
        filled(&mut book, 2000);
        let theirs = (1..=2000).filter(|id| author(*id) == "nä16").count() as u64;
        let of = [Author { name: "nä16", from: None, upto: None }];
        let count = |lookup: &Lookup, range| lookup.count_by(OF_GENERAL, &of, range, 9999).unwrap();
        assert_eq!(count(&lookup, (0, 2000)), LineCount { lines: theirs, upto: 2000 });
        let sliced = lookup.count_by(OF_GENERAL, &of, (0, 2000), 300).unwrap();
        assert!(sliced.lines < theirs && sliced.upto < 2000);
        let rest = count(&lookup, (sliced.upto, 2000));
        assert_eq!(sliced.lines + rest.lines, theirs, "no line is counted twice");
        assert_eq!(shown(&lookup, 2000), [theirs, theirs, theirs, 2000, theirs]);

        book.commit(&[purge("nä16", 2000)]).unwrap();
        // What comes after it isn't hidden.
        book.commit(&[said(1, 2001, "nä16", "word and on, carol")]).unwrap();
        let hidden = [1, 1, 1, 2001 - theirs, 1];
        assert_eq!(shown(&lookup, 2001), hidden);
        assert_eq!(count(&lookup, (0, 2000)).lines, 0);
        for _ in 0..3 {
            assert_eq!(book.purge_some(7).unwrap(), 1);
            assert_eq!(shown(&lookup, 2001), hidden);
        }
        let (mut book, lookup) = if tried.place == Place::Memory {
            (book, lookup)
        } else {
            drop((book, lookup));
            tried.open()
        };
        assert_eq!((book.pending_purges().unwrap(), shown(&lookup, 2001)), (1, hidden));
        while book.purge_some(50).unwrap() > 0 {
            assert_eq!(shown(&lookup, 2001), hidden);
        }
        assert_eq!(shown(&lookup, 2001), hidden);
        book.flush().unwrap();
        assert_eq!(blocks(&book, "nä16"), 1, "that of the line after it");
        assert_eq!(blocks(&book, "bob"), 8);
        assert_eq!(lookup.faults().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_purge_reads_the_blocks_of_its_author_alone() {
    let [tried, _] = both();
    let (mut book, lookup) = tried.open();
    book.commit(&[GENERAL]).unwrap();
    let lines: Vec<_> = (1..=5000)
        .map(|id| said(1, id, if id == 10 || id == 4000 { "eve" } else { "dan" }, "hi"))
        .collect();
    book.commit(&lines).unwrap();
    book.flush().unwrap();
    let of = [Author { name: "eve", from: None, upto: None }];
    // Two blocks of 256 and no more.
    let counted = lookup.count_by(OF_GENERAL, &of, (0, 5000), 512).unwrap();
    assert_eq!(counted, LineCount { lines: 2, upto: 5000 });
    let counted = lookup.count_by(OF_GENERAL, &of, (0, 5000), 300).unwrap();
    assert_eq!(counted.lines, 1);
    book.commit(&[purge("eve", 5000)]).unwrap();
    assert_eq!(book.purge_some(99).unwrap(), 0, "one step is enough");
}

#[test]
fn names_are_forgotten_with_the_last_of_their_lines() {
    let [tried, _] = both();
    let (mut book, _) = tried.open();
    filled(&mut book, 1000);
    book.flush().unwrap();
    assert_eq!(blocks(&book, "alice"), 4);
    book.raise_floor(1, 600).unwrap();
    while book.sweep(1, 100).unwrap() > 0 {}
    assert_eq!(blocks(&book, "alice"), 2, "two blocks of 256 are over, and a part of the third");
    book.commit(&[purge("alice", 1000)]).unwrap();
    book.raise_floor(1, 1000).unwrap();
    while book.sweep(1, 100).unwrap() > 0 {}
    while book.purge_some(99).unwrap() > 0 {}
    book.forget_conversation(1).unwrap();
    assert_eq!(blocks(&book, "alice") + blocks(&book, "bob"), 0);
}
