//! Accounts and what belongs to them: tokens, ignore lists, memberships, operator rights.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::StoreError;
use super::reader::Reader;
use super::writer::Writer;
use crate::util::sync::lock;

/// A stored account.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct AccountRow {
    pub user_id: u64,
    pub key: String,
    pub shown: String,
    /// As a PHC string.
    pub password: String,
    pub created: i64,
    pub seen: i64,
    pub is_away: bool,
    pub away: Option<String>,
    pub admin: bool,
}

impl std::fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the password hash, which belongs in no log.
        f.debug_struct("AccountRow")
            .field("party", &self.user_id)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

/// A stored token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct TokenRow {
    pub hash: [u8; 32],
    pub user_id: u64,
    pub created: i64,
    pub used: i64,
}

/// An entry of an ignore list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct IgnoredRow {
    pub user_id: u64,
    pub name: String,
    pub shown: String,
    pub other: Option<u64>,
}

/// A membership in a channel, or a read marker in a private chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct MemberRow {
    pub user_id: u64,
    pub number: u32,
    pub marker: u64,
    pub entered: i64,
}

/// An operator right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct OperatorRow {
    pub number: u32,
    pub user_id: u64,
    pub inherited: bool,
}

const ACCOUNT: &str =
    "SELECT party, key, shown, password, created, seen, is_away, away, admin FROM account";
/// Without entries about a deleted account.
const IGNORED: &str = "SELECT party, name, shown, other FROM ignored
    WHERE (other IS NULL OR other NOT IN (SELECT party FROM erasing))";
/// Without those of a deleted account.
const MEMBER: &str = "SELECT party, number, marker, entered FROM member
    WHERE party NOT IN (SELECT party FROM erasing)";

impl Writer {
    /// Returns every account.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        all(&lock(self.connection()), ACCOUNT, &[], account)
    }

    /// Returns every token.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        all(&lock(self.connection()), "SELECT hash, party, created, used FROM token", &[], |row| {
            Ok(TokenRow {
                hash: row.get(0)?,
                user_id: row.get(1)?,
                created: row.get(2)?,
                used: row.get(3)?,
            })
        })
    }

    /// Returns every ignore list entry.
    pub fn ignored(&self) -> Result<Vec<IgnoredRow>, StoreError> {
        all(&lock(self.connection()), IGNORED, &[], ignored)
    }

    /// Returns every membership and every read marker in a private chat.
    pub fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        // Read before the tables: buffered entries may be flushed in between.
        let waiting = self.memtable().all_markers();
        let mut rows = all(&lock(self.connection()), MEMBER, &[], member)?;
        for row in &mut rows {
            let waits = waiting.get(&(row.user_id, row.number)).copied();
            row.marker = row.marker.max(waits.unwrap_or_default());
        }
        Ok(rows)
    }

    /// Returns every operator right.
    pub fn operators(&self) -> Result<Vec<OperatorRow>, StoreError> {
        all(&lock(self.connection()), "SELECT number, party, inherited FROM operator", &[], |row| {
            Ok(OperatorRow { number: row.get(0)?, user_id: row.get(1)?, inherited: row.get(2)? })
        })
    }

    /// Returns the greatest user id, with or without an account, or 0. User ids are
    /// never reused, so that no user reads the conversations of another.
    pub fn greatest_party(&self) -> Result<u64, StoreError> {
        let connection = lock(self.connection());
        let mut greatest = connection.prepare_cached(
            "SELECT max(
                coalesce((SELECT max(party) FROM account), 0),
                coalesce((SELECT max(party) FROM erasing), 0),
                coalesce((SELECT max(party) FROM holder), 0),
                coalesce((SELECT max(one) FROM conversation), 0),
                coalesce((SELECT max(other) FROM conversation), 0))",
        )?;
        Ok(greatest.query_row((), |row| row.get(0))?)
    }
}

impl Reader {
    /// Returns the account of this name (folded).
    pub fn account(&self, key: &str) -> Result<Option<AccountRow>, StoreError> {
        let connection = lock(self.connection());
        let mut one = connection.prepare_cached(&format!("{ACCOUNT} WHERE key = ?1"))?;
        Ok(one.query_row([key], account).optional()?)
    }

    /// Returns the ignore list of an account.
    pub fn ignored_by(&self, user_id: u64) -> Result<Vec<IgnoredRow>, StoreError> {
        all(&lock(self.connection()), &format!("{IGNORED} AND party = ?1"), &[&user_id], ignored)
    }

    /// Returns the memberships and private read markers of an account.
    pub fn member_of(&self, user_id: u64) -> Result<Vec<MemberRow>, StoreError> {
        all(&lock(self.connection()), &format!("{MEMBER} AND party = ?1"), &[&user_id], member)
    }

    /// Returns the numbers of the channels of which an account is operator.
    pub fn operator_of(&self, user_id: u64) -> Result<Vec<u32>, StoreError> {
        let sql = "SELECT number FROM operator WHERE party = ?1 ORDER BY number";
        all(&lock(self.connection()), sql, &[&user_id], |row| row.get(0))
    }
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    params: &[&dyn rusqlite::ToSql],
    row: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut all = connection.prepare_cached(sql)?;
    let rows = all.query_map(params, row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn account(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    Ok(AccountRow {
        user_id: row.get(0)?,
        key: row.get(1)?,
        shown: row.get(2)?,
        password: row.get(3)?,
        created: row.get(4)?,
        seen: row.get(5)?,
        is_away: row.get(6)?,
        away: row.get(7)?,
        admin: row.get(8)?,
    })
}

fn ignored(row: &Row<'_>) -> rusqlite::Result<IgnoredRow> {
    let (user_id, name) = (row.get(0)?, row.get(1)?);
    Ok(IgnoredRow { user_id, name, shown: row.get(2)?, other: row.get(3)? })
}

fn member(row: &Row<'_>) -> rusqlite::Result<MemberRow> {
    let (user_id, number) = (row.get(0)?, row.get(1)?);
    Ok(MemberRow { user_id, number, marker: row.get(2)?, entered: row.get(3)? })
}
