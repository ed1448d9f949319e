//! Redaction of an account.

use super::accounts::{MADE, by};
use super::*;

/// Unique words, long enough to be found in a file.
fn word(at: u64) -> String {
    // Multiplication spreads the numbers over 40 bits, so that neighbours differ.
    format!("q{:010x}z", (at * 0x9E_3779_B97F) % (1 << 40))
}

fn redact(writer: &mut Writer, user_id: u64) -> usize {
    let mut steps = 1;
    while writer.redact(user_id, 8).unwrap() {
        steps += 1;
    }
    steps
}

/// `alice` with account 10 and `bob` without one, in a channel and in private. Some of alice's
/// private lines precede her account.
fn filled(writer: &mut Writer) {
    let mut entries = vec![GENERAL, CHAT, MADE];
    let ignore = |user_id, other, name| {
        WriteOp::from(AccountOp::Ignore { user_id, name, shown: name, other })
    };
    entries.extend([
        AccountOp::Token { hash: &[1; 32], user_id: 10, created: 5 }.into(),
        AccountOp::Member { user_id: 10, number: 1, marker: 1, entered: 70 }.into(),
        AccountOp::Operator { number: 1, user_id: 10 }.into(),
        WriteOp::HoldName { name: "alice", user_id: 10, since: 5 },
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
    writer.commit(&entries).unwrap();
}

fn is_alices(at: u64) -> bool {
    at.is_multiple_of(2)
}

#[test]
fn lines_of_an_account_are_redacted_in_steps_and_the_rest_stays() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        filled(&mut writer);
        let mut last = said(1, 41, "alice", "not indexed yet xyzzy");
        if let WriteOp::Line(message) = &mut last {
            message.once = Some(("alice", "key"));
        }
        writer.commit(&[by(10, last)]).unwrap();
        assert!(writer.waiting() > 0);
        writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
        assert!(writer.accounts().unwrap().is_empty() && writer.tokens().unwrap().is_empty());
        assert!(writer.members().unwrap().is_empty() && writer.operators().unwrap().is_empty());
        assert!(writer.holders().unwrap().is_empty());
        assert_eq!(writer.said_once("alice", "key", 0).unwrap(), None);
        let ignored = writer.ignored().unwrap();
        assert_eq!(ignored.len(), 1, "only one who ignores somebody else: {ignored:?}");
        assert_eq!(writer.greatest_party().unwrap(), 11);
        // Half done; then another process continues.
        assert!(writer.redact(10, 8).unwrap());
        let (mut writer, reader) = if tried.place == StoreLocation::Memory {
            (writer, reader)
        } else {
            drop((writer, reader));
            tried.open()
        };
        assert_eq!(writer.pending_redactions().unwrap(), [10]);
        assert_eq!(redact(&mut writer, 10), 3, "31 lines in all");
        writer.commit(&[AccountOp::Redacted { user_id: 10 }.into()]).unwrap();
        assert!(writer.pending_redactions().unwrap().is_empty());

        let general = StoreKey::Channel("#general");
        let odd: Vec<u64> = (1..=40).filter(|id| !is_alices(*id)).collect();
        assert_eq!(ids(&reader.lines(general, 0, 99, 99, 9999).unwrap()), odd);
        assert_eq!(ids(&reader.lines(general, 10, 20, 3, 9999).unwrap()), [11, 13, 15]);
        let chat = reader.lines(StoreKey::Private(10, 11), 0, 99, 99, 9999).unwrap();
        assert!(chat.lines.iter().all(|line| line.by_other) && chat.lines.len() == 10);
        assert_eq!(chat.names, (String::new(), "bob".to_owned()));
        for at in 1..=40 {
            let found = search(&reader, &[(&word(at), false)]);
            assert_eq!(found.len(), usize::from(!is_alices(at)), "{at}");
        }
        assert!(search(&reader, &[("xyzzy", false)]).is_empty());
        assert_eq!(reader.ends(general).unwrap().1, 41, "no id is given twice");
        assert_eq!(writer.last_before(1, 0, 1_020_500, 99).unwrap().0, 20, "times are still known");
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
        let places = reader.all_lines(general, 0, 99, 99, 9999).unwrap().lines;
        assert_eq!(places.len(), 41);
        assert!(places.iter().all(|line| line.redacted == line.text.is_empty()));
        // Retention passes redacted lines.
        writer.raise_floor(1, 41).unwrap();
        while writer.sweep(1, 7).unwrap() > 0 {}
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
        assert!(search(&reader, &[("said", false)]).is_empty());
    }
}

#[test]
fn nothing_of_it_is_in_the_file_or_in_a_copy_of_it() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    filled(&mut writer);
    let StoreLocation::Directory(directory) = &tried.place else { return };
    let holds = |file: &Path, text: &str| {
        let bytes = fs::read(file).unwrap();
        bytes.windows(text.len()).any(|some| some == text.as_bytes())
    };
    writer.checkpoint().unwrap();
    let live = directory.join(FILE);
    assert!((1..=60).all(|at| holds(&live, &word(at))) && holds(&live, "$argon2id$alices"));
    let password = AccountOp::Password { user_id: 10, password: "$argon2id$new" };
    writer.commit(&[password.into()]).unwrap();
    writer.checkpoint().unwrap();
    assert!(!holds(&live, "$argon2id$alices"));

    writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
    redact(&mut writer, 10);
    let copy = directory.join("copy.db");
    reader.copy_to(&copy).unwrap();
    writer.checkpoint().unwrap();
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
    let (mut writer, _) = tried.open();
    filled(&mut writer);
    writer.commit(&[by(10, said(1, 41, "alice", "qxyzzyz"))]).unwrap();
    writer.flush().unwrap();
    drop(writer);
    let StoreLocation::Directory(directory) = &tried.place else { return };
    let holds = || {
        let files = [JOURNAL_FILE, "recent.db-wal"].map(|name| fs::read(directory.join(name)));
        files.into_iter().any(|bytes| bytes.unwrap().windows(7).any(|some| some == b"qxyzzyz"))
    };
    let (mut writer, _) = tried.open();
    assert!(holds(), "the file of the tables may not have it yet");
    writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
    // Afterwards the journal goes on, also between two steps.
    let row = writer.last_row();
    let mut ids = 42..;
    wipe(&mut writer, row, |writer| {
        let id = ids.next().unwrap();
        writer.commit(&[said(1, id, "carol", "goes on")]).unwrap();
    });
    assert!(!holds());
    drop(writer);
    let (mut writer, reader) = tried.open();
    let last = ids.next().unwrap();
    writer.commit(&[said(1, last, "carol", "and on")]).unwrap();
    assert_eq!(reader.ends(StoreKey::Channel("#general")).unwrap().1, last);
}

/// Wipes the journal; returns the steps.
fn wipe(writer: &mut Writer, row: i64, mut between: impl FnMut(&mut Writer)) -> usize {
    let mut steps = 1;
    while writer.chore_step(Chore::Wipe { row }).unwrap().progress != Progress::Done {
        between(writer);
        steps += 1;
        assert!(steps < 1000, "it comes to an end");
    }
    steps
}

/// A deletion rewrote the whole journal at once, and no line was stored meanwhile.
#[test]
fn a_long_journal_is_wiped_in_steps_between_which_lines_are_stored() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    filled(&mut writer);
    let secret = "qsecretz".repeat(100);
    for id in 41..=640 {
        writer.commit(&[by(10, said(1, id, "alice", &secret))]).unwrap();
    }
    writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
    let row = writer.last_row();
    let mut ids = 641..;
    let steps = wipe(&mut writer, row, |writer| {
        writer.commit(&[said(1, ids.next().unwrap(), "carol", "goes on")]).unwrap();
    });
    assert!(steps > 5, "{steps}");
    let StoreLocation::Directory(directory) = &tried.place else { return };
    for name in [JOURNAL_FILE, "recent.db-wal"] {
        let bytes = fs::read(directory.join(name)).unwrap();
        assert!(!bytes.windows(8).any(|some| some == b"qsecretz"), "{name}");
    }
    assert_eq!(reader.ends(StoreKey::Channel("#general")).unwrap().1 + 1, ids.next().unwrap());
    assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
}

/// The commit deleted all rows under the account, however many.
#[test]
fn a_deletion_writes_few_rows_and_the_rest_follows_in_steps() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        filled(&mut writer);
        let names: Vec<String> = (0..450).map(|at| format!("held{at}")).collect();
        let mut entries = Vec::new();
        for (at, name) in (0..).zip(&names) {
            entries.push(WriteOp::HoldName { name, user_id: 10, since: 1 });
            let (user_id, other) = (1000 + u64::from(at), Some(10));
            entries
                .push(AccountOp::Ignore { user_id, name: "alice", shown: "alice", other }.into());
            entries.push(WriteOp::Private {
                number: 100 + at,
                one: 10,
                other: user_id,
                one_name: "alice",
                other_name: name,
            });
            let number = 100 + at;
            entries.push(AccountOp::Member { user_id: 10, number, marker: 1, entered: 1 }.into());
        }
        writer.commit(&entries).unwrap();
        let rows = |writer: &Writer| {
            let sql = "SELECT (SELECT count(*) FROM holder WHERE party = 10)
                + (SELECT count(*) FROM ignored WHERE other = 10)
                + (SELECT count(*) FROM member WHERE party = 10)
                + (SELECT count(*) FROM conversation WHERE one_name = 'alice')";
            let connection = crate::util::sync::lock(writer.connection());
            connection.query_row(sql, (), |row| row.get::<_, u32>(0)).unwrap()
        };
        let before = rows(&writer);
        assert!(before >= 4 * 450);
        writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
        assert_eq!(rows(&writer), before, "the commit takes as long as for a small account");
        // But none of it is found.
        let is_found = |writer: &Writer, reader: &Reader| {
            let names = reader.lines(StoreKey::Private(10, 1000), 0, 9, 9, 99).unwrap().names;
            let told = writer.conversations().unwrap();
            !names.0.is_empty()
                || told.iter().any(|row| row.one_name == "alice")
                || writer.holders().unwrap().iter().any(|row| row.user_id == 10)
                || writer.members().unwrap().iter().any(|row| row.user_id == 10)
                || writer.ignored().unwrap().iter().any(|row| row.other == Some(10))
        };
        assert!(!is_found(&writer, &reader));
        let mut steps = 0;
        while rows(&writer) > 0 {
            assert!(writer.redact(10, 8).unwrap());
            steps += 1;
        }
        assert_eq!(steps, 3, "200 rows of each table in a step");
        redact(&mut writer, 10);
        writer.commit(&[AccountOp::Redacted { user_id: 10 }.into()]).unwrap();
        assert!(!is_found(&writer, &reader));
    }
}

#[test]
fn the_flusher_redacts_in_turns_between_commits() {
    for tried in both() {
        let (mut writer, _reader) = tried.open();
        writer.commit(&[GENERAL]).unwrap();
        let lines: Vec<_> =
            (1..=400).map(|id| by(10, said(1, id, "alice", "a few words"))).collect();
        writer.commit(&lines).unwrap();
        writer.flush().unwrap();
        writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
        writer.start_chore(Chore::Redact { user_id: 10 });
        let left = |writer: &Writer| {
            let connection = crate::util::sync::lock(writer.connection());
            let sql = "SELECT count(*) FROM line WHERE author = 'alice'";
            connection.query_row(sql, (), |row| row.get::<_, usize>(0)).unwrap()
        };
        // The committing thread does nothing of it.
        writer.commit(&[said(1, 401, "carol", "hello")]).unwrap();
        assert!(!writer.has_report() && left(&writer) == 400);
        let flusher = writer.flusher();
        let (ended, is_ended) = std::sync::mpsc::sync_channel(1);
        std::thread::scope(|threads| {
            let flusher = &flusher;
            threads.spawn(move || flusher.run(|| ended.send(()).unwrap()));
            for turn in 1.. {
                is_ended.recv().unwrap();
                let report = writer.take_report().unwrap().unwrap();
                assert!(
                    left(&writer) >= 400_usize.saturating_sub(turn * 16 * 8),
                    "a turn is short"
                );
                writer.commit(&[said(1, 401 + turn as u64, "carol", "and on")]).unwrap();
                if report.progress == Progress::Done {
                    assert_eq!(left(&writer), 0);
                    break;
                }
                writer.start_chore(Chore::Redact { user_id: 10 });
            }
            flusher.stop();
        });
    }
}

#[test]
fn lines_of_an_account_include_private_ones_from_before() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        filled(&mut writer);
        let mut written = Vec::new();
        let mut after = (0, 0);
        loop {
            let page = reader.lines_of(10, after, 7).unwrap();
            let Some(last) = page.last() else { break };
            after = (last.number, last.line.id);
            written.extend(page.into_iter().map(|line| (line.number, line.line.id)));
        }
        let evens =
            |number, upto| (1..=upto).filter(|id| is_alices(*id)).map(move |id| (number, id));
        assert_eq!(written, evens(1, 40).chain(evens(3, 20)).collect::<Vec<_>>());
        assert!(reader.lines_of(12, (0, 0), 7).unwrap().is_empty());
    }
}

#[test]
fn redacted_lines_are_imported_and_exported() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        let blank = WriteOp::RedactedLine { number: 1, id: 2, time: 1_002_000 };
        writer.commit(&[GENERAL, said(1, 1, "carol", "one"), blank]).unwrap();
        let (mut writer, reader) = if tried.place == StoreLocation::Memory {
            (writer, reader)
        } else {
            drop((writer, reader));
            tried.open()
        };
        writer.commit(&[said(1, 3, "carol", "three")]).unwrap();
        assert_eq!(
            ids(&reader.lines(StoreKey::Channel("#general"), 0, 9, 9, 999).unwrap()),
            [1, 3]
        );
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
        writer.raise_floor(1, 3).unwrap();
        assert_eq!(writer.sweep(1, 9).unwrap(), 3);
    }
}

#[test]
fn lines_to_be_redacted_are_hidden_from_the_commit_on() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        filled(&mut writer);
        writer.commit(&[by(10, said(1, 41, "alice", "carol, look"))]).unwrap();
        writer.commit(&[said(1, 42, "carol", "I look")]).unwrap();
        let viewer = Viewer { user_id: 11, hidden: &[], hidden_accounts: &[], fold };
        let channels = [("#general".to_owned(), 0)];
        let channels = channels.as_slice();
        let asked = MentionQuery { viewer, name: "carol", channels, before: None, most: 9 };
        let mentions = || reader.mentions(&asked, &soon()).unwrap().hits.len();
        let (general, chat) = (StoreKey::Channel("#general"), StoreKey::Private(10, 11));
        let unread = |of| reader.unread_in(of, 0, &viewer, 99).unwrap().unwrap().others;
        assert_eq!((mentions(), unread(general), unread(chat)), (1, 42, 10));
        let alice = [AuthorPeriod { name: "alice", from: None, upto: None }];
        assert_eq!(writer.count_by(1, &alice, (0, 99), 99).unwrap().lines, 21);

        writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
        let odd: Vec<u64> = (1..=40).filter(|id| !is_alices(*id)).collect();
        assert_eq!(ids(&reader.lines(general, 0, 40, 99, 9999).unwrap()), odd);
        // A page is full, however many lines are omitted.
        assert_eq!(ids(&reader.lines(general, 1, 40, 3, 9999).unwrap()), [3, 5, 7]);
        assert_eq!(ids(&reader.lines(chat, 0, 40, 99, 9999).unwrap()), odd[..10]);
        let places = reader.all_lines(general, 0, 99, 99, 9999).unwrap().lines;
        assert_eq!(places.len(), 42);
        for line in places {
            let blank = line.text.is_empty() && line.author.is_empty() && line.account.is_none();
            assert_eq!(
                (line.redacted, blank),
                (line.id < 42 && is_alices(line.id) || line.id == 41, line.redacted)
            );
        }
        let channels = [("#general".to_owned(), 0)];
        for at in 1..=60 {
            let word = word(at);
            let phrases = [(word.as_str(), false)];
            let query = FullTextQuery { user_id: Some(11), ..query(&phrases, &channels) };
            let found = reader.search(&query, SearchScope::Everywhere, &soon()).unwrap().hits.len();
            assert_eq!(found, usize::from(!is_alices(at)), "{at}");
        }
        assert_eq!((mentions(), unread(general), unread(chat)), (0, 21, 0));
        assert!(reader.lines_of(10, (0, 0), 7).unwrap().is_empty());
        assert_eq!(writer.count_by(1, &alice, (0, 99), 99).unwrap().lines, 0);
    }
}

#[test]
fn a_copy_during_a_redaction_has_none_of_the_lines() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    filled(&mut writer);
    writer.commit(&[by(10, said(1, 41, "alice", "not indexed yet qxyzzyz"))]).unwrap();
    assert!(writer.waiting() > 0);
    writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
    assert!(writer.redact(10, 8).unwrap(), "there is more to blank");
    let StoreLocation::Directory(directory) = &tried.place else { return };
    let copy = directory.join("copy.db");
    reader.copy_to(&copy).unwrap();
    maintenance::redact_copy(&copy).unwrap();
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
    // The server continues with its own.
    assert_eq!(writer.pending_redactions().unwrap(), [10]);
}

#[test]
fn a_copy_right_after_a_deletion_has_none_of_it_in_free_pages() {
    let [tried, _] = both();
    let (mut writer, reader) = tried.open();
    filled(&mut writer);
    // Long and many enough to fill whole pages.
    let texts: Vec<String> = (0..600).map(|at| format!("qsecretz{at} ").repeat(20)).collect();
    let long = (41..).zip(&texts).map(|(id, text)| by(10, said(1, id, "alice", text)));
    writer.commit(&long.collect::<Vec<_>>()).unwrap();
    writer.flush().unwrap();
    writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
    let StoreLocation::Directory(directory) = &tried.place else { return };
    let copy = directory.join("copy.db");
    reader.copy_to(&copy).unwrap();
    let before = fs::metadata(&copy).unwrap().len();
    maintenance::redact_copy(&copy).unwrap();
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
fn topics_and_reasons_of_an_account_are_deleted_with_it() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        filled(&mut writer);
        let act = |by, setting| {
            let row = NewModAction {
                time: 5,
                by,
                did: "set",
                target: None,
                until: None,
                setting,
                reason: Some("why"),
            };
            WriteOp::ChannelModeration { number: 1, op: ChannelModerationOp::Log(row) }
        };
        let mark = |by, key| {
            let row = NewListEntry {
                list: 0,
                key,
                target: key,
                user_id: None,
                account: None,
                by,
                time: 5,
                until: None,
                reason: Some("why"),
            };
            WriteOp::ChannelModeration { number: 1, op: ChannelModerationOp::AddListEntry(row) }
        };
        let topic = |number, by| WriteOp::Topic { number, topic: Some("a topic"), by };
        writer
            .commit(&[
                DEV,
                topic(1, Some(10)),
                topic(2, Some(11)),
                act("Alice", Some("words +rude")),
                act("carol", Some("words +rude")),
                mark("alice", "@eve"),
                mark("carol", "@mallory"),
            ])
            .unwrap();
        assert_eq!(writer.topics().unwrap(), [(1, 10), (2, 11)]);
        writer.commit(&[AccountOp::Forget { user_id: 10 }.into()]).unwrap();
        let output = |number| {
            let all = writer.conversations().unwrap();
            all.into_iter().find(|row| row.number == number).unwrap().topic
        };
        assert_eq!((output(1), output(2).as_deref()), (None, Some("a topic")));
        assert_eq!(writer.topics().unwrap(), [(2, 11)]);
        let acts = reader.acts(StoreKey::Channel("#general"), 9).unwrap();
        let kept: Vec<_> =
            acts.iter().map(|act| (act.setting.as_deref(), act.reason.as_deref())).collect();
        assert_eq!(kept, [(None, None), (Some("words +rude"), Some("why"))]);
        let reasons: Vec<_> = writer.marks().unwrap().into_iter().map(|mark| mark.reason).collect();
        assert_eq!(reasons, [None, Some("why".to_owned())]);
        // The next account to set it owns it; without an account no one does.
        writer.commit(&[topic(2, None)]).unwrap();
        assert!(writer.topics().unwrap().is_empty());
    }
}
