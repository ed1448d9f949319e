//! Lines that are to be blanked and aren't yet: whoever reads passes over them.
//!
//! From the commit that forgets an account until its last line is blanked, the account is in the table `erasing`.
//! Who reads asks for it first and for the lines then: whatever is missing there is blanked already, or was
//! asked for before the account was forgotten.

use rusqlite::Connection;

use super::lookup::Whose;

/// The accounts that are forgotten, and whose lines may still be there: hardly ever any.
pub(super) struct Erasing(Vec<u64>);

impl Erasing {
    pub(super) fn now(connection: &Connection) -> rusqlite::Result<Self> {
        let mut all = connection.prepare_cached("SELECT party FROM erasing")?;
        let rows = all.query_map((), |row| row.get(0))?;
        rows.collect::<rusqlite::Result<_>>().map(Self)
    }

    pub(super) fn has(&self, account: u64) -> bool {
        self.0.contains(&account)
    }

    /// Whether one of them wrote a line. To an account belongs also what the same person said privately before they
    /// had it.
    pub(super) fn hides(&self, whose: &Whose, by_other: bool, account: Option<u64>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let party = match whose {
            Whose::Channel(_) => None,
            Whose::Private((one, other), _) => Some(if by_other { *other } else { *one }),
        };
        account.or(party).is_some_and(|party| self.has(party))
    }
}
