//! Server moderation: invitations, server bans, and the audit log.

use rusqlite::{Connection, Row, Transaction, params};

use super::StoreError;
use super::writer::{WriteOp, Writer};
use crate::auth::token::TokenHash;
use crate::util::sync::lock;

/// Entries in the audit log. The oldest go first.
pub const MAX_AUDIT_LOG: usize = 2000;

/// A write operation of server moderation. Times are in milliseconds since 1970. An `author` of
/// `None` is the shell.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum ServerModerationOp<'a> {
    /// Adds an invitation code for one registration.
    Invitation { hash: &'a TokenHash, author: Option<&'a str>, created: i64, until: i64 },
    /// Removes a used invitation.
    InvitationUsed { hash: &'a TokenHash },
    /// Adds or replaces a server ban.
    Ban {
        key: &'a str,
        shown: &'a str,
        author: Option<&'a str>,
        created: i64,
        until: Option<i64>,
        reason: Option<&'a str>,
    },
    /// Removes a server ban.
    Unban { key: &'a str },
    /// Removes what has expired by this time.
    Expire { now: i64 },
    /// Adds an entry to the audit log.
    Log {
        time: i64,
        author: Option<&'a str>,
        did: &'a str,
        whom: &'a str,
        until: Option<i64>,
        reason: Option<&'a str>,
    },
}

impl<'a> From<ServerModerationOp<'a>> for WriteOp<'a> {
    fn from(entry: ServerModerationOp<'a>) -> Self {
        Self::ServerModeration(entry)
    }
}

/// A stored invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct InvitationRow {
    pub hash: TokenHash,
    pub author: Option<String>,
    pub created: i64,
    pub until: i64,
}

/// A stored server ban.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct ServerBanRow {
    pub shown: String,
    pub author: Option<String>,
    pub created: i64,
    pub until: Option<i64>,
    pub reason: Option<String>,
}

/// A stored entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct AuditLogRow {
    pub time: i64,
    pub author: Option<String>,
    pub did: String,
    pub whom: String,
    pub until: Option<i64>,
    pub reason: Option<String>,
}

impl Writer {
    /// Returns every unused invitation.
    pub fn invitations(&self) -> Result<Vec<InvitationRow>, StoreError> {
        let sql = "SELECT hash, author, created, until FROM invitation";
        all(&lock(self.connection()), sql, |row| {
            Ok(InvitationRow {
                hash: row.get(0)?,
                author: row.get(1)?,
                created: row.get(2)?,
                until: row.get(3)?,
            })
        })
    }

    /// Returns every server ban.
    pub fn server_bans(&self) -> Result<Vec<ServerBanRow>, StoreError> {
        let sql = "SELECT shown, author, created, until, reason FROM server_ban";
        all(&lock(self.connection()), sql, |row| {
            Ok(ServerBanRow {
                shown: row.get(0)?,
                author: row.get(1)?,
                created: row.get(2)?,
                until: row.get(3)?,
                reason: row.get(4)?,
            })
        })
    }

    /// Returns the audit log, oldest first.
    pub fn acts(&self) -> Result<Vec<AuditLogRow>, StoreError> {
        let sql = "SELECT time, author, did, whom, until, reason FROM server_act ORDER BY number";
        all(&lock(self.connection()), sql, |row| {
            Ok(AuditLogRow {
                time: row.get(0)?,
                author: row.get(1)?,
                did: row.get(2)?,
                whom: row.get(3)?,
                until: row.get(4)?,
                reason: row.get(5)?,
            })
        })
    }
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    row: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut all = connection.prepare_cached(sql)?;
    let rows = all.query_map((), row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

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
