//! Lines that are to be blanked or hidden and aren't yet: reading leaves them out.
//!
//! From the commit that forgets an account until its last line is blanked, the account is in the table `erasing`.
//! Who reads asks for it first and for the lines then: whatever is missing there is blanked already, or was
//! asked for before the account was forgotten. The same holds of a purge and the table `pending_purge`, see
//! [`super::purge`].

use rusqlite::Connection;

use super::purge::{self, PendingPurge};
use super::reader::{ConversationInfo, ConversationMeta, StoredLine};

/// What may still be there and is told to nobody.
pub(super) struct PendingRedactions {
    /// The accounts that are forgotten, and whose lines may still be there: hardly ever any.
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

    /// Whether there is nothing of the kind.
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.purges.is_empty()
    }

    pub(super) fn has(&self, account: u64) -> bool {
        self.accounts.contains(&account)
    }

    /// Whether a line is told to nobody.
    pub(super) fn hides(&self, at: &ConversationMeta, line: &StoredLine) -> bool {
        self.erases(&at.conversation, line.by_other, line.account)
            || self.is_purged(at.number, line)
    }

    /// Whether a forgotten account wrote a line. To an account belongs also what the same person said privately before they
    /// had it.
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
