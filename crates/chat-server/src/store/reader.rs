//! Reads pages of lines, and searches.

use std::fs::File;
use std::iter::Peekable;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, Rows, params};

use super::cutoff::Cutoff;
use super::error::StoreErrorKind;
use super::memtable::{Memtable, having};
use super::pending_redactions::PendingRedactions;
use super::row::{
    ConversationInfo, ConversationMeta, NOT_SHOWN, StoreKey, StoredLine, rowid, stored_line,
};
use super::viewer::Viewer;
use super::{Shared, StoreError};
use crate::util::sync::lock;

/// Rows examined per page, so that lines that aren't shown delay no other query for long.
pub(super) const MAX_LOOKED_AT: usize = 20_000;

/// Steps of SQLite's virtual machine between checks of the cutoff: some tenths of a millisecond.
pub(super) const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Unindexed lines that a search scans. More are indexed first: a temporary index would take as
/// long.
const SEARCHED: usize = 1000;

/// Private chats of an account that a search covers, the newest ones.
pub(super) const MAX_PRIVATE: usize = 10_000;

/// Reads the store, for one thread.
pub struct Reader {
    connection: Shared,
    /// The memtable; `None` where another process writes.
    memtable: Option<Arc<Memtable>>,
    /// Losses found when it was opened.
    losses: Vec<String>,
    /// Keeps servers from opening the store.
    _lock: Option<File>,
}

/// A page of lines of one conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinePage {
    /// Oldest first.
    pub lines: Vec<StoredLine>,
    /// Names of the parties of a private chat.
    pub names: (String, String),
    /// No other such lines exist up to this id.
    pub upto: u64,
}

/// The start of the last lines of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLines {
    /// They follow this id.
    After(u64),
    /// This many are still to be found, at or before this id.
    Missing(usize, u64),
}

/// Selects the rows that a read returns.
#[derive(Clone, Copy)]
pub(super) enum RowFilter<'a> {
    /// All rows.
    All,
    /// The lines shown to the viewer.
    Visible(Option<Viewer<'a>>),
}

impl Reader {
    pub(super) fn new(connection: Shared, memtable: Option<Arc<Memtable>>) -> Self {
        Self { connection, memtable, losses: Vec::new(), _lock: None }
    }

    pub(super) fn with_losses(self, losses: Vec<String>) -> Self {
        Self { losses, ..self }
    }

    /// Adds a lock that keeps servers from opening the store for as long as the reader lives.
    pub(super) fn with_lock(self, lock: Option<File>) -> Self {
        Self { _lock: lock, ..self }
    }

    pub(super) fn losses(&self) -> &[String] {
        &self.losses
    }

    /// Returns the memtable. Reads look into it first and into the tables second.
    pub(super) fn memtable(&self) -> Option<&Memtable> {
        self.memtable.as_deref()
    }

    /// Flushes everything.
    pub(super) fn flush_all(&self) -> Result<(), StoreError> {
        self.memtable().map_or(Ok(()), Memtable::flush_all)
    }

    /// Returns a conversation, if it exists.
    pub(super) fn find_conversation(
        &self,
        of: StoreKey<'_>,
    ) -> Result<Option<ConversationMeta>, StoreError> {
        let mut found = find(&lock(&self.connection), of)?;
        if let Some(at) = &mut found {
            self.look_below(at)?;
        }
        Ok(found)
    }

    /// Returns a conversation by its number.
    pub(super) fn conversation_by_number(
        &self,
        number: u32,
    ) -> Result<ConversationMeta, StoreError> {
        // Its lines aren't shown, so it needs no name.
        let mut at = ConversationMeta {
            number,
            floor: 0,
            conversation: ConversationInfo::Channel(String::new()),
        };
        self.look_below(&mut at)?;
        Ok(at)
    }

    /// Updates the retention floor of a conversation, the memtable included.
    pub(super) fn look_below(&self, at: &mut ConversationMeta) -> Result<(), StoreError> {
        let waits = self.memtable().map_or(0, |memtable| memtable.ends(at.number).floor);
        // Read again: the floor may have been flushed meanwhile.
        let connection = lock(&self.connection);
        let mut floor =
            connection.prepare_cached("SELECT floor FROM conversation WHERE number = ?1")?;
        let kept = floor.query_row([at.number], |row| row.get(0)).optional()?;
        at.floor = at.floor.max(waits).max(kept.unwrap_or_default());
        Ok(())
    }

    /// Returns unindexed lines of a conversation that match, newest first. Indexes some if there
    /// are many.
    ///
    /// # Errors
    ///
    /// Of kind `TooLong` past the cutoff.
    pub(super) fn recent_with(
        &self,
        at: &mut ConversationMeta,
        words: &str,
        cutoff: &Cutoff,
    ) -> Result<Vec<StoredLine>, StoreError> {
        let Some(memtable) = self.memtable() else { return Ok(Vec::new()) };
        self.look_below(at)?;
        let mut lines = self.unindexed(at, SEARCHED + 1)?;
        while lines.len() > SEARCHED {
            if cutoff.is_reached() {
                return Err(StoreError::told(StoreErrorKind::TooLong, "much isn't indexed yet"));
            }
            if memtable.index_some(at.number).is_err() {
                // On a read-only disk, all of them are scanned.
                lines = self.unindexed(at, usize::MAX)?;
                break;
            }
            lines = self.unindexed(at, SEARCHED + 1)?;
        }
        Ok(having(&lines, words)?)
    }

    /// Returns unindexed lines.
    fn unindexed(&self, at: &ConversationMeta, most: usize) -> Result<Vec<StoredLine>, StoreError> {
        let indexed = {
            let connection = lock(&self.connection);
            let mut indexed =
                connection.prepare_cached("SELECT indexed FROM conversation WHERE number = ?1")?;
            indexed.query_row([at.number], |row| row.get(0)).optional()?.unwrap_or_default()
        };
        let range = (at.floor.max(indexed), u64::MAX);
        let memtable = self.recent_lines(at.number, range, most, |line| !line.redacted)?;
        let connection = lock(&self.connection);
        let mut some = connection.prepare_cached(
            "SELECT place, time, author, flags, text, account FROM line
                WHERE place > ?1 AND place < ?2 AND flags & ?3 = 0 ORDER BY place",
        )?;
        let ends = params![rowid(at.number, range.0), rowid(at.number + 1, 0), NOT_SHOWN];
        let mut merged = Merged::new(some.query(ends)?, memtable);
        let mut lines = Vec::new();
        while lines.len() < most
            && let Some(line) = merged.next()?
        {
            lines.push(line);
        }
        Ok(lines)
    }

    /// Returns buffered lines that match.
    pub(super) fn recent_lines(
        &self,
        number: u32,
        range: (u64, u64),
        most: usize,
        wanted: impl Fn(&StoredLine) -> bool,
    ) -> Result<Vec<StoredLine>, StoreError> {
        let Some(memtable) = self.memtable() else { return Ok(Vec::new()) };
        memtable.between(number, range, most, wanted)
    }

    pub(super) fn connection(&self) -> &Shared {
        &self.connection
    }

    /// Returns the retention floor and the last id of a conversation, or zeros.
    pub fn ends(&self, of: StoreKey<'_>) -> Result<(u64, u64), StoreError> {
        let Some(at) = self.find_conversation(of)? else { return Ok((0, 0)) };
        let memtable = self.memtable().map(|memtable| memtable.ends(at.number)).unwrap_or_default();
        let connection = lock(&self.connection);
        let mut greatest = connection.prepare_cached(
            "SELECT max((SELECT last FROM conversation WHERE number = ?1), coalesce((SELECT max(place)
                FROM line WHERE place >= ?2 AND place < ?3), 0) & 68719476735)",
        )?;
        let ends = params![at.number, rowid(at.number, 0), rowid(at.number + 1, 0)];
        let last: u64 = greatest.query_row(ends, |row| row.get(0))?;
        Ok((at.floor, last.max(memtable.last)))
    }

    /// Returns lines in a range of ids, oldest first, bounded by count and by bytes of text. Omits
    /// lines that are redacted, hidden or about to be.
    pub fn lines(
        &self,
        of: StoreKey<'_>,
        after: u64,
        upto: u64,
        most: usize,
        most_bytes: usize,
    ) -> Result<LinePage, StoreError> {
        self.page(of, (after, upto), RowFilter::Visible(None), (most, most_bytes))
    }

    /// Does the same for a viewer, without lines of ignored authors. The page also ends after a
    /// bounded number of rows.
    pub fn lines_for(
        &self,
        viewer: &Viewer<'_>,
        of: StoreKey<'_>,
        (after, upto): (u64, u64),
        most: usize,
        most_bytes: usize,
    ) -> Result<LinePage, StoreError> {
        self.page(of, (after, upto), RowFilter::Visible(Some(*viewer)), (most, most_bytes))
    }

    /// Returns every row in a range of ids, also redacted and hidden ones. Of a line about to be
    /// redacted only id and time are returned.
    pub fn all_lines(
        &self,
        of: StoreKey<'_>,
        after: u64,
        upto: u64,
        most: usize,
        most_bytes: usize,
    ) -> Result<LinePage, StoreError> {
        self.page(of, (after, upto), RowFilter::All, (most, most_bytes))
    }

    /// Returns the start of the last lines in a range of ids that [`Reader::lines_for`] returns.
    /// Examines a bounded number of rows.
    pub fn last_lines(
        &self,
        viewer: &Viewer<'_>,
        of: StoreKey<'_>,
        range: (u64, u64),
        most: usize,
    ) -> Result<LastLines, StoreError> {
        match self.find_conversation(of)? {
            Some(at) => self.last_of(&at, RowFilter::Visible(Some(*viewer)), range, most),
            None => Ok(LastLines::After(range.0)),
        }
    }

    fn last_of(
        &self,
        at: &ConversationMeta,
        shown: RowFilter<'_>,
        (after, mut upto): (u64, u64),
        most: usize,
    ) -> Result<LastLines, StoreError> {
        let after = after.max(at.floor);
        let (mut left, mut looked) = (most, 0);
        // Usually no line is hidden, and the first stretch is enough.
        let mut stretch = most.clamp(1, MAX_LOOKED_AT);
        while upto > after {
            let begin = upto.saturating_sub(stretch as u64).max(after);
            let mut ids = Vec::new();
            self.walk(at, (begin, upto), shown, usize::MAX, |line| {
                ids.push(line.id);
                true
            })?;
            if let Some(first) = ids.len().checked_sub(left) {
                return Ok(LastLines::After(
                    ids.get(first).map_or(upto, |id| id.saturating_sub(1)),
                ));
            }
            left -= ids.len();
            looked += stretch;
            upto = begin;
            if looked >= MAX_LOOKED_AT && upto > after {
                return Ok(LastLines::Missing(left, upto));
            }
            stretch = (4 * stretch).clamp(256, MAX_LOOKED_AT);
        }
        Ok(LastLines::After(after))
    }

    fn page(
        &self,
        of: StoreKey<'_>,
        (after, upto): (u64, u64),
        shown: RowFilter<'_>,
        (most, most_bytes): (usize, usize),
    ) -> Result<LinePage, StoreError> {
        let mut page = LinePage { upto, ..LinePage::default() };
        let Some(at) = self.find_conversation(of)? else { return Ok(page) };
        let mut bytes = 0;
        page.upto = self.walk(&at, (after.max(at.floor), upto), shown, most, |line| {
            bytes += line.text.len();
            page.lines.push(line);
            page.lines.len() < most && bytes < most_bytes
        })?;
        if let ConversationInfo::Private(_, names) = at.conversation {
            page.names = names;
        }
        Ok(page)
    }

    /// Visits lines in a range of ids, oldest first, until `take` returns false: a bounded number
    /// of buffered ones, and for a viewer a bounded number of rows. Returns how far it came.
    pub(super) fn walk(
        &self,
        at: &ConversationMeta,
        (after, upto): (u64, u64),
        shown: RowFilter<'_>,
        most: usize,
        mut take: impl FnMut(StoredLine) -> bool,
    ) -> Result<u64, StoreError> {
        let erasing = PendingRedactions::now(&lock(&self.connection))?;
        let is_told = |line: &StoredLine| match shown {
            RowFilter::All => true,
            RowFilter::Visible(viewer) => {
                !line.redacted
                    && !erasing.hides(at, line)
                    && !viewer.is_some_and(|viewer| viewer.is_hidden(&line.author, line.account))
            }
        };
        let memtable = self.recent_lines(at.number, (after, upto), most, is_told)?;
        let connection = lock(&self.connection);
        let mut some = connection.prepare_cached(
            "SELECT place, time, author, flags, text, account FROM line
                WHERE place > ?1 AND place <= ?2 ORDER BY place",
        )?;
        let range = params![rowid(at.number, after), rowid(at.number, upto)];
        let mut lines = Merged::new(some.query(range)?, memtable);
        let most_looked = match shown {
            RowFilter::Visible(Some(_)) => MAX_LOOKED_AT,
            _ => usize::MAX,
        };
        let mut looked = 0;
        while let Some(mut line) = lines.next()? {
            let id = line.id;
            looked += 1;
            let is_shown = is_told(&line);
            if erasing.erases(&at.conversation, line.by_other, line.account) {
                line.blank();
            }
            line.redacted |= erasing.is_purged(at.number, &line);
            if is_shown && !take(line) || looked == most_looked {
                return Ok(id);
            }
        }
        Ok(upto)
    }

    /// Returns the parties of a user's last private chat with this name (folded).
    pub fn private_with(
        &self,
        user_id: u64,
        name: &str,
        fold: fn(&str) -> String,
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let connection = lock(&self.connection);
        for at in private_chats(&connection, user_id)? {
            if let ConversationInfo::Private((one, other), (one_name, other_name)) = at.conversation
            {
                let with = if one == user_id { other_name } else { one_name };
                if fold(&with) == name {
                    return Ok(Some((one, other)));
                }
            }
        }
        Ok(None)
    }
}

/// Merges lines of the tables with buffered lines read before, by id.
pub(super) struct Merged<'a> {
    rows: Rows<'a>,
    /// The next line of the tables.
    next: Option<StoredLine>,
    memtable: Peekable<std::vec::IntoIter<StoredLine>>,
}

impl<'a> Merged<'a> {
    pub(super) fn new(rows: Rows<'a>, memtable: Vec<StoredLine>) -> Self {
        Self { rows, next: None, memtable: memtable.into_iter().peekable() }
    }

    pub(super) fn next(&mut self) -> rusqlite::Result<Option<StoredLine>> {
        if self.next.is_none() {
            self.next = self.rows.next()?.map(stored_line).transpose()?;
        }
        let kept = self.next.as_ref().map(|line| line.id);
        Ok(match self.memtable.peek().map(|line| line.id) {
            Some(waits) if kept.is_none_or(|kept| waits < kept) => self.memtable.next(),
            waits => {
                if waits == kept {
                    // It was flushed just now.
                    self.memtable.next();
                }
                self.next.take()
            }
        })
    }
}

/// Names of deleted accounts are left out.
pub(super) const COLUMNS: &str = "SELECT number, floor, shown, one, other,
    iif(one IN (SELECT party FROM erasing), '', one_name),
    iif(other IN (SELECT party FROM erasing), '', other_name) FROM conversation";

/// Returns the number of a conversation, if it exists.
pub(super) fn number_of(
    connection: &Connection,
    key: StoreKey<'_>,
) -> rusqlite::Result<Option<u32>> {
    Ok(find(connection, key)?.map(|place| place.number))
}

pub(super) fn find(
    connection: &Connection,
    key: StoreKey<'_>,
) -> rusqlite::Result<Option<ConversationMeta>> {
    match key {
        StoreKey::Channel(name) => connection
            .prepare_cached(&format!("{COLUMNS} WHERE name = ?1"))?
            .query_row([name], conversation_meta)
            .optional(),
        StoreKey::Private(one, other) => connection
            .prepare_cached(&format!("{COLUMNS} WHERE one = ?1 AND other = ?2"))?
            .query_row([one, other], conversation_meta)
            .optional(),
    }
}

/// Returns the private chats of a user, newest first.
pub(super) fn private_chats(
    connection: &Connection,
    user_id: u64,
) -> rusqlite::Result<Vec<ConversationMeta>> {
    let mut all = connection.prepare_cached(&format!(
        "{COLUMNS} WHERE one = ?1 OR other = ?1 ORDER BY number DESC LIMIT ?2"
    ))?;
    let rows = all.query_map(params![user_id, MAX_PRIVATE], conversation_meta)?;
    rows.collect()
}

pub(super) fn conversation_meta(row: &Row<'_>) -> rusqlite::Result<ConversationMeta> {
    let (one, other): (Option<u64>, Option<u64>) = (row.get(3)?, row.get(4)?);
    let conversation = match one.zip(other) {
        Some(parties) => ConversationInfo::Private(parties, (row.get(5)?, row.get(6)?)),
        None => ConversationInfo::Channel(row.get(2)?),
    };
    Ok(ConversationMeta { number: row.get(0)?, floor: row.get(1)?, conversation })
}
