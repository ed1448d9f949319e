//! Server moderation: invitations, server bans, and the audit log.

use rusqlite::{Connection, Row};

use super::StoreError;
use super::writer::Writer;
use crate::util::sync::lock;

/// A stored invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct InvitationRow {
    pub hash: [u8; 32],
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
