//! Applies operations on accounts.

use rusqlite::{Transaction, params};

use crate::store::write_op::AccountOp;

pub(super) fn write(change: &Transaction<'_>, entry: AccountOp<'_>) -> rusqlite::Result<()> {
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        change.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match entry {
        AccountOp::Create { user_id, key, shown, password, created, admin } => execute(
            "INSERT INTO account (party, key, shown, password, created, seen, admin)
                VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
            params![user_id, key, shown, password, created, admin],
        ),
        AccountOp::Password { user_id, password } => {
            execute("UPDATE account SET password = ?2 WHERE party = ?1", params![user_id, password])
        }
        AccountOp::Seen { user_id, time } => execute(
            "UPDATE account SET seen = max(seen, ?2) WHERE party = ?1",
            params![user_id, time],
        ),
        AccountOp::Away { user_id, is_away, reason } => execute(
            "UPDATE account SET is_away = ?2, away = ?3 WHERE party = ?1",
            params![user_id, is_away, reason],
        ),
        AccountOp::Admin { user_id, admin } => {
            execute("UPDATE account SET admin = ?2 WHERE party = ?1", params![user_id, admin])
        }
        AccountOp::Token { hash, user_id, created } => execute(
            "INSERT INTO token (hash, party, created, used) VALUES (?1, ?2, ?3, ?3)",
            params![hash, user_id, created],
        ),
        AccountOp::TokenUsed { hash, time } => {
            execute("UPDATE token SET used = max(used, ?2) WHERE hash = ?1", params![hash, time])
        }
        AccountOp::Revoke { hash } => execute("DELETE FROM token WHERE hash = ?1", params![hash]),
        AccountOp::RevokeAll { user_id, except } => execute(
            "DELETE FROM token WHERE party = ?1 AND hash IS NOT ?2",
            params![user_id, except],
        ),
        AccountOp::Ignore { user_id, name, shown, other } => execute(
            "INSERT OR REPLACE INTO ignored (party, name, shown, other) VALUES (?1, ?2, ?3, ?4)",
            params![user_id, name, shown, other],
        ),
        AccountOp::Unignore { user_id, name } => {
            execute("DELETE FROM ignored WHERE party = ?1 AND name = ?2", params![user_id, name])
        }
        AccountOp::Member { user_id, number, marker, entered } => execute(
            "INSERT INTO member (party, number, marker, entered) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING",
            params![user_id, number, marker, entered],
        ),
        AccountOp::Marker { user_id, number, marker } => execute(
            // A late marker doesn't add a membership that has ended.
            "INSERT INTO member (party, number, marker, entered)
                SELECT ?1, ?2, ?3, 0 WHERE
                    EXISTS (SELECT 1 FROM member WHERE party = ?1 AND number = ?2)
                    OR EXISTS (SELECT 1 FROM conversation WHERE number = ?2 AND one IS NOT NULL)
                ON CONFLICT DO UPDATE SET marker = max(marker, excluded.marker)",
            params![user_id, number, marker],
        ),
        AccountOp::NotMember { user_id, number } => {
            execute("DELETE FROM member WHERE party = ?1 AND number = ?2", params![user_id, number])
        }
        AccountOp::Operator { number, user_id } => execute(
            "INSERT OR IGNORE INTO operator (number, party) VALUES (?1, ?2)",
            params![number, user_id],
        ),
        AccountOp::NotOperator { number, user_id } => execute(
            "DELETE FROM operator WHERE number = ?1 AND party = ?2",
            params![number, user_id],
        ),
        AccountOp::Forget { user_id } => forget(change, user_id),
        AccountOp::Redacted { user_id } => {
            execute("DELETE FROM wrote WHERE party = ?1", params![user_id])?;
            execute("DELETE FROM erasing WHERE party = ?1", params![user_id])
        }
    }
}

/// Deletes memberships, markers and operator rights of a conversation, and what the indexes of
/// authors have of it: some rows of each. Returns whether there may be more.
pub(in crate::store) fn forget_some_of(
    change: &Transaction<'_>,
    number: u32,
    most: usize,
) -> rusqlite::Result<bool> {
    some_of_each(
        change,
        number,
        most,
        &[
            "DELETE FROM member WHERE number = ?1 AND party IN
            (SELECT party FROM member WHERE number = ?1 LIMIT ?2)",
            "DELETE FROM operator WHERE number = ?1 AND party IN
            (SELECT party FROM operator WHERE number = ?1 LIMIT ?2)",
            "DELETE FROM wrote WHERE number = ?1 AND party IN
            (SELECT party FROM wrote WHERE number = ?1 LIMIT ?2)",
            "DELETE FROM author_block WHERE number = ?1 AND (author, block) IN
            (SELECT author, block FROM author_block WHERE number = ?1 LIMIT ?2)",
        ],
    )
}

/// Deletes what is left under a deleted account but its lines: some rows of each table. Returns
/// whether there may be more.
pub(in crate::store) fn forget_rest_of(
    change: &Transaction<'_>,
    user_id: u64,
    most: usize,
) -> rusqlite::Result<bool> {
    some_of_each(
        change,
        user_id,
        most,
        &[
            // The name is free for another owner.
            "DELETE FROM ignored WHERE (party, name) IN
            (SELECT party, name FROM ignored WHERE other = ?1 LIMIT ?2)",
            "DELETE FROM member WHERE party = ?1 AND number IN
            (SELECT number FROM member WHERE party = ?1 LIMIT ?2)",
            "DELETE FROM holder WHERE name IN (SELECT name FROM holder WHERE party = ?1 LIMIT ?2)",
            "UPDATE conversation SET one_name = '' WHERE number IN
            (SELECT number FROM conversation WHERE one = ?1 AND one_name <> '' LIMIT ?2)",
            "UPDATE conversation SET other_name = '' WHERE number IN
            (SELECT number FROM conversation WHERE other = ?1 AND other_name <> '' LIMIT ?2)",
        ],
    )
}

fn some_of_each(
    change: &Transaction<'_>,
    of: impl rusqlite::ToSql,
    most: usize,
    sql: &[&str],
) -> rusqlite::Result<bool> {
    let mut more = false;
    for sql in sql {
        more |= change.prepare_cached(sql)?.execute(params![of, most])? == most;
    }
    Ok(more)
}

/// Deletes an account and what commands find under it. The rest follows in steps, see
/// [`Writer::redact`](crate::store::Writer::redact); reads leave it out, since the account is in
/// the table `erasing`.
fn forget(change: &Transaction<'_>, user_id: u64) -> rusqlite::Result<()> {
    change.execute("INSERT OR IGNORE INTO erasing (party) VALUES (?1)", [user_id])?;
    for sql in [
        "UPDATE conversation SET topic = NULL, topic_by = NULL WHERE topic_by = ?1",
        "UPDATE mark SET reason = NULL WHERE \"by\" COLLATE NOCASE =
            (SELECT shown FROM account WHERE party = ?1)",
        "UPDATE act SET reason = NULL, setting = NULL WHERE \"by\" COLLATE NOCASE =
            (SELECT shown FROM account WHERE party = ?1)",
        "DELETE FROM once WHERE author = (SELECT key FROM account WHERE party = ?1)",
        "DELETE FROM account WHERE party = ?1",
        "DELETE FROM token WHERE party = ?1",
        "DELETE FROM ignored WHERE party = ?1",
        "DELETE FROM operator WHERE party = ?1",
    ] {
        change.execute(sql, [user_id])?;
    }
    Ok(())
}
