//! Commands of server operators, to the store and back.

use chat_proto::ban_mask::ServerBanMask;
use chat_proto::event::{ServerBan, Term};
use chat_proto::name::UserName;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::admin::command::{AdminAction, AdminCommand, AuditEntry};
use crate::hub::admin::server_moderation::{Invitation, StoredServerModeration};
use crate::hub::id::TokenHash;
use crate::hub::id::UserId;
use crate::hub::limits::MAX_AUDIT_ENTRIES;
use crate::store::{AccountOp, MAX_AUDIT_LOG, ServerModerationOp, StoreError, WriteOp, Writer};

const _: () =
    assert!(MAX_AUDIT_ENTRIES == MAX_AUDIT_LOG, "the hub and the store keep as many entries");

/// The stored server moderation.
pub(super) fn load(writer: &Writer) -> Result<StoredServerModeration, StoreError> {
    let name = |name: Option<String>| name.and_then(|name| UserName::new(&name).ok());
    let invitations = writer.invitations()?.into_iter().map(|row| {
        let (created, until) = (Timestamp(row.created), Timestamp(row.until));
        (TokenHash(row.hash), Invitation::new(name(row.author), created, until))
    });
    let bans = writer.server_bans()?.into_iter().filter_map(|row| {
        let Ok(target) = ServerBanMask::read(&row.shown) else {
            tracing::warn!(
                target = row.shown,
                "a server ban is skipped: its target isn't valid any more"
            );
            return None;
        };
        let term = row.until.map_or(Term::Permanent, |until| Term::Until(Timestamp(until)));
        let reason = row.reason.as_deref().and_then(Text::new);
        Some(ServerBan { target, by: name(row.author), time: Timestamp(row.created), term, reason })
    });
    let acts = writer.acts()?.into_iter().map(|row| AuditEntry {
        time: Timestamp(row.time),
        by: name(row.author),
        did: row.did.into(),
        whom: row.whom.into(),
        until: row.until.map(Timestamp),
        reason: row.reason.as_deref().and_then(Text::new),
    });
    Ok(StoredServerModeration {
        bans: bans.collect(),
        invitations: invitations.collect(),
        acts: acts.collect(),
    })
}

/// The account that a command changes.
pub(super) fn user_id(command: &AdminCommand) -> Option<UserId> {
    match &command.what {
        AdminAction::Admin { user_id, .. }
        | AdminAction::Password { user_id, .. }
        | AdminAction::Delete { user_id } => Some(*user_id),
        AdminAction::Kill(_)
        | AdminAction::Announce(_)
        | AdminAction::Invitation { .. }
        | AdminAction::Ban(..)
        | AdminAction::Unban(..) => None,
    }
}

/// The write operations of a command: its effect, and its audit entry.
pub(super) fn add_entries<'a>(command: &'a AdminCommand, entries: &mut Vec<WriteOp<'a>>) {
    let AuditEntry { time, by, whom, until, reason, .. } = &command.act;
    let author = by.as_ref().map(UserName::as_str);
    match &command.what {
        AdminAction::Kill(_) | AdminAction::Announce(_) => {}
        AdminAction::Invitation { hash, until, .. } => {
            let (hash, created, until) = (hash.bytes(), time.0, until.0);
            entries.push(ServerModerationOp::Invitation { hash, author, created, until }.into());
        }
        AdminAction::Ban(_, key) => {
            let (shown, created, until) = (&**whom, time.0, until.map(|until| until.0));
            let reason = reason.as_ref().map(Text::as_str);
            entries.push(
                ServerModerationOp::Ban { key, shown, author, created, until, reason }.into(),
            );
        }
        AdminAction::Unban(_, key) => entries.push(ServerModerationOp::Unban { key }.into()),
        AdminAction::Admin { user_id: UserId(user_id), admin } => {
            entries.push(AccountOp::Admin { user_id: *user_id, admin: *admin }.into());
        }
        AdminAction::Delete { user_id: UserId(user_id) } => {
            entries.push(AccountOp::Forget { user_id: *user_id }.into());
        }
        AdminAction::Password { user_id: UserId(user_id), password } => {
            let user_id = *user_id;
            entries.push(AccountOp::Password { user_id, password }.into());
            entries.push(AccountOp::RevokeAll { user_id, except: None }.into());
        }
    }
    entries.push(record(&command.act));
}

/// The write operation of an audit entry.
pub(super) fn record(act: &AuditEntry) -> WriteOp<'_> {
    let AuditEntry { time, by, did, whom, until, reason } = act;
    let act = ServerModerationOp::Log {
        time: time.0,
        author: by.as_ref().map(UserName::as_str),
        did,
        whom,
        until: until.map(|until| until.0),
        reason: reason.as_ref().map(Text::as_str),
    };
    act.into()
}
