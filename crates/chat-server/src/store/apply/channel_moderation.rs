//! Applies operations on the moderation state of channels.

use rusqlite::{Transaction, params};

use crate::store::write_op::{
    AuthorPeriod, ChannelModerationOp, NewListEntry, NewModAction, PurgeOp,
};

/// Entries per moderation log. The oldest go first.
const MAX_ACTS: u32 = 1000;

pub(super) fn write(
    change: &Transaction<'_>,
    number: u32,
    rule: ChannelModerationOp<'_>,
) -> rusqlite::Result<()> {
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        change.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match rule {
        ChannelModerationOp::Setting { name, value } => execute(
            "INSERT OR REPLACE INTO setting (number, name, value) VALUES (?1, ?2, ?3)",
            params![number, name, value],
        ),
        ChannelModerationOp::AddListEntry(row) => {
            let NewListEntry { list, key, target, user_id, account, by, time, until, reason } = row;
            execute(
                "INSERT OR REPLACE INTO mark
                    (number, list, key, target, party, account, \"by\", time, until, reason)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![number, list, key, target, user_id, account, by, time, until, reason],
            )
        }
        ChannelModerationOp::RemoveListEntry { list, key, ended } => execute(
            "DELETE FROM mark WHERE number = ?1 AND list = ?2 AND key = ?3
                AND (?4 IS NULL OR until <= ?4)",
            params![number, list, key, ended],
        ),
        ChannelModerationOp::GrantOperator { user_id, inherited } => execute(
            "INSERT INTO operator (number, party, inherited) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET inherited = min(inherited, excluded.inherited)",
            params![number, user_id, inherited],
        ),
        ChannelModerationOp::RevokeOperator { user_id } => execute(
            "DELETE FROM operator WHERE number = ?1 AND party = ?2",
            params![number, user_id],
        ),
        ChannelModerationOp::Log(row) => {
            let NewModAction { time, by, did, target, until, setting, reason } = row;
            execute(
                "INSERT INTO act (number, at, time, \"by\", did, target, until, setting, reason)
                    SELECT ?1, coalesce(max(at), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM act
                    WHERE number = ?1",
                params![number, time, by, did, target, until, setting, reason],
            )?;
            execute(
                "DELETE FROM act WHERE number = ?1
                    AND at <= (SELECT max(at) FROM act WHERE number = ?1) - ?2",
                params![number, MAX_ACTS],
            )
        }
        ChannelModerationOp::Purge(purge) => begin_purge(change, number, &purge),
        ChannelModerationOp::Clear => {
            for table in ["setting", "mark", "act", "operator", "member", "pending_purge"] {
                execute(&format!("DELETE FROM {table} WHERE number = ?1"), params![number])?;
            }
            Ok(())
        }
    }
}

/// Hides the lines from this commit on. Extends a pending purge of the same author.
fn begin_purge(change: &Transaction<'_>, number: u32, purge: &PurgeOp<'_>) -> rusqlite::Result<()> {
    let PurgeOp { author: AuthorPeriod { name, from, upto: until }, upto } = *purge;
    let goes_on = change
        .prepare_cached(
            "UPDATE pending_purge SET upto = max(upto, ?5)
                WHERE number = ?1 AND author = ?2 AND since IS ?3 AND until IS ?4",
        )?
        .execute(params![number, name, from, until, upto])?;
    if goes_on == 0 {
        change
            .prepare_cached(
                "INSERT INTO pending_purge (number, author, since, until, upto)
                    VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![number, name, from, until, upto])?;
    }
    Ok(())
}
