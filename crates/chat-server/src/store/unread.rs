//! What an account hasn't read yet: the lines after its markers.

use rusqlite::{OptionalExtension as _, params};

use super::Failure;
use super::book::{UNTOLD, place};
use super::erasing::Erasing;
use super::lookup::{
    COLUMNS, Key, Lookup, Merged, Place, StoredLine, Whose, found_place, private_places,
};
use crate::hub::lock;

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The number of the account.
    pub party: u64,
    /// Lines by those of these names (folded) are passed over.
    pub hidden: &'a [String],
    /// So are lines by these accounts.
    pub hidden_accounts: &'a [u64],
    /// How names are folded.
    pub fold: fn(&str) -> String,
}

/// What somebody hasn't read of one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Which conversation.
    pub whose: Whose,
    /// The last line that was read, or that is kept no more.
    pub after: u64,
    /// Lines after it.
    pub lines: u64,
    /// How many of them others said.
    pub others: u64,
}

impl Reader<'_> {
    pub(super) fn is_hidden(&self, author: &str, account: Option<u64>) -> bool {
        account.is_some_and(|account| self.hidden_accounts.contains(&account))
            || !self.hidden.is_empty() && self.hidden.contains(&(self.fold)(author))
    }
}

impl Lookup {
    /// The lines of one conversation after an id; so many are counted at most. `None` if there is no such
    /// conversation.
    pub fn unread_in(
        &self,
        of: Key<'_>,
        after: u64,
        reader: &Reader<'_>,
        most: u64,
    ) -> Result<Option<Unread>, Failure> {
        let Some(at) = self.place(of)? else { return Ok(None) };
        Ok(Some(self.count(at, after, reader, most)?))
    }

    /// Every channel that an account is in and every private chat that it had, of which there are lines that
    /// it hasn't read: the channels, then the private chats, the newest first. So many lines of each are counted at
    /// most.
    pub fn unread(&self, reader: &Reader<'_>, most: u64) -> Result<Vec<Unread>, Failure> {
        let mut places = self.channels_of(reader.party)?;
        places.extend(private_places(&lock(self.connection()), reader.party)?);
        let mut unread = Vec::new();
        for mut at in places {
            self.look_below(&mut at)?;
            let waits = self.recent().map(|recent| recent.marker(reader.party, at.number));
            let read = waits.unwrap_or_default().max(self.marker(reader.party, at.number)?);
            let one = self.count(at, read, reader, most)?;
            if one.lines > 0 {
                unread.push(one);
            }
        }
        Ok(unread)
    }

    fn channels_of(&self, party: u64) -> Result<Vec<Place>, Failure> {
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached(&format!(
            "{COLUMNS} JOIN member USING (number) WHERE party = ?1 AND one IS NULL ORDER BY number"
        ))?;
        let rows = all.query_map([party], found_place)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn marker(&self, party: u64, number: u32) -> Result<u64, Failure> {
        let connection = lock(self.connection());
        let mut marker = connection
            .prepare_cached("SELECT marker FROM member WHERE party = ?1 AND number = ?2")?;
        let read = marker.query_row(params![party, number], |row| row.get(0));
        Ok(read.optional()?.unwrap_or_default())
    }

    fn count(
        &self,
        at: Place,
        after: u64,
        reader: &Reader<'_>,
        most: u64,
    ) -> Result<Unread, Failure> {
        let after = after.max(at.floor);
        let erasing = Erasing::now(&lock(self.connection()))?;
        let is_own = |line: &StoredLine| at.whose.is_by(reader.party, line);
        let is_shown = |line: &StoredLine| {
            !line.erased
                && !erasing.hides(&at.whose, line.by_other, line.account)
                && (is_own(line) || !reader.is_hidden(&line.author, line.account))
        };
        let counted = usize::try_from(most).unwrap_or(usize::MAX);
        let recent = self.recent_lines(at.number, (after, u64::MAX), counted, is_shown)?;
        // In memory the one that writes has its turn between two conversations.
        let connection = lock(self.connection());
        let mut lines = connection.prepare_cached(
            "SELECT place, time, author, flags, '', account FROM line
                WHERE place > ?1 AND place < ?2 AND flags & ?3 = 0 ORDER BY place",
        )?;
        let range = params![place(at.number, after), place(at.number + 1, 0), UNTOLD];
        let mut lines = Merged::new(lines.query(range)?, recent);
        let (mut count, mut others) = (0, 0);
        while count < most
            && let Some(line) = lines.next()?
        {
            if is_shown(&line) {
                count += 1;
                others += u64::from(!is_own(&line));
            }
        }
        Ok(Unread { whose: at.whose, after, lines: count, others })
    }
}
