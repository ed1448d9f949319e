//! Lines that redactions and purges have not reached yet. Reads leave them out.
//!
//! From the commit that deletes an account until its last line is redacted, the account is in the
//! table `erasing`. A read loads this table first and the lines second: an account that is missing
//! from it is redacted already, or was deleted after the read began. The same holds for a purge and
//! the table `pending_purge`, see [`super::purge`].

use rusqlite::{Connection, Row};

use super::author_blocks::author_key;
use super::row::{ConversationInfo, ConversationMeta, StoredLine};
use super::write_op::AuthorPeriod;

/// Accounts and purges whose lines may still be stored but are not shown.
pub(super) struct PendingRedactions {
    /// Deleted accounts with lines that aren't redacted: rarely any.
    accounts: Vec<u64>,
    purges: Vec<PendingPurge>,
}

impl PendingRedactions {
    pub(super) fn now(connection: &Connection) -> rusqlite::Result<Self> {
        let mut all = connection.prepare_cached("SELECT party FROM erasing")?;
        let rows = all.query_map((), |row| row.get(0))?;
        let accounts = rows.collect::<rusqlite::Result<_>>()?;
        Ok(Self { accounts, purges: pending_purges(connection)? })
    }

    pub(super) fn purges(&self) -> &[PendingPurge] {
        &self.purges
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.purges.is_empty()
    }

    pub(super) fn has(&self, account: u64) -> bool {
        self.accounts.contains(&account)
    }

    /// Whether a line must not be shown.
    pub(super) fn hides(&self, at: &ConversationMeta, line: &StoredLine) -> bool {
        self.erases(&at.conversation, line.by_other, line.account)
            || self.is_purged(at.number, line)
    }

    /// Whether a deleted account wrote a line. Lines that the same client sent in private chats
    /// before it had the account belong to the account too.
    pub(super) fn erases(
        &self,
        conversation: &ConversationInfo,
        by_other: bool,
        account: Option<u64>,
    ) -> bool {
        if self.accounts.is_empty() {
            return false;
        }
        let user_id = match conversation {
            ConversationInfo::Channel(_) => None,
            ConversationInfo::Private((one, other), _) => {
                Some(if by_other { *other } else { *one })
            }
        };
        account.or(user_id).is_some_and(|user_id| self.has(user_id))
    }

    /// Whether a pending purge hides a line.
    pub(super) fn is_purged(&self, number: u32, line: &StoredLine) -> bool {
        let mut fitting =
            self.purges().iter().filter(|purge| purge.covers(number, line)).peekable();
        if fitting.peek().is_none() {
            return false;
        }
        let key = author_key(&line.author);
        fitting.any(|purge| purge.author == key)
    }
}

/// A purge whose lines aren't all marked as hidden.
pub(super) struct PendingPurge {
    pub(super) at: i64,
    pub(super) number: u32,
    pub(super) author: String,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) upto: u64,
    pub(super) looked: u64,
}

impl PendingPurge {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            at: row.get(0)?,
            number: row.get(1)?,
            author: row.get(2)?,
            since: row.get(3)?,
            until: row.get(4)?,
            upto: row.get(5)?,
            looked: row.get(6)?,
        })
    }

    pub(super) fn author(&self) -> AuthorPeriod<'_> {
        AuthorPeriod { name: &self.author, from: self.since, upto: self.until }
    }

    /// Whether a line by the author is part of the purge and not marked yet.
    pub(super) fn covers(&self, number: u32, line: &StoredLine) -> bool {
        self.number == number
            && line.id > self.looked
            && line.id <= self.upto
            && self.author().is_at(line.time)
    }
}

pub(super) const PENDING: &str =
    "SELECT at, number, author, since, until, upto, looked FROM pending_purge";

/// Returns the purges whose lines aren't all marked: rarely any.
fn pending_purges(connection: &Connection) -> rusqlite::Result<Vec<PendingPurge>> {
    let mut all = connection.prepare_cached(PENDING)?;
    all.query_map((), PendingPurge::read)?.collect()
}
