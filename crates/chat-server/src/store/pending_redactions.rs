//! Lines that redactions and purges have not reached yet. Reads leave them out.
//!
//! From the commit that deletes an account until its last line is redacted, the account is in the
//! table `erasing`. A read loads this table first and the lines second: an account that is missing
//! from it is redacted already, or was deleted after the read began. The same holds for a purge and
//! the table `pending_purge`, see [`super::purge`].

use rusqlite::Connection;

use super::purge::{self, PendingPurge};
use super::reader::{ConversationInfo, ConversationMeta, StoredLine};

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
        Ok(Self { accounts, purges: purge::pending(connection)? })
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
        let party = match conversation {
            ConversationInfo::Channel(_) => None,
            ConversationInfo::Private((one, other), _) => {
                Some(if by_other { *other } else { *one })
            }
        };
        account.or(party).is_some_and(|party| self.has(party))
    }
}
