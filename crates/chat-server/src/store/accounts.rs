//! Accounts and what belongs to them: tokens, ignore lists, memberships, operator rights.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::reader::Reader;
use super::writer::{WriteOp, Writer};
use super::{StoreError, redact};
use crate::auth::token::TokenHash;
use crate::util::sync::lock;

/// A write operation on an account. `party` is the account's number. Times are in milliseconds
/// since 1970.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum AccountOp<'a> {
    /// Creates an account. Fails if the name is taken.
    Create {
        party: u64,
        key: &'a str,
        shown: &'a str,
        password: &'a str,
        created: i64,
        admin: bool,
    },
    /// Changes or rehashes the password.
    Password { party: u64, password: &'a str },
    /// Last seen at this time.
    Seen { party: u64, time: i64 },
    /// Sets or clears the away state.
    Away { party: u64, is_away: bool, reason: Option<&'a str> },
    /// Grants or revokes the right to run the server.
    Admin { party: u64, admin: bool },
    /// Adds a token.
    Token { hash: &'a TokenHash, party: u64, created: i64 },
    /// Records the use of a token.
    TokenUsed { hash: &'a TokenHash, time: i64 },
    /// Removes a token.
    Revoke { hash: &'a TokenHash },
    /// Removes all tokens but one.
    RevokeAll { party: u64, except: Option<&'a TokenHash> },
    /// Ignores a name (folded) and the account that has it now.
    Ignore { party: u64, name: &'a str, shown: &'a str, other: Option<u64> },
    /// Stops ignoring a name (folded).
    Unignore { party: u64, name: &'a str },
    /// Adds a membership with a read marker. An existing membership stays as it is.
    Member { party: u64, number: u32, marker: u64, entered: i64 },
    /// Advances the read marker in a private chat or in a channel of the account. It never falls.
    Marker { party: u64, number: u32, marker: u64 },
    /// Removes a membership.
    NotMember { party: u64, number: u32 },
    /// Makes the account an operator of a channel.
    Operator { number: u32, party: u64 },
    /// Revokes the operator right.
    NotOperator { number: u32, party: u64 },
    /// Deletes the account and everything under it. Its lines stay until [`Writer::redact`] has
    /// redacted them.
    Forget { party: u64 },
    /// All lines of a deleted account are redacted.
    Redacted { party: u64 },
}

impl<'a> From<AccountOp<'a>> for WriteOp<'a> {
    fn from(entry: AccountOp<'a>) -> Self {
        Self::Account(entry)
    }
}

/// A stored account.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct AccountRow {
    pub party: u64,
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
            .field("party", &self.party)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

/// A stored token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct TokenRow {
    pub hash: TokenHash,
    pub party: u64,
    pub created: i64,
    pub used: i64,
}

/// An entry of an ignore list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct IgnoredRow {
    pub party: u64,
    pub name: String,
    pub shown: String,
    pub other: Option<u64>,
}

/// A membership in a channel, or a read marker in a private chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct MemberRow {
    pub party: u64,
    pub number: u32,
    pub marker: u64,
    pub entered: i64,
}

/// An operator right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct OperatorRow {
    pub number: u32,
    pub party: u64,
    pub inherited: bool,
}

const ACCOUNT: &str =
    "SELECT party, key, shown, password, created, seen, is_away, away, admin FROM account";
const IGNORED: &str = "SELECT party, name, shown, other FROM ignored";
const MEMBER: &str = "SELECT party, number, marker, entered FROM member";

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
                party: row.get(1)?,
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
            let waits = waiting.get(&(row.party, row.number)).copied();
            row.marker = row.marker.max(waits.unwrap_or_default());
        }
        Ok(rows)
    }

    /// Returns every operator right.
    pub fn operators(&self) -> Result<Vec<OperatorRow>, StoreError> {
        all(&lock(self.connection()), "SELECT number, party, inherited FROM operator", &[], |row| {
            Ok(OperatorRow { number: row.get(0)?, party: row.get(1)?, inherited: row.get(2)? })
        })
    }

    /// Returns the greatest number of any party, with or without an account, or 0. Numbers are
    /// never reused, so that no party reads the conversations of another.
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
    pub fn ignored_by(&self, party: u64) -> Result<Vec<IgnoredRow>, StoreError> {
        all(&lock(self.connection()), &format!("{IGNORED} WHERE party = ?1"), &[&party], ignored)
    }

    /// Returns the memberships and private read markers of an account.
    pub fn member_of(&self, party: u64) -> Result<Vec<MemberRow>, StoreError> {
        all(&lock(self.connection()), &format!("{MEMBER} WHERE party = ?1"), &[&party], member)
    }

    /// Returns the numbers of the channels that an account runs.
    pub fn operator_of(&self, party: u64) -> Result<Vec<u32>, StoreError> {
        let sql = "SELECT number FROM operator WHERE party = ?1 ORDER BY number";
        all(&lock(self.connection()), sql, &[&party], |row| row.get(0))
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
        party: row.get(0)?,
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
    let (party, name) = (row.get(0)?, row.get(1)?);
    Ok(IgnoredRow { party, name, shown: row.get(2)?, other: row.get(3)? })
}

fn member(row: &Row<'_>) -> rusqlite::Result<MemberRow> {
    let (party, number) = (row.get(0)?, row.get(1)?);
    Ok(MemberRow { party, number, marker: row.get(2)?, entered: row.get(3)? })
}

pub(super) fn write(change: &Transaction<'_>, entry: AccountOp<'_>) -> rusqlite::Result<()> {
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        change.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match entry {
        AccountOp::Create { party, key, shown, password, created, admin } => execute(
            "INSERT INTO account (party, key, shown, password, created, seen, admin)
                VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
            params![party, key, shown, password, created, admin],
        ),
        AccountOp::Password { party, password } => {
            execute("UPDATE account SET password = ?2 WHERE party = ?1", params![party, password])
        }
        AccountOp::Seen { party, time } => execute(
            "UPDATE account SET seen = max(seen, ?2) WHERE party = ?1",
            params![party, time],
        ),
        AccountOp::Away { party, is_away, reason } => execute(
            "UPDATE account SET is_away = ?2, away = ?3 WHERE party = ?1",
            params![party, is_away, reason],
        ),
        AccountOp::Admin { party, admin } => {
            execute("UPDATE account SET admin = ?2 WHERE party = ?1", params![party, admin])
        }
        AccountOp::Token { hash, party, created } => execute(
            "INSERT INTO token (hash, party, created, used) VALUES (?1, ?2, ?3, ?3)",
            params![hash, party, created],
        ),
        AccountOp::TokenUsed { hash, time } => {
            execute("UPDATE token SET used = max(used, ?2) WHERE hash = ?1", params![hash, time])
        }
        AccountOp::Revoke { hash } => execute("DELETE FROM token WHERE hash = ?1", params![hash]),
        AccountOp::RevokeAll { party, except } => {
            execute("DELETE FROM token WHERE party = ?1 AND hash IS NOT ?2", params![party, except])
        }
        AccountOp::Ignore { party, name, shown, other } => execute(
            "INSERT OR REPLACE INTO ignored (party, name, shown, other) VALUES (?1, ?2, ?3, ?4)",
            params![party, name, shown, other],
        ),
        AccountOp::Unignore { party, name } => {
            execute("DELETE FROM ignored WHERE party = ?1 AND name = ?2", params![party, name])
        }
        AccountOp::Member { party, number, marker, entered } => execute(
            "INSERT INTO member (party, number, marker, entered) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING",
            params![party, number, marker, entered],
        ),
        AccountOp::Marker { party, number, marker } => execute(
            // A late marker doesn't add a membership that has ended.
            "INSERT INTO member (party, number, marker, entered)
                SELECT ?1, ?2, ?3, 0 WHERE
                    EXISTS (SELECT 1 FROM member WHERE party = ?1 AND number = ?2)
                    OR EXISTS (SELECT 1 FROM conversation WHERE number = ?2 AND one IS NOT NULL)
                ON CONFLICT DO UPDATE SET marker = max(marker, excluded.marker)",
            params![party, number, marker],
        ),
        AccountOp::NotMember { party, number } => {
            execute("DELETE FROM member WHERE party = ?1 AND number = ?2", params![party, number])
        }
        AccountOp::Operator { number, party } => execute(
            "INSERT OR IGNORE INTO operator (number, party) VALUES (?1, ?2)",
            params![number, party],
        ),
        AccountOp::NotOperator { number, party } => {
            execute("DELETE FROM operator WHERE number = ?1 AND party = ?2", params![number, party])
        }
        AccountOp::Forget { party } => redact::forget(change, party),
        AccountOp::Redacted { party } => {
            execute("DELETE FROM wrote WHERE party = ?1", params![party])?;
            execute("DELETE FROM erasing WHERE party = ?1", params![party])
        }
    }
}

/// Deletes memberships, markers and operator rights of a conversation.
pub(super) fn forget_conversation(change: &Transaction<'_>, number: u32) -> rusqlite::Result<()> {
    change.execute("DELETE FROM member WHERE number = ?1", [number])?;
    change.execute("DELETE FROM operator WHERE number = ?1", [number])?;
    change.execute("DELETE FROM wrote WHERE number = ?1", [number])?;
    Ok(())
}
