//! Accounts and what belongs to them.

use super::*;

pub(super) const MADE: WriteOp<'_> = WriteOp::Account(AccountOp::Create {
    user_id: 10,
    key: "alice",
    shown: "Alice",
    password: "$argon2id$alices",
    created: 1000,
    admin: false,
});

pub(super) fn by(account: u64, line: WriteOp<'_>) -> WriteOp<'_> {
    match line {
        WriteOp::Line(message) => WriteOp::Line(NewLine { account: Some(account), ..message }),
        other => other,
    }
}

fn commit(writer: &mut Writer, entry: AccountOp<'_>) {
    writer.commit(&[entry.into()]).unwrap();
}

fn viewer(user_id: u64) -> Viewer<'static> {
    Viewer { user_id, hidden: &[], hidden_accounts: &[], fold }
}

/// The store after a restart; in memory it is the same one.
fn again(tried: &StoreFixture, parts: (Writer, Reader)) -> (Writer, Reader) {
    if tried.place == StoreLocation::Memory {
        return parts;
    }
    drop(parts);
    tried.open()
}

#[test]
fn an_account_is_stored_with_its_changes() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        assert_eq!(writer.greatest_party().unwrap(), 0);
        writer.commit(&[MADE]).unwrap();
        assert!(writer.commit(&[MADE]).is_err(), "the name has an account");
        commit(&mut writer, AccountOp::Password { user_id: 10, password: "$argon2id$other" });
        commit(&mut writer, AccountOp::Seen { user_id: 10, time: 3000 });
        commit(&mut writer, AccountOp::Seen { user_id: 10, time: 2000 });
        commit(&mut writer, AccountOp::Admin { user_id: 10, admin: true });
        let lunch = Some("lunch");
        commit(&mut writer, AccountOp::Away { user_id: 10, is_away: true, reason: lunch });
        let row = AccountRow {
            user_id: 10,
            key: "alice".to_owned(),
            shown: "Alice".to_owned(),
            password: "$argon2id$other".to_owned(),
            created: 1000,
            seen: 3000,
            is_away: true,
            away: lunch.map(str::to_owned),
            admin: true,
        };
        assert!(!format!("{row:?}").contains("argon2id"), "no hash comes into a log");
        let (mut writer, reader) = again(&tried, (writer, reader));
        assert_eq!(writer.accounts().unwrap(), std::slice::from_ref(&row));
        assert_eq!(reader.account("alice").unwrap(), Some(row));
        assert_eq!(reader.account("Alice").unwrap(), None);
        assert_eq!(writer.greatest_party().unwrap(), 10);
        commit(&mut writer, AccountOp::Away { user_id: 10, is_away: false, reason: None });
        let row = reader.account("alice").unwrap().unwrap();
        assert!(!row.is_away && row.away.is_none());
    }
}

#[test]
fn tokens_are_issued_used_and_revoked() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        let (one, two, others) = ([1; 32], [2; 32], [3; 32]);
        for (hash, user_id) in [(&one, 10), (&two, 10), (&others, 11)] {
            commit(&mut writer, AccountOp::Token { hash, user_id, created: 5 });
        }
        commit(&mut writer, AccountOp::TokenUsed { hash: &two, time: 9 });
        let (mut writer, _lookup) = again(&tried, (writer, reader));
        let row = |hash, user_id, used| TokenRow { hash, user_id, created: 5, used };
        let all = [row(one, 10, 5), row(two, 10, 9), row(others, 11, 5)];
        assert_eq!(writer.tokens().unwrap(), all);
        commit(&mut writer, AccountOp::RevokeAll { user_id: 10, except: Some(&two) });
        assert_eq!(writer.tokens().unwrap(), all[1..]);
        commit(&mut writer, AccountOp::Revoke { hash: &others });
        assert_eq!(writer.tokens().unwrap(), all[1..2]);
        commit(&mut writer, AccountOp::RevokeAll { user_id: 10, except: None });
        assert!(writer.tokens().unwrap().is_empty());
    }
}

#[test]
fn ignore_lists_memberships_and_operator_rights_are_stored() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL, DEV, CHAT, MADE]).unwrap();
        let ignore = AccountOp::Ignore { user_id: 10, name: "bob", shown: "Bob", other: Some(11) };
        for entry in [
            ignore,
            ignore,
            AccountOp::Ignore { user_id: 10, name: "eve", shown: "eve", other: None },
            AccountOp::Unignore { user_id: 10, name: "eve" },
            AccountOp::Member { user_id: 10, number: 1, marker: 4, entered: 70 },
            AccountOp::Member { user_id: 10, number: 2, marker: 0, entered: 80 },
            AccountOp::Marker { user_id: 10, number: 1, marker: 6 },
            AccountOp::Marker { user_id: 10, number: 1, marker: 5 },
            AccountOp::Member { user_id: 10, number: 1, marker: 0, entered: 99 },
            AccountOp::NotMember { user_id: 10, number: 2 },
            AccountOp::Marker { user_id: 10, number: 2, marker: 9 },
            AccountOp::Marker { user_id: 10, number: 3, marker: 2 },
            AccountOp::Operator { number: 1, user_id: 10 },
            AccountOp::Operator { number: 1, user_id: 10 },
            AccountOp::Operator { number: 2, user_id: 10 },
            AccountOp::Operator { number: 1, user_id: 11 },
            AccountOp::NotOperator { number: 2, user_id: 10 },
        ] {
            commit(&mut writer, entry);
        }
        let (mut writer, reader) = again(&tried, (writer, reader));
        let bob = IgnoredRow {
            user_id: 10,
            name: "bob".to_owned(),
            shown: "Bob".to_owned(),
            other: Some(11),
        };
        assert_eq!(writer.ignored().unwrap(), std::slice::from_ref(&bob));
        assert_eq!(reader.ignored_by(10).unwrap(), [bob]);
        assert!(reader.ignored_by(11).unwrap().is_empty());
        let row = |number, marker, entered| MemberRow { user_id: 10, number, marker, entered };
        // A late marker of a channel that was left creates nothing; of a private chat it is all
        // there is.
        writer.flush().unwrap();
        assert_eq!(writer.members().unwrap(), [row(1, 6, 70), row(3, 2, 0)]);
        assert_eq!(reader.member_of(10).unwrap().len(), 2);
        let runs = |user_id| OperatorRow { number: 1, user_id, inherited: false };
        assert_eq!(writer.operators().unwrap(), [runs(10), runs(11)]);
        assert_eq!(reader.operator_of(10).unwrap(), [1]);
        writer.forget_conversation(1).unwrap();
        assert_eq!(writer.members().unwrap(), [row(3, 2, 0)]);
        assert!(writer.operators().unwrap().is_empty());
    }
}

#[test]
fn unread_lines_are_counted_after_the_marker() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer
            .commit(&[
                GENERAL,
                DEV,
                CHAT,
                MADE,
                by(10, said(1, 1, "alice", "one")),
                said(1, 2, "carol", "two"),
                by(12, said(1, 3, "eve", "three")),
                by(10, said(1, 4, "alice", "four")),
                said(1, 5, "carol", "five"),
                said(2, 1, "carol", "not in there"),
                said(3, 1, "bob", "psst"),
                said(3, 2, "alice", "what?"),
                WriteOp::RedactedLine { number: 1, id: 6, time: 1_006_000 },
                AccountOp::Member { user_id: 10, number: 1, marker: 1, entered: 70 }.into(),
            ])
            .unwrap();
        let channel = |after, lines, others| UnreadLines {
            conversation: ConversationInfo::Channel("General".to_owned()),
            after,
            lines,
            others,
        };
        let chat = UnreadLines {
            conversation: ConversationInfo::Private(
                (10, 11),
                ("alice".to_owned(), "bob".to_owned()),
            ),
            after: 0,
            lines: 2,
            others: 1,
        };
        assert_eq!(all_unread(&reader, &viewer(10), 99), [channel(1, 4, 3), chat.clone()]);
        assert_eq!(all_unread(&reader, &viewer(10), 2), [channel(1, 2, 2), chat.clone()]);
        assert_eq!(all_unread(&reader, &viewer(11), 99), [chat], "that side's line is the other");
        assert!(all_unread(&reader, &viewer(13), 99).is_empty());
        let carol = ["carol".to_owned()];
        let hiding = Viewer { hidden: &carol, hidden_accounts: &[12], ..viewer(10) };
        assert_eq!(all_unread(&reader, &hiding, 99)[0], channel(1, 1, 0));
        let general = StoreKey::Channel("#general");
        let unread = reader.unread_in(general, 4, &viewer(10), 99).unwrap();
        assert_eq!(unread, Some(channel(4, 1, 1)));
        assert_eq!(reader.unread_in(StoreKey::Channel("#no"), 0, &viewer(10), 99).unwrap(), None);
        writer.raise_floor(1, 3).unwrap();
        let unread = reader.unread_in(general, 0, &viewer(10), 99).unwrap();
        assert_eq!(unread, Some(channel(3, 2, 1)), "what is kept no more isn't unread");
        for number in [1, 3] {
            commit(&mut writer, AccountOp::Marker { user_id: 10, number, marker: 5 });
        }
        assert!(all_unread(&reader, &viewer(10), 99).is_empty());
    }
}

#[test]
fn mentions_are_found_newest_last() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer.commit(&[GENERAL, DEV, CHAT, MADE]).unwrap();
        let lines = [
            said(1, 1, "carol", "old alice"),
            said(1, 2, "carol", "Hi ALICE, how are you?"),
            said(2, 3, "carol", "ask alice."),
            said(1, 4, "carol", "alice-2 is somebody else"),
            by(10, said(1, 5, "other", "I am alice")),
            said(1, 6, "Alice", "I, alice, was here before my account"),
            by(12, said(1, 7, "eve", "alice!")),
            said(3, 8, "bob", "alice in private"),
        ];
        writer.commit(&lines).unwrap();
        writer.flush().unwrap();
        writer.commit(&[said(1, 9, "carol", "alice, not in the index yet")]).unwrap();
        let channels = [("#general".to_owned(), 1), ("#dev".to_owned(), 0), ("#no".to_owned(), 0)];
        let asked = MentionQuery {
            viewer: viewer(10),
            name: "Alice",
            channels: &channels,
            before: None,
            most: 10,
        };
        let found = |asked: &MentionQuery<'_>| reader.mentions(asked, &soon()).unwrap();
        let all = ["Hi ALICE, how are you?", "ask alice.", "alice!", "alice, not in the index yet"];
        assert_eq!(texts(found(&asked)), all);
        let two = found(&MentionQuery { most: 2, ..asked });
        let next = two.next;
        assert_eq!(next, Some((1_007_000, 7)));
        assert_eq!(texts(two), all[2..]);
        assert_eq!(texts(found(&MentionQuery { before: next, ..asked })), all[..2]);
        let carol = ["carol".to_owned()];
        let hiding = Viewer { hidden: &carol, ..viewer(10) };
        assert_eq!(texts(found(&MentionQuery { viewer: hiding, ..asked })), ["alice!"]);
        let hiding = Viewer { hidden_accounts: &[12], ..viewer(10) };
        assert_eq!(found(&MentionQuery { viewer: hiding, ..asked }).hits.len(), 3);
        assert_eq!(found(&MentionQuery { name: "bob", ..asked }).hits.len(), 0);
    }
}

#[test]
fn a_search_omits_lines_of_ignored_accounts() {
    for tried in both() {
        let (mut writer, reader) = tried.open();
        writer
            .commit(&[GENERAL, by(12, said(1, 1, "eve", "hi")), said(1, 2, "eve", "hi there")])
            .unwrap();
        let channels = [("#general".to_owned(), 0)];
        let phrases = [("hi", false)];
        let query = FullTextQuery { hidden_accounts: &[12], ..query(&phrases, &channels) };
        assert_eq!(
            texts(reader.search(&query, SearchScope::Everywhere, &soon()).unwrap()),
            ["hi there"]
        );
    }
}
