//! Applies operations of server moderation.

use rusqlite::{Transaction, params};

use crate::store::write_op::ServerModerationOp;

/// Entries in the audit log. The oldest go first.
pub const MAX_AUDIT_LOG: usize = 2000;

pub(super) fn write(
    change: &Transaction<'_>,
    entry: ServerModerationOp<'_>,
) -> rusqlite::Result<()> {
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        change.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match entry {
        ServerModerationOp::Invitation { hash, author, created, until } => execute(
            "INSERT INTO invitation (hash, author, created, until) VALUES (?1, ?2, ?3, ?4)",
            params![hash, author, created, until],
        ),
        ServerModerationOp::InvitationUsed { hash } => {
            execute("DELETE FROM invitation WHERE hash = ?1", params![hash])
        }
        ServerModerationOp::Ban { key, shown, author, created, until, reason } => execute(
            "INSERT OR REPLACE INTO server_ban (key, shown, author, created, until, reason)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![key, shown, author, created, until, reason],
        ),
        ServerModerationOp::Unban { key } => {
            execute("DELETE FROM server_ban WHERE key = ?1", params![key])
        }
        ServerModerationOp::Expire { now } => {
            execute("DELETE FROM invitation WHERE until <= ?1", params![now])?;
            execute("DELETE FROM server_ban WHERE until <= ?1", params![now])
        }
        ServerModerationOp::Log { time, author, did, whom, until, reason } => {
            execute(
                "INSERT INTO server_act (time, author, did, whom, until, reason)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![time, author, did, whom, until, reason],
            )?;
            execute(
                "DELETE FROM server_act WHERE number <= last_insert_rowid() - ?1",
                params![MAX_AUDIT_LOG],
            )
        }
    }
}
