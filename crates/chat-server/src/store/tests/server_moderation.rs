//! Server moderation.

use super::*;

fn commit(writer: &mut Writer, entry: ServerModerationOp<'_>) {
    writer.commit(&[entry.into()]).unwrap();
}

fn act(time: i64) -> ServerModerationOp<'static> {
    ServerModerationOp::Log {
        time,
        author: None,
        did: "kill",
        whom: "bob",
        until: None,
        reason: None,
    }
}

#[test]
fn bans_and_invitations_are_stored_until_they_are_removed_used_or_expired() {
    for tried in both() {
        let (mut writer, _lookup) = tried.open();
        let ban = |key, shown, until| ServerModerationOp::Ban {
            key,
            shown,
            author: Some("alice"),
            created: 1,
            until,
            reason: Some("spam"),
        };
        commit(&mut writer, ban("@bob", "Bob", None));
        commit(&mut writer, ban("@bob", "bob", Some(10)));
        commit(&mut writer, ban("spam*", "spam*", None));
        commit(&mut writer, ban("10.0.0.0/8", "10.0.0.0/8", Some(20)));
        let shown = |writer: &Writer| -> Vec<String> {
            let mut rows = writer.server_bans().unwrap();
            rows.sort_by(|one, other| one.shown.cmp(&other.shown));
            rows.into_iter().map(|row| row.shown).collect()
        };
        assert_eq!(shown(&writer), ["10.0.0.0/8", "bob", "spam*"]);
        let bob = writer.server_bans().unwrap().into_iter().find(|row| row.shown == "bob").unwrap();
        assert_eq!(
            (bob.author.as_deref(), bob.created, bob.until, bob.reason.as_deref()),
            (Some("alice"), 1, Some(10), Some("spam"))
        );
        for (hash, until) in [([1; 32], 10), ([2; 32], 20), ([3; 32], 20)] {
            let author = None;
            commit(
                &mut writer,
                ServerModerationOp::Invitation { hash: &hash, author, created: 1, until },
            );
        }
        commit(&mut writer, ServerModerationOp::InvitationUsed { hash: &[2; 32] });
        commit(&mut writer, ServerModerationOp::Expire { now: 10 });
        commit(&mut writer, ServerModerationOp::Unban { key: "spam*" });
        assert_eq!(shown(&writer), ["10.0.0.0/8"]);
        let hashes: Vec<_> = writer.invitations().unwrap().iter().map(|row| row.hash).collect();
        assert_eq!(hashes, [[3; 32]]);
    }
}

#[test]
fn an_invitation_is_used_in_the_commit_that_creates_the_account() {
    for tried in both() {
        let (mut writer, _lookup) = tried.open();
        let hash = &[1; 32];
        let invitation =
            ServerModerationOp::Invitation { hash, author: None, created: 1, until: 10 };
        writer.commit(&[MADE, invitation.into()]).unwrap();
        let used = WriteOp::from(ServerModerationOp::InvitationUsed { hash });
        assert!(writer.commit(&[used, MADE]).is_err(), "the name has an account");
        assert_eq!(writer.invitations().unwrap().len(), 1);
    }
}

#[test]
fn the_audit_log_keeps_the_newest_actions_in_order() {
    for tried in both() {
        let (mut writer, _lookup) = tried.open();
        let most = i64::try_from(MAX_AUDIT_LOG).unwrap();
        let all: Vec<WriteOp<'_>> = (0..most + 5).map(|time| act(time).into()).collect();
        writer.commit(&all).unwrap();
        let acts = writer.acts().unwrap();
        assert_eq!(acts.len(), MAX_AUDIT_LOG);
        assert_eq!((acts[0].time, acts[MAX_AUDIT_LOG - 1].time), (5, most + 4));
        assert_eq!((&*acts[0].did, &*acts[0].whom, &acts[0].author), ("kill", "bob", &None));
    }
}
