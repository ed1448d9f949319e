//! Erasing an account.

use super::accounts::{MADE, by};
use super::*;

/// Words that occur once, long enough to be found in a file.
fn word(at: u64) -> String {
    // A step through all numbers of 40 bits, so that neighbours don't resemble each other.
    format!("q{:010x}z", (at * 0x9E_3779_B97F) % (1 << 40))
}

fn erase(book: &mut Book, party: u64) -> usize {
    let mut steps = 1;
    while book.erase(party, 8).unwrap() {
        steps += 1;
    }
    steps
}

/// `alice` of account 10 and `bob` without one, in a channel and in private; some of alice's private lines are from
/// before her account.
fn filled(book: &mut Book) {
    let mut entries = vec![GENERAL, CHAT, MADE];
    let ignore =
        |party, other, name| Entry::from(AccountEntry::Ignore { party, name, shown: name, other });
    entries.extend([
        AccountEntry::Token { hash: &[1; 32], party: 10, created: 5 }.into(),
        AccountEntry::Member { party: 10, number: 1, marker: 1, entered: 70 }.into(),
        AccountEntry::Operator { number: 1, party: 10 }.into(),
        Entry::Hold { name: "alice", party: 10, since: 5 },
        ignore(10, None, "eve"),
        ignore(11, Some(10), "alice"),
        ignore(11, None, "mallory"),
    ]);
    let texts: Vec<String> = (1..=60).map(|at| format!("said {}", word(at))).collect();
    for (id, text) in (1..=40).zip(&texts) {
        let author = if id % 2 == 0 { "alice" } else { "carol" };
        let line = said(1, id, author, text);
        entries.push(if id % 2 == 0 { by(10, line) } else { line });
    }
    for (id, text) in (1..=20).zip(&texts[40..]) {
        let line = said(3, id, if id % 2 == 0 { "alice" } else { "bob" }, text);
        entries.push(if id % 2 == 0 && id > 10 { by(10, line) } else { line });
    }
    book.commit(&entries).unwrap();
}

fn is_alices(at: u64) -> bool {
    at.is_multiple_of(2)
}

#[test]
fn what_an_account_wrote_is_blanked_in_steps_and_the_rest_stays() {
    for tried in both() {
        let (mut book, lookup) = tried.open();
        filled(&mut book);
        let mut last = said(1, 41, "alice", "not indexed yet xyzzy");
        if let Entry::Line { once, .. } = &mut last {
            *once = Some(("alice", "key"));
        }
        book.commit(&[by(10, last)]).unwrap();
        assert!(book.waiting() > 0);
        book.commit(&[AccountEntry::Forget { party: 10 }.into()]).unwrap();
        assert!(book.accounts().unwrap().is_empty() && book.tokens().unwrap().is_empty());
        assert!(book.members().unwrap().is_empty() && book.operators().unwrap().is_empty());
        assert!(book.holders().unwrap().is_empty());
        assert_eq!(book.said_once("alice", "key", 0).unwrap(), None);
        let ignored = book.ignored().unwrap();
        assert_eq!(ignored.len(), 1, "only one who ignores somebody else: {ignored:?}");
        assert_eq!(book.greatest_party().unwrap(), 11);
        // Half done, then another process.
        assert!(book.erase(10, 8).unwrap());
        let (mut book, lookup) = if tried.place == Place::Memory {
            (book, lookup)
        } else {
            drop((book, lookup));
            tried.open()
        };
        assert_eq!(book.erasing().unwrap(), [10]);
        assert_eq!(erase(&mut book, 10), 3, "31 lines in all");
        book.commit(&[AccountEntry::Erased { party: 10 }.into()]).unwrap();
        assert!(book.erasing().unwrap().is_empty());

        let general = Key::Channel("#general");
        let odd: Vec<u64> = (1..=40).filter(|id| !is_alices(*id)).collect();
        assert_eq!(ids(&lookup.lines(general, 0, 99, 99, 9999).unwrap()), odd);
        assert_eq!(ids(&lookup.lines(general, 10, 20, 3, 9999).unwrap()), [11, 13, 15]);
        let chat = lookup.lines(Key::Private(10, 11), 0, 99, 99, 9999).unwrap();
        assert!(chat.lines.iter().all(|line| line.by_other) && chat.lines.len() == 10);
        assert_eq!(chat.names, (String::new(), "bob".to_owned()));
        for at in 1..=40 {
            let found = search(&lookup, &[(&word(at), false)]);
            assert_eq!(found.len(), usize::from(!is_alices(at)), "{at}");
        }
        assert!(search(&lookup, &[("xyzzy", false)]).is_empty());
        assert_eq!(lookup.ends(general).unwrap().1, 41, "no id is given twice");
        assert_eq!(book.last_before(1, 0, 1_020_500, 99).unwrap().0, 20, "times are still known");
        assert_eq!(lookup.faults().unwrap(), Vec::<String>::new());
        let places = lookup.places(general, 0, 99, 99, 9999).unwrap().lines;
        assert_eq!(places.len(), 41);
        assert!(places.iter().all(|line| line.erased == line.text.is_empty()));
        // Retention goes on over what is blank.
        book.raise_floor(1, 41).unwrap();
        while book.sweep(1, 7).unwrap() > 0 {}
        assert_eq!(lookup.faults().unwrap(), Vec::<String>::new());
        assert!(search(&lookup, &[("said", false)]).is_empty());
    }
}

#[test]
fn nothing_of_it_is_in_the_file_or_in_a_copy_of_it() {
    let [tried, _] = both();
    let (mut book, lookup) = tried.open();
    filled(&mut book);
    let Place::Directory(directory) = &tried.place else { return };
    let holds = |file: &Path, text: &str| {
        let bytes = fs::read(file).unwrap();
        bytes.windows(text.len()).any(|some| some == text.as_bytes())
    };
    book.checkpoint().unwrap();
    let live = directory.join(FILE);
    assert!((1..=60).all(|at| holds(&live, &word(at))) && holds(&live, "$argon2id$alices"));
    let password = AccountEntry::Password { party: 10, password: "$argon2id$new" };
    book.commit(&[password.into()]).unwrap();
    book.checkpoint().unwrap();
    assert!(!holds(&live, "$argon2id$alices"));

    book.commit(&[AccountEntry::Forget { party: 10 }.into()]).unwrap();
    erase(&mut book, 10);
    let copy = directory.join("copy.db");
    lookup.copy_to(&copy).unwrap();
    book.checkpoint().unwrap();
    for file in [&live, &copy] {
        assert!(!holds(file, "$argon2id$new") && !holds(file, "alice"));
        for at in 1..=60 {
            assert_eq!(holds(file, &word(at)), !is_alices(at), "{at} in {}", file.display());
        }
    }
    assert_eq!(maintenance::faults_of(&copy).unwrap(), Vec::<String>::new());
}

#[test]
fn rows_of_the_journal_that_an_earlier_process_left_go_with_the_account() {
    let [tried, _] = both();
    let (mut book, _) = tried.open();
    filled(&mut book);
    book.commit(&[by(10, said(1, 41, "alice", "qxyzzyz"))]).unwrap();
    book.flush().unwrap();
    drop(book);
    let Place::Directory(directory) = &tried.place else { return };
    let holds = || {
        let bytes = fs::read(directory.join("recent.db")).unwrap();
        bytes.windows(7).any(|some| some == b"qxyzzyz")
    };
    let (mut book, _) = tried.open();
    assert!(holds(), "the file of the tables may not have it yet");
    book.commit(&[AccountEntry::Forget { party: 10 }.into()]).unwrap();
    assert!(!holds());
}

#[test]
fn what_an_account_wrote_is_told_with_what_it_said_privately_before() {
    for tried in both() {
        let (mut book, lookup) = tried.open();
        filled(&mut book);
        let mut written = Vec::new();
        let mut after = (0, 0);
        loop {
            let page = lookup.lines_of(10, after, 7).unwrap();
            let Some(last) = page.last() else { break };
            after = (last.number, last.line.id);
            written.extend(page.into_iter().map(|line| (line.number, line.line.id)));
        }
        let evens =
            |number, upto| (1..=upto).filter(|id| is_alices(*id)).map(move |id| (number, id));
        assert_eq!(written, evens(1, 40).chain(evens(3, 20)).collect::<Vec<_>>());
        assert!(lookup.lines_of(12, (0, 0), 7).unwrap().is_empty());
    }
}

#[test]
fn blank_places_are_taken_in_and_taken_out() {
    for tried in both() {
        let (mut book, lookup) = tried.open();
        let blank = Entry::Blank { number: 1, id: 2, time: 1_002_000 };
        book.commit(&[GENERAL, said(1, 1, "carol", "one"), blank]).unwrap();
        let (mut book, lookup) = if tried.place == Place::Memory {
            (book, lookup)
        } else {
            drop((book, lookup));
            tried.open()
        };
        book.commit(&[said(1, 3, "carol", "three")]).unwrap();
        assert_eq!(ids(&lookup.lines(Key::Channel("#general"), 0, 9, 9, 999).unwrap()), [1, 3]);
        assert_eq!(lookup.faults().unwrap(), Vec::<String>::new());
        book.raise_floor(1, 3).unwrap();
        assert_eq!(book.sweep(1, 9).unwrap(), 3);
    }
}

#[test]
fn what_is_to_be_blanked_is_told_nobody_from_the_commit_on() {
    for tried in both() {
        let (mut book, lookup) = tried.open();
        filled(&mut book);
        book.commit(&[by(10, said(1, 41, "alice", "carol, look"))]).unwrap();
        book.commit(&[said(1, 42, "carol", "I look")]).unwrap();
        let reader = Reader { party: 11, hidden: &[], hidden_accounts: &[], fold };
        let channels = [("#general".to_owned(), 0)];
        let channels = channels.as_slice();
        let asked = Mentions { reader, name: "carol", channels, before: None, most: 9 };
        let mentions = || lookup.mentions(&asked, &soon()).unwrap().hits.len();
        let (general, chat) = (Key::Channel("#general"), Key::Private(10, 11));
        let unread = |of| lookup.unread_in(of, 0, &reader, 99).unwrap().unwrap().others;
        assert_eq!((mentions(), unread(general), unread(chat)), (1, 42, 10));
        let alice = [Author { name: "alice", from: None, upto: None }];
        assert_eq!(book.count_by(1, &alice, (0, 99), 99).unwrap().lines, 21);

        book.commit(&[AccountEntry::Forget { party: 10 }.into()]).unwrap();
        let odd: Vec<u64> = (1..=40).filter(|id| !is_alices(*id)).collect();
        assert_eq!(ids(&lookup.lines(general, 0, 40, 99, 9999).unwrap()), odd);
        // A page is full, however many lines are passed over.
        assert_eq!(ids(&lookup.lines(general, 1, 40, 3, 9999).unwrap()), [3, 5, 7]);
        assert_eq!(ids(&lookup.lines(chat, 0, 40, 99, 9999).unwrap()), odd[..10]);
        let places = lookup.places(general, 0, 99, 99, 9999).unwrap().lines;
        assert_eq!(places.len(), 42);
        for line in places {
            let blank = line.text.is_empty() && line.author.is_empty() && line.account.is_none();
            assert_eq!(
                (line.erased, blank),
                (line.id < 42 && is_alices(line.id) || line.id == 41, line.erased)
            );
        }
        let channels = [("#general".to_owned(), 0)];
        for at in 1..=60 {
            let word = word(at);
            let phrases = [(word.as_str(), false)];
            let query = Query { party: Some(11), ..query(&phrases, &channels) };
            let found = lookup.search(&query, Sought::Everywhere, &soon()).unwrap().hits.len();
            assert_eq!(found, usize::from(!is_alices(at)), "{at}");
        }
        assert_eq!((mentions(), unread(general), unread(chat)), (0, 21, 0));
        assert!(lookup.lines_of(10, (0, 0), 7).unwrap().is_empty());
        assert_eq!(book.count_by(1, &alice, (0, 99), 99).unwrap().lines, 0);
    }
}

#[test]
fn a_copy_made_before_all_is_blanked_holds_none_of_it() {
    let [tried, _] = both();
    let (mut book, lookup) = tried.open();
    filled(&mut book);
    book.commit(&[by(10, said(1, 41, "alice", "not indexed yet qxyzzyz"))]).unwrap();
    assert!(book.waiting() > 0);
    book.commit(&[AccountEntry::Forget { party: 10 }.into()]).unwrap();
    assert!(book.erase(10, 8).unwrap(), "there is more to blank");
    let Place::Directory(directory) = &tried.place else { return };
    let copy = directory.join("copy.db");
    lookup.copy_to(&copy).unwrap();
    maintenance::blank_erased(&copy).unwrap();
    let bytes = fs::read(&copy).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|some| some == text.as_bytes());
    assert!(!holds("$argon2id$alices") && !holds("alice") && !holds("qxyzzyz"));
    for at in 1..=60 {
        assert_eq!(holds(&word(at)), !is_alices(at), "{at}");
    }
    assert_eq!(maintenance::faults_of(&copy).unwrap(), Vec::<String>::new());
    let copied = fs::read_dir(directory).unwrap().filter_map(|entry| {
        entry.unwrap().file_name().into_string().ok().filter(|name| name.starts_with("copy"))
    });
    assert_eq!(copied.collect::<Vec<_>>(), ["copy.db"]);
    // The server goes on with its own.
    assert_eq!(book.erasing().unwrap(), [10]);
}

#[test]
fn a_copy_made_right_after_forgetting_holds_none_of_it_in_unused_pages() {
    let [tried, _] = both();
    let (mut book, lookup) = tried.open();
    filled(&mut book);
    // Long and many enough to have whole pages to themselves.
    let texts: Vec<String> = (0..600).map(|at| format!("qsecretz{at} ").repeat(20)).collect();
    let long = (41..).zip(&texts).map(|(id, text)| by(10, said(1, id, "alice", text)));
    book.commit(&long.collect::<Vec<_>>()).unwrap();
    book.flush().unwrap();
    book.commit(&[AccountEntry::Forget { party: 10 }.into()]).unwrap();
    let Place::Directory(directory) = &tried.place else { return };
    let copy = directory.join("copy.db");
    lookup.copy_to(&copy).unwrap();
    let before = fs::metadata(&copy).unwrap().len();
    maintenance::blank_erased(&copy).unwrap();
    let bytes = fs::read(&copy).unwrap();
    assert!((bytes.len() as u64) < before * 2 / 3, "{} of {before}", bytes.len());
    for gone in ["qsecretz", "alice", "$argon2id$alices"] {
        assert!(!bytes.windows(gone.len()).any(|some| some == gone.as_bytes()), "{gone}");
    }
    let unused = |sql| Connection::open(&copy).unwrap().query_row(sql, (), |row| row.get(0));
    assert_eq!(unused("PRAGMA freelist_count"), Ok(0));
    assert_eq!(maintenance::faults_of(&copy).unwrap(), Vec::<String>::new());
}

#[test]
fn the_topics_and_the_reasons_of_an_account_go_with_it() {
    for tried in both() {
        let (mut book, lookup) = tried.open();
        filled(&mut book);
        let act = |by, setting| {
            let row = ActRow {
                time: 5,
                by,
                did: "set",
                target: None,
                until: None,
                setting,
                reason: Some("why"),
            };
            Entry::Rule { number: 1, rule: Rule::Act(row) }
        };
        let mark = |by, key| {
            let row = MarkRow {
                list: 0,
                key,
                target: key,
                party: None,
                account: None,
                by,
                time: 5,
                until: None,
                reason: Some("why"),
            };
            Entry::Rule { number: 1, rule: Rule::Mark(row) }
        };
        let topic = |number, by| Entry::Topic { number, topic: Some("a topic"), by };
        book.commit(&[
            DEV,
            topic(1, Some(10)),
            topic(2, Some(11)),
            act("Alice", Some("words +rude")),
            act("carol", Some("words +rude")),
            mark("alice", "@eve"),
            mark("carol", "@mallory"),
        ])
        .unwrap();
        assert_eq!(book.topics().unwrap(), [(1, 10), (2, 11)]);
        book.commit(&[AccountEntry::Forget { party: 10 }.into()]).unwrap();
        let told = |number| {
            let all = book.conversations().unwrap();
            all.into_iter().find(|row| row.number == number).unwrap().topic
        };
        assert_eq!((told(1), told(2).as_deref()), (None, Some("a topic")));
        assert_eq!(book.topics().unwrap(), [(2, 11)]);
        let acts = lookup.acts(Key::Channel("#general"), 9).unwrap();
        let kept: Vec<_> =
            acts.iter().map(|act| (act.setting.as_deref(), act.reason.as_deref())).collect();
        assert_eq!(kept, [(None, None), (Some("words +rude"), Some("why"))]);
        let reasons: Vec<_> = book.marks().unwrap().into_iter().map(|mark| mark.reason).collect();
        assert_eq!(reasons, [None, Some("why".to_owned())]);
        // Who sets it next has it, and so does nobody with an account.
        book.commit(&[topic(2, None)]).unwrap();
        assert!(book.topics().unwrap().is_empty());
    }
}
