use std::time::{Duration, Instant};

use super::*;
use crate::store::{
    AuthorPeriod, ChannelModerationOp, Durability, FullTextQuery, NewLine, NewListEntry,
    NewModAction, OperatorRow, PurgeOp, ReaderFactory, SearchScope, Store, StoreLocation, WriteOp,
    author_key,
};

fn open(place: &StoreLocation) -> (Writer, ReaderFactory) {
    Store::open(place, Durability::Process).unwrap().into_parts()
}

const GENERAL: WriteOp<'_> =
    WriteOp::Channel { number: 1, name: "#general", shown: "General", topic: None, open: true };

fn said<'a>(id: u64, author: &'a str, text: &'a str) -> WriteOp<'a> {
    let time = i64::try_from(id).unwrap() * 1000;
    WriteOp::Line(NewLine { number: 1, id, time, author, text, ..NewLine::default() })
}

fn rule(rule: ChannelModerationOp<'_>) -> WriteOp<'_> {
    WriteOp::ChannelModeration { number: 1, op: rule }
}

fn mark(list: u8, key: &str, until: Option<i64>) -> WriteOp<'_> {
    rule(ChannelModerationOp::AddListEntry(NewListEntry {
        list,
        key,
        target: "bob",
        user_id: Some(7),
        account: None,
        by: "alice",
        time: 1000,
        until,
        reason: Some("spam"),
    }))
}

fn act(time: i64) -> WriteOp<'static> {
    rule(ChannelModerationOp::Log(NewModAction {
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

fn texts(readers: &ReaderFactory) -> Vec<String> {
    let reader = readers.reader().unwrap();
    let page = reader.lines(StoreKey::Channel("#general"), 0, 1 << 30, 1 << 20, 1 << 30).unwrap();
    page.lines.into_iter().map(|line| line.text).collect()
}

fn found(readers: &ReaderFactory, word: &str) -> usize {
    let channels = [("#general".to_owned(), 0)];
    let query = FullTextQuery {
        hidden_accounts: &[],
        channels: &channels,
        user_id: None,
        from: None,
        fold,
        before: None,
        phrases: &[(word, false)],
        hidden: &[],
        most: 100,
    };
    let soon = (Instant::now() + Duration::from_mins(1)).into();
    let reader = readers.reader().unwrap();
    reader.search(&query, SearchScope::Everywhere, &soon).unwrap().hits.len()
}

#[test]
fn channel_moderation_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let place = StoreLocation::Directory(folder.path().join("data"));
    {
        let (mut writer, _) = open(&place);
        writer
            .commit(&[
                GENERAL,
                rule(ChannelModerationOp::Setting { name: "slow", value: "10s" }),
                rule(ChannelModerationOp::Setting { name: "slow", value: "20s" }),
                mark(0, "@bob", Some(5000)),
                mark(1, "@bob", None),
                mark(2, "@carol", None),
                rule(ChannelModerationOp::RemoveListEntry { list: 2, key: "@carol", ended: None }),
                rule(ChannelModerationOp::GrantOperator { user_id: 9, inherited: true }),
                rule(ChannelModerationOp::GrantOperator { user_id: 9, inherited: true }),
                rule(ChannelModerationOp::GrantOperator { user_id: 11, inherited: false }),
                rule(ChannelModerationOp::RevokeOperator { user_id: 11 }),
                act(1000),
            ])
            .unwrap();
    }
    let (mut writer, readers) = open(&place);
    assert_eq!(writer.settings().unwrap(), [(1, "slow".to_owned(), "20s".to_owned())]);
    assert_eq!(
        writer.operators().unwrap(),
        [OperatorRow { number: 1, user_id: 9, inherited: true }]
    );
    let marks = writer.marks().unwrap();
    let kept: Vec<_> = marks.iter().map(|mark| (mark.list, mark.user_id, mark.until)).collect();
    assert_eq!(kept, [(0, Some(7), Some(5000)), (1, Some(7), None)]);
    let acts = readers.reader().unwrap().acts(StoreKey::Channel("#general"), 10).unwrap();
    assert_eq!(acts.len(), 1);
    assert_eq!((acts[0].did.as_str(), acts[0].reason.as_deref()), ("ban", Some("spam")));
    writer.commit(&[rule(ChannelModerationOp::Clear)]).unwrap();
    assert!(writer.settings().unwrap().is_empty() && writer.marks().unwrap().is_empty());
    assert!(writer.operators().unwrap().is_empty());
    assert!(readers.reader().unwrap().acts(StoreKey::Channel("#general"), 10).unwrap().is_empty());
}

#[test]
fn expired_entries_are_removed_and_renewed_ones_stay() {
    let (mut writer, _) = open(&StoreLocation::Memory);
    let ended =
        |at| rule(ChannelModerationOp::RemoveListEntry { list: 0, key: "@bob", ended: Some(at) });
    writer.commit(&[GENERAL, mark(0, "@bob", Some(5000)), ended(4999)]).unwrap();
    assert_eq!(writer.marks().unwrap().len(), 1);
    writer.commit(&[ended(5000)]).unwrap();
    assert!(writer.marks().unwrap().is_empty());
    writer.commit(&[mark(0, "@bob", None), ended(i64::MAX)]).unwrap();
    assert_eq!(writer.marks().unwrap().len(), 1, "it has no end");
}

#[test]
fn actions_are_listed_in_order_and_the_oldest_are_removed() {
    let (mut writer, readers) = open(&StoreLocation::Memory);
    let acts: Vec<_> = (1..=1100).map(act).collect();
    writer.commit(&[GENERAL]).unwrap();
    writer.commit(&acts).unwrap();
    let reader = readers.reader().unwrap();
    let output = |most| -> Vec<i64> {
        let acts = reader.acts(StoreKey::Channel("#general"), most).unwrap();
        acts.into_iter().map(|act| act.time).collect()
    };
    assert_eq!(output(3), [1098, 1099, 1100]);
    assert_eq!(output(5000), (101..=1100).collect::<Vec<i64>>());
    assert!(reader.acts(StoreKey::Channel("#nowhere"), 3).unwrap().is_empty());
}

#[test]
fn hidden_lines_are_not_shown_and_keep_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let place = StoreLocation::Directory(folder.path().join("data"));
    let (mut writer, readers) = open(&place);
    writer
        .commit(&[
            GENERAL,
            said(1, "Bob", "buy one"),
            said(2, "alice", "bob, don't buy"),
            said(3, "bob", "buy two"),
            said(4, "bobby", "buy three"),
            said(5, "Οδυσσεύς", "buy four"),
        ])
        .unwrap();
    writer.flush().unwrap();
    let WriteOp::Line(secret) = said(6, "bob", "buy secretly") else { unreachable!() };
    writer
        .commit(&[WriteOp::Line(NewLine { hidden: true, ..secret }), said(7, "bob", "buy five")])
        .unwrap();
    let by = |name, from, upto| count(&writer, &[AuthorPeriod { name, from, upto }]);
    assert_eq!(by("bob", None, None), 3, "indexed and not, in any case");
    assert_eq!(by("bob", Some(3000), None), 2);
    assert_eq!(by("bob", Some(1000), Some(3000)), 2);
    assert_eq!(
        count(&writer, &[AuthorPeriod { name: &author_key("Οδυσσεύς"), from: None, upto: None }]),
        1
    );
    assert_eq!(by("buy", None, None), 0);
    assert_eq!(found(&readers, "buy"), 6);
    let author = AuthorPeriod { name: "bob", from: None, upto: None };
    writer.commit(&[rule(ChannelModerationOp::Purge(PurgeOp { author, upto: 7 }))]).unwrap();
    assert_eq!(texts(&readers), ["bob, don't buy", "buy three", "buy four"]);
    assert_eq!(found(&readers, "buy"), 3);
    assert_eq!(count(&writer, &[author]), 0);
    let reader = readers.reader().unwrap();
    assert_eq!(reader.ends(StoreKey::Channel("#general")).unwrap(), (0, 7));
    assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
    while writer.purge_some(1).unwrap() > 0 {
        assert_eq!(found(&readers, "buy"), 3);
    }
    assert_eq!(texts(&readers), ["bob, don't buy", "buy three", "buy four"]);
    assert_eq!((found(&readers, "buy"), count(&writer, &[author])), (3, 0));
    // They are swept with the other lines and leave nothing in the index.
    writer.raise_floor(1, 6).unwrap();
    assert_eq!(writer.sweep(1, 100).unwrap(), 6);
    writer.commit(&[said(8, "alice", "buy six")]).unwrap();
    assert_eq!(found(&readers, "buy"), 1);
    assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
}

fn count(writer: &Writer, authors: &[AuthorPeriod<'_>]) -> u64 {
    writer.count_by(1, authors, (0, 99), 99).unwrap().lines
}
