use std::time::{Duration, Instant};

use super::*;
use crate::store::{
    Author, Durability, Entry, Lookups, OperatorRow, Place, Query, Sought, Store, author_key,
};

fn open(place: &Place) -> (Book, Lookups) {
    Store::open(place, Durability::Process).unwrap().into_parts()
}

const GENERAL: Entry<'_> =
    Entry::Channel { number: 1, name: "#general", shown: "General", topic: None, open: true };

fn said<'a>(id: u64, author: &'a str, text: &'a str) -> Entry<'a> {
    let time = i64::try_from(id).unwrap() * 1000;
    let (action, by_other, once) = (false, false, None);
    let number = 1;
    Entry::Line {
        number,
        id,
        time,
        author,
        action,
        by_other,
        account: None,
        text,
        once,
        hidden: false,
    }
}

fn rule(rule: Rule<'_>) -> Entry<'_> {
    Entry::Rule { number: 1, rule }
}

fn mark(list: u8, key: &str, until: Option<i64>) -> Entry<'_> {
    rule(Rule::Mark(MarkRow {
        list,
        key,
        target: "bob",
        party: Some(7),
        account: None,
        by: "alice",
        time: 1000,
        until,
        reason: Some("spam"),
    }))
}

fn act(time: i64) -> Entry<'static> {
    rule(Rule::Act(ActRow {
        time,
        by: "alice",
        did: "ban",
        target: Some("bob"),
        until: None,
        setting: None,
        reason: Some("spam"),
    }))
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

fn texts(lookups: &Lookups) -> Vec<String> {
    let lookup = lookups.lookup().unwrap();
    let page = lookup.lines(Key::Channel("#general"), 0, 1 << 30, 1 << 20, 1 << 30).unwrap();
    page.lines.into_iter().map(|line| line.text).collect()
}

fn found(lookups: &Lookups, word: &str) -> usize {
    let channels = [("#general".to_owned(), 0)];
    let query = Query {
        hidden_accounts: &[],
        channels: &channels,
        party: None,
        from: None,
        fold,
        before: None,
        phrases: &[(word, false)],
        hidden: &[],
        most: 100,
    };
    let soon = (Instant::now() + Duration::from_mins(1)).into();
    let lookup = lookups.lookup().unwrap();
    lookup.search(&query, Sought::Everywhere, &soon).unwrap().hits.len()
}

#[test]
fn how_a_channel_is_run_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Directory(folder.path().join("data"));
    {
        let (mut book, _) = open(&place);
        book.commit(&[
            GENERAL,
            rule(Rule::Setting { name: "slow", value: "10s" }),
            rule(Rule::Setting { name: "slow", value: "20s" }),
            mark(0, "@bob", Some(5000)),
            mark(1, "@bob", None),
            mark(2, "@carol", None),
            rule(Rule::NoMark { list: 2, key: "@carol", ended: None }),
            rule(Rule::Operator { party: 9, inherited: true }),
            rule(Rule::Operator { party: 9, inherited: true }),
            rule(Rule::Operator { party: 11, inherited: false }),
            rule(Rule::NoOperator { party: 11 }),
            act(1000),
        ])
        .unwrap();
    }
    let (mut book, lookups) = open(&place);
    assert_eq!(book.settings().unwrap(), [(1, "slow".to_owned(), "20s".to_owned())]);
    assert_eq!(book.operators().unwrap(), [OperatorRow { number: 1, party: 9, inherited: true }]);
    let marks = book.marks().unwrap();
    let kept: Vec<_> = marks.iter().map(|mark| (mark.list, mark.party, mark.until)).collect();
    assert_eq!(kept, [(0, Some(7), Some(5000)), (1, Some(7), None)]);
    let acts = lookups.lookup().unwrap().acts(Key::Channel("#general"), 10).unwrap();
    assert_eq!(acts.len(), 1);
    assert_eq!((acts[0].did.as_str(), acts[0].reason.as_deref()), ("ban", Some("spam")));
    book.commit(&[rule(Rule::End)]).unwrap();
    assert!(book.settings().unwrap().is_empty() && book.marks().unwrap().is_empty());
    assert!(book.operators().unwrap().is_empty());
    assert!(lookups.lookup().unwrap().acts(Key::Channel("#general"), 10).unwrap().is_empty());
}

#[test]
fn what_has_ended_goes_and_what_was_made_anew_stays() {
    let (mut book, _) = open(&Place::Memory);
    let ended = |at| rule(Rule::NoMark { list: 0, key: "@bob", ended: Some(at) });
    book.commit(&[GENERAL, mark(0, "@bob", Some(5000)), ended(4999)]).unwrap();
    assert_eq!(book.marks().unwrap().len(), 1);
    book.commit(&[ended(5000)]).unwrap();
    assert!(book.marks().unwrap().is_empty());
    book.commit(&[mark(0, "@bob", None), ended(i64::MAX)]).unwrap();
    assert_eq!(book.marks().unwrap().len(), 1, "it has no end");
}

#[test]
fn acts_are_told_in_their_order_and_the_oldest_go() {
    let (mut book, lookups) = open(&Place::Memory);
    let acts: Vec<_> = (1..=1100).map(act).collect();
    book.commit(&[GENERAL]).unwrap();
    book.commit(&acts).unwrap();
    let lookup = lookups.lookup().unwrap();
    let told = |most| -> Vec<i64> {
        let acts = lookup.acts(Key::Channel("#general"), most).unwrap();
        acts.into_iter().map(|act| act.time).collect()
    };
    assert_eq!(told(3), [1098, 1099, 1100]);
    assert_eq!(told(5000), (101..=1100).collect::<Vec<i64>>());
    assert!(lookup.acts(Key::Channel("#nowhere"), 3).unwrap().is_empty());
}

#[test]
fn hidden_lines_are_told_to_nobody_and_keep_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Directory(folder.path().join("data"));
    let (mut book, lookups) = open(&place);
    book.commit(&[
        GENERAL,
        said(1, "Bob", "buy one"),
        said(2, "alice", "bob, don't buy"),
        said(3, "bob", "buy two"),
        said(4, "bobby", "buy three"),
        said(5, "Οδυσσεύς", "buy four"),
    ])
    .unwrap();
    book.flush().unwrap();
    let Entry::Line { number, id, time, action, by_other, once, .. } = said(6, "", "") else {
        unreachable!()
    };
    let (author, text) = ("bob", "buy secretly");
    book.commit(&[
        Entry::Line {
            number,
            id,
            time,
            author,
            action,
            by_other,
            account: None,
            text,
            once,
            hidden: true,
        },
        said(7, "bob", "buy five"),
    ])
    .unwrap();
    let by = |name, from, upto| count(&book, &[Author { name, from, upto }]);
    assert_eq!(by("bob", None, None), 3, "indexed and not, in any case");
    assert_eq!(by("bob", Some(3000), None), 2);
    assert_eq!(by("bob", Some(1000), Some(3000)), 2);
    assert_eq!(
        count(&book, &[Author { name: &author_key("Οδυσσεύς"), from: None, upto: None }]),
        1
    );
    assert_eq!(by("buy", None, None), 0);
    assert_eq!(found(&lookups, "buy"), 6);
    let author = Author { name: "bob", from: None, upto: None };
    book.commit(&[rule(Rule::Purge(Purge { author, upto: 7 }))]).unwrap();
    assert_eq!(texts(&lookups), ["bob, don't buy", "buy three", "buy four"]);
    assert_eq!(found(&lookups, "buy"), 3);
    assert_eq!(count(&book, &[author]), 0);
    let lookup = lookups.lookup().unwrap();
    assert_eq!(lookup.ends(Key::Channel("#general")).unwrap(), (0, 7));
    assert_eq!(lookup.faults().unwrap(), Vec::<String>::new());
    while book.purge_some(1).unwrap() > 0 {
        assert_eq!(found(&lookups, "buy"), 3);
    }
    assert_eq!(texts(&lookups), ["bob, don't buy", "buy three", "buy four"]);
    assert_eq!((found(&lookups, "buy"), count(&book, &[author])), (3, 0));
    // They go with the others, and leave nothing in the index.
    book.raise_floor(1, 6).unwrap();
    assert_eq!(book.sweep(1, 100).unwrap(), 6);
    book.commit(&[said(8, "alice", "buy six")]).unwrap();
    assert_eq!(found(&lookups, "buy"), 1);
    assert_eq!(lookup.faults().unwrap(), Vec::<String>::new());
}

fn count(book: &Book, authors: &[Author<'_>]) -> u64 {
    book.count_by(1, authors, (0, 99), 99).unwrap().lines
}
