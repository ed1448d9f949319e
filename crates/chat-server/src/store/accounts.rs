//! Accounts and all that is kept under them: tokens, ignored people, memberships, the right to run a channel.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::reader::Reader;
use super::writer::{WriteOp, Writer};
use super::{StoreError, redact};
use crate::auth::token::TokenHash;
use crate::util::sync::lock;

/// Something about an account to be written. `party` is the account's number; times are in milliseconds since
/// 1970.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum AccountOp<'a> {
    /// There is this account. It fails if another has the name.
    Create {
        party: u64,
        key: &'a str,
        shown: &'a str,
        password: &'a str,
        created: i64,
        admin: bool,
    },
    /// Its password is another, or hashed otherwise.
    Password { party: u64, password: &'a str },
    /// It was here at this time.
    Seen { party: u64, time: i64 },
    /// It is away from now on, or back.
    Away { party: u64, is_away: bool, reason: Option<&'a str> },
    /// It runs the server, or doesn't.
    Admin { party: u64, admin: bool },
    /// It can be entered with this token.
    Token { hash: &'a TokenHash, party: u64, created: i64 },
    /// This token was used.
    TokenUsed { hash: &'a TokenHash, time: i64 },
    /// This token is none any more.
    Revoke { hash: &'a TokenHash },
    /// Its tokens are none any more, but for one.
    RevokeAll { party: u64, except: Option<&'a TokenHash> },
    /// It ignores whoever has this name (folded), and the account that had it then.
    Ignore { party: u64, name: &'a str, shown: &'a str, other: Option<u64> },
    /// It doesn't ignore this name (folded) any more.
    Unignore { party: u64, name: &'a str },
    /// It is in a channel, and has read it up to `marker`. If it was there already, nothing changes.
    Member { party: u64, number: u32, marker: u64, entered: i64 },
    /// It has read a private chat, or a channel that it is in, up to `marker`, which never falls.
    Marker { party: u64, number: u32, marker: u64 },
    /// It is not in a channel any more.
    NotMember { party: u64, number: u32 },
    /// It runs a channel.
    Operator { number: u32, party: u64 },
    /// It doesn't run a channel any more.
    NotOperator { number: u32, party: u64 },
    /// It is none any more: all that is kept under it is deleted at once, and its lines are to be blanked by
    /// [`Writer::erase`].
    Forget { party: u64 },
    /// Its lines are blanked.
    Redacted { party: u64 },
}

impl<'a> From<AccountOp<'a>> for WriteOp<'a> {
    fn from(entry: AccountOp<'a>) -> Self {
        Self::Account(entry)
    }
}

/// An account as it is kept.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct AccountRow {
    pub party: u64,
    pub key: String,
    pub shown: String,
    /// A PHC string.
    pub password: String,
    pub created: i64,
    pub seen: i64,
    pub is_away: bool,
    pub away: Option<String>,
    pub admin: bool,
}

impl std::fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the password's hash: it belongs into no log.
        f.debug_struct("AccountRow")
            .field("party", &self.party)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

/// A token as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct TokenRow {
    pub hash: TokenHash,
    pub party: u64,
    pub created: i64,
    pub used: i64,
}

/// One whom an account ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct IgnoredRow {
    pub party: u64,
    pub name: String,
    pub shown: String,
    pub other: Option<u64>,
}

/// A channel that an account is in, or a private chat of which it has read something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct MemberRow {
    pub party: u64,
    pub number: u32,
    pub marker: u64,
    pub entered: i64,
}

/// An account that runs a channel.
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
    /// Every account.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        all(&lock(self.connection()), ACCOUNT, &[], account)
    }

    /// Every token.
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

    /// Everybody who is ignored by an account.
    pub fn ignored(&self) -> Result<Vec<IgnoredRow>, StoreError> {
        all(&lock(self.connection()), IGNORED, &[], ignored)
    }

    /// Every channel that an account is in, and every marker in a private chat.
    pub fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        // Before the tables, since what waits may be put there meanwhile.
        let waiting = self.memtable().all_markers();
        let mut rows = all(&lock(self.connection()), MEMBER, &[], member)?;
        for row in &mut rows {
            let waits = waiting.get(&(row.party, row.number)).copied();
            row.marker = row.marker.max(waits.unwrap_or_default());
        }
        Ok(rows)
    }

    /// Every right of an account to run a channel.
    pub fn operators(&self) -> Result<Vec<OperatorRow>, StoreError> {
        all(&lock(self.connection()), "SELECT number, party, inherited FROM operator", &[], |row| {
            Ok(OperatorRow { number: row.get(0)?, party: row.get(1)?, inherited: row.get(2)? })
        })
    }

    /// The greatest number that any party has, an account or not; 0 if there is none. The next party's is higher,
    /// so that nobody comes into what is another's.
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
    /// The account of this name (folded).
    pub fn account(&self, key: &str) -> Result<Option<AccountRow>, StoreError> {
        let connection = lock(self.connection());
        let mut one = connection.prepare_cached(&format!("{ACCOUNT} WHERE key = ?1"))?;
        Ok(one.query_row([key], account).optional()?)
    }

    /// Whom an account ignores.
    pub fn ignored_by(&self, party: u64) -> Result<Vec<IgnoredRow>, StoreError> {
        all(&lock(self.connection()), &format!("{IGNORED} WHERE party = ?1"), &[&party], ignored)
    }

    /// The channels that an account is in, and its markers in private chats.
    pub fn member_of(&self, party: u64) -> Result<Vec<MemberRow>, StoreError> {
        all(&lock(self.connection()), &format!("{MEMBER} WHERE party = ?1"), &[&party], member)
    }

    /// The numbers of the channels that an account runs.
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
            // One that comes late doesn't make the account a member of a channel that it has left.
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

/// What is kept of accounts in a conversation that is forgotten.
pub(super) fn forget_conversation(change: &Transaction<'_>, number: u32) -> rusqlite::Result<()> {
    change.execute("DELETE FROM member WHERE number = ?1", [number])?;
    change.execute("DELETE FROM operator WHERE number = ?1", [number])?;
    change.execute("DELETE FROM wrote WHERE number = ?1", [number])?;
    Ok(())
}
