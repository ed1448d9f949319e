//! Applies write operations to the tables.
//!
//! * [`accounts`]: operations on accounts.
//! * [`channel_moderation`]: operations on the moderation state of channels.
//! * [`server_moderation`]: operations of server moderation.

mod accounts;
mod channel_moderation;
mod server_moderation;

use rusqlite::{CachedStatement, Connection, Transaction, params};

pub(super) use self::accounts::{forget_rest_of, forget_some_of};
pub use self::server_moderation::MAX_AUDIT_LOG;
use super::row::{REDACTED, rowid};
use super::write_op::{LineColumns, NewLine, WriteOp};

pub(super) fn write(change: &Transaction<'_>, entries: &[WriteOp<'_>]) -> rusqlite::Result<()> {
    let mut line = Lazy::new(
        change,
        "INSERT INTO line (place, time, author, flags, text, account) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    );
    let mut wrote =
        Lazy::new(change, "INSERT OR IGNORE INTO wrote (party, number) VALUES (?1, ?2)");
    for entry in entries {
        match *entry {
            WriteOp::Line(message) => {
                let NewLine { number, id, time, once, .. } = message;
                let place = rowid(number, id);
                let columns = message.columns();
                let LineColumns { account, author, text, .. } = columns;
                let flags = columns.flags_with_sum(place, time);
                line.get()?.execute(params![place, time, author, flags, text, account])?;
                if let Some(account) = account {
                    wrote.get()?.execute(params![account, number])?;
                }
                if let Some((author, key)) = once {
                    change
                        .prepare_cached(
                            "INSERT OR REPLACE INTO once (author, key, number, id, time)
                                VALUES (?1, ?2, ?3, ?4, ?5)",
                        )?
                        .execute(params![author, key, number, id, time])?;
                }
            }
            WriteOp::RedactedLine { number, id, time } => {
                let place = rowid(number, id);
                line.get()?.execute(params![place, time, "", REDACTED, "", None::<u64>])?;
            }
            other => write_other(change, other)?,
        }
    }
    Ok(())
}

pub(super) fn write_other(change: &Transaction<'_>, entry: WriteOp<'_>) -> rusqlite::Result<()> {
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        change.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match entry {
        WriteOp::Line(_) | WriteOp::RedactedLine { .. } => Ok(()),
        WriteOp::Account(entry) => accounts::write(change, entry),
        WriteOp::ServerModeration(entry) => server_moderation::write(change, entry),
        WriteOp::ChannelClosed { number } => execute(
            "UPDATE conversation SET open = 0, topic = NULL, topic_by = NULL WHERE number = ?1",
            params![number],
        ),
        WriteOp::ChannelModeration { number, op: rule } => channel_moderation::write(change, number, rule),
        WriteOp::Channel { number, name, shown, topic, open } => execute(
            "INSERT INTO conversation (number, name, shown, topic, open) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (number) DO UPDATE SET shown = ?3, topic = ?4, topic_by = NULL, open = ?5",
            params![number, name, shown, topic, open],
        ),
        WriteOp::Private { number, one, other, one_name, other_name } => execute(
            "INSERT INTO conversation (number, one, other, one_name, other_name)
                VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (number) DO UPDATE SET one_name = ?4, other_name = ?5",
            params![number, one, other, one_name, other_name],
        ),
        WriteOp::Topic { number, topic, by } => execute(
            "UPDATE conversation SET topic = ?2, topic_by = ?3 WHERE number = ?1",
            params![number, topic, by],
        ),
        WriteOp::Floor { number, floor } => execute(
            "UPDATE conversation SET floor = max(floor, ?2), last = max(last, ?2) WHERE number = ?1",
            params![number, floor],
        ),
        WriteOp::OutOfOrder { number, id } => execute(
            "UPDATE conversation SET unordered = max(unordered, ?2) WHERE number = ?1",
            params![number, id],
        ),
        WriteOp::HoldName { name, user_id, since } => execute(
            "INSERT OR REPLACE INTO holder (name, party, since) VALUES (?1, ?2, ?3)",
            params![name, user_id, since],
        ),
        WriteOp::ReleaseName { name } => {
            execute("DELETE FROM holder WHERE name = ?1", params![name])
        }
    }
}

/// A statement that is prepared on first use.
struct Lazy<'a> {
    on: &'a Connection,
    sql: &'static str,
    made: Option<CachedStatement<'a>>,
}

impl<'a> Lazy<'a> {
    fn new(on: &'a Connection, sql: &'static str) -> Self {
        Self { on, sql, made: None }
    }

    fn get(&mut self) -> rusqlite::Result<&mut CachedStatement<'a>> {
        Ok(match self.made.take() {
            Some(made) => self.made.insert(made),
            None => self.made.insert(self.on.prepare_cached(self.sql)?),
        })
    }
}

/// Runs a change with `secure_delete`, if requested.
pub(super) fn overwriting<T>(
    connection: &mut Connection,
    overwrites: bool,
    change: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    if !overwrites {
        return change(connection);
    }
    connection.pragma_update(None, "secure_delete", true)?;
    let done = change(connection);
    let usual = connection.pragma_update(None, "secure_delete", false);
    let done = done?;
    usual?;
    Ok(done)
}
