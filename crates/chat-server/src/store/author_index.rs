//! The lines of one account.
//!
//! The index records the conversations in which an account wrote. Each of these is read from its
//! beginning. Lines that the same client sent in private chats before it had the account belong to
//! the account too.

use rusqlite::{Connection, params};

use super::StoreError;
use super::pending_redactions::PendingRedactions;
use super::reader::Reader;
use super::row::{BY_OTHER, REDACTED, StoredLine, rowid, stored_line};
use crate::util::sync::lock;

/// A line of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthoredLine {
    /// The number of the conversation.
    pub number: u32,
    /// The line.
    pub line: StoredLine,
}

/// A conversation that may hold lines of an account.
#[derive(Clone, Copy)]
pub(super) struct AuthoredConversation {
    pub(super) number: u32,
    user_id: u64,
    /// In a private chat, whether the account is the second party.
    is_other: Option<bool>,
}

impl AuthoredConversation {
    /// Whether a line with these flags and this account is the account's own.
    pub(super) fn is_own(self, flags: i64, account: Option<u64>) -> bool {
        let is_side = || self.is_other == Some(flags & BY_OTHER != 0);
        flags & REDACTED == 0 && (account == Some(self.user_id) || account.is_none() && is_side())
    }
}

/// Returns the conversations that may hold lines of an account, from a number on.
pub(super) fn spots(
    connection: &Connection,
    user_id: u64,
    from: u32,
    most: usize,
) -> rusqlite::Result<Vec<AuthoredConversation>> {
    let mut some = connection.prepare_cached(
        "SELECT number, other = ?1 FROM conversation WHERE number >= ?2 AND number IN (
                SELECT number FROM wrote WHERE party = ?1
                UNION SELECT number FROM conversation WHERE one = ?1
                UNION SELECT number FROM conversation WHERE other = ?1)
            ORDER BY number LIMIT ?3",
    )?;
    let rows = some.query_map(params![user_id, from, most], |row| {
        Ok(AuthoredConversation { number: row.get(0)?, user_id, is_other: row.get(1)? })
    })?;
    rows.collect()
}

impl Reader {
    /// Returns lines of an account by conversation, oldest first, after an id in the conversation
    /// with this number. A deleted account has none.
    pub fn lines_of(
        &self,
        user_id: u64,
        (number, after): (u32, u64),
        most: usize,
    ) -> Result<Vec<AuthoredLine>, StoreError> {
        self.flush_all()?;
        let connection = lock(self.connection());
        let mut lines = connection.prepare_cached(
            "SELECT place, time, author, flags, text, account FROM line
                WHERE place > ?1 AND place < ?2 ORDER BY place",
        )?;
        let mut written = Vec::new();
        if PendingRedactions::now(&connection)?.has(user_id) {
            return Ok(written);
        }
        for spot in spots(&connection, user_id, number, usize::MAX >> 1)? {
            let after = if spot.number == number { after } else { 0 };
            let mut rows = lines.query([rowid(spot.number, after), rowid(spot.number + 1, 0)])?;
            while written.len() < most
                && let Some(row) = rows.next()?
            {
                if spot.is_own(row.get(3)?, row.get(5)?) {
                    written.push(AuthoredLine { number: spot.number, line: stored_line(row)? });
                }
            }
        }
        Ok(written)
    }
}
