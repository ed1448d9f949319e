//! Hides all lines of an author in a conversation.
//!
//! The commit of a purge writes one row (`pending_purge`) for each name of the author, whatever the
//! number of lines. From that commit on, reads leave the lines out, see
//! [`PendingRedactions`](super::pending_redactions::PendingRedactions). The
//! lines are marked as hidden later, a few at a time between commits, and the row is deleted with
//! the last of them. So a purge takes the writing thread no longer in a long history than in a
//! short one.
//!
//! `author_block` has the blocks of ids in which each author wrote, and only these are read. It is
//! filled together with the full-text index, so unindexed lines are all read. Authors are stored as
//! [`author_key`](super::author_blocks::author_key) folds them. A version that folds names
//! otherwise must rebuild it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::StoreError;
use super::author_blocks::{BLOCK_BITS, FoldedNames, block_of, end_of_block};
use super::line_sum;
use super::pending_redactions::{PENDING, PendingPurge};
use super::reader::{Reader, RowFilter};
use super::row::{ConversationMeta, HIDDEN, NOT_SHOWN, StoreKey, line_id, rowid};
use super::write_op::AuthorPeriod;
use super::writer::Writer;
use crate::util::sync::lock;

/// Ids read at once where no index exists.
const UNINDEXED_STRETCH: u64 = 4096;

/// Lines read per marking step, if few of them match.
const LINES_LOOKED_AT: usize = 2000;

/// A count of lines, as far as the scan came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// The lines.
    pub lines: u64,
    /// The id up to which they were counted.
    pub upto: u64,
}

/// Returns the next range of ids, within bounds, that may hold lines of these authors (folded).
fn next_stretch(
    connection: &Connection,
    number: u32,
    authors: &[&str],
    (after, upto): (u64, u64),
) -> rusqlite::Result<Option<(u64, u64)>> {
    let mut ends =
        connection.prepare_cached("SELECT floor, indexed FROM conversation WHERE number = ?1")?;
    let ends = ends.query_row([number], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (floor, indexed): (u64, u64) = ends.unwrap_or((upto, upto));
    let mut after = after.max(floor);
    let mut end = upto;
    if after < indexed {
        let mut next = connection.prepare_cached(
            "SELECT min(block) FROM author_block WHERE number = ?1 AND author = ?2 AND block >= ?3",
        )?;
        let mut first: Option<u64> = None;
        for author in authors {
            let block = params![number, author, block_of(after + 1)];
            let found: Option<u64> = next.query_row(block, |row| row.get(0))?;
            first = found.into_iter().chain(first).min();
        }
        if let Some(block) = first.filter(|block| block << BLOCK_BITS <= indexed) {
            after = after.max((block << BLOCK_BITS).saturating_sub(1));
            end = upto.min(end_of_block(block));
        } else {
            after = indexed;
        }
    }
    if after >= indexed {
        end = upto.min(after.saturating_add(UNINDEXED_STRETCH));
    }
    Ok((after < upto).then_some((after, end)))
}

impl Reader {
    /// Counts visible lines of these authors in a range of ids. Reads a bounded number of ids and
    /// returns how far it came.
    pub fn count_by(
        &self,
        of: StoreKey<'_>,
        authors: &[AuthorPeriod<'_>],
        range: (u64, u64),
        most: u64,
    ) -> Result<LineCount, StoreError> {
        match self.find_conversation(of)? {
            Some(at) => self.count_at(&at, authors, range, most),
            None => Ok(LineCount { lines: 0, upto: range.1 }),
        }
    }

    fn count_at(
        &self,
        at: &ConversationMeta,
        authors: &[AuthorPeriod<'_>],
        (after, upto): (u64, u64),
        most: u64,
    ) -> Result<LineCount, StoreError> {
        let names: Vec<&str> = authors.iter().map(|author| author.name).collect();
        let mut keys = FoldedNames::default();
        let (mut lines, mut left, mut looked) = (0, most, after.max(at.floor));
        loop {
            let next = next_stretch(&lock(self.connection()), at.number, &names, (looked, upto))?;
            let Some((begin, end)) = next else { return Ok(LineCount { lines, upto }) };
            if left == 0 {
                return Ok(LineCount { lines, upto: begin });
            }
            let end = end.min(begin.saturating_add(left));
            self.walk(at, (begin, end), RowFilter::Visible(None), usize::MAX, |line| {
                let key = keys.of(&line.author);
                let is_theirs =
                    authors.iter().any(|author| author.is_at(line.time) && author.name == key);
                lines += u64::from(is_theirs);
                true
            })?;
            left = left.saturating_sub(end - begin);
            looked = end;
        }
    }
}

impl Writer {
    /// Does the same as [`Reader::count_by`] for a conversation by its number, up to its last line.
    pub fn count_by(
        &self,
        number: u32,
        authors: &[AuthorPeriod<'_>],
        range: (u64, u64),
        most: u64,
    ) -> Result<LineCount, StoreError> {
        let viewer = self.reader();
        let at = viewer.conversation_by_number(number)?;
        viewer.count_at(&at, authors, range, most)
    }

    /// Returns the number of pending purges.
    pub fn pending_purges(&self) -> Result<usize, StoreError> {
        let connection = self.memtable().tables();
        let mut count = connection.prepare_cached("SELECT count(*) FROM pending_purge")?;
        Ok(count.query_row((), |row| row.get(0))?)
    }

    /// Marks some lines of a pending purge as hidden. Returns the number of pending purges.
    pub fn purge_some(&self, most: usize) -> Result<usize, StoreError> {
        let first = {
            let connection = self.memtable().tables();
            let mut first = connection.prepare_cached(&format!("{PENDING} ORDER BY at LIMIT 1"))?;
            first.query_row((), PendingPurge::read).optional()?
        };
        let Some(purge) = first else { return Ok(0) };
        if !self.memtable().flush_some(purge.number, purge.upto)? {
            return self.pending_purges();
        }
        let mut tables = self.memtable().tables();
        // A step lost in a power cut is repeated: the row is rolled back with the lines.
        self.memtable().unsynced(&mut tables, |tables| Ok(mark(tables, &purge, most)?))?;
        drop(tables);
        self.pending_purges()
    }
}

/// One step of marking.
fn mark(tables: &mut Connection, purge: &PendingPurge, most: usize) -> rusqlite::Result<()> {
    let change = tables.transaction()?;
    let (mut keys, mut found, mut looked) = (FoldedNames::default(), Vec::new(), purge.looked);
    let mut read = 0;
    let is_done = {
        let mut lines = change.prepare_cached(
            "SELECT place, author, time, flags FROM line WHERE place > ?1 AND place <= ?2 ORDER BY place",
        )?;
        loop {
            let range = (looked, purge.upto);
            let next = next_stretch(&change, purge.number, &[&purge.author], range)?;
            let Some((begin, end)) = next else { break true };
            let mut rows = lines.query([rowid(purge.number, begin), rowid(purge.number, end)])?;
            looked = end;
            let mut is_full = false;
            while let Some(row) = rows.next()? {
                let at: i64 = row.get(0)?;
                read += 1;
                let is_theirs = row.get::<_, i64>(3)? & NOT_SHOWN == 0
                    && purge.author().is_at(row.get(2)?)
                    && keys.of(&line_sum::text(row, 1)?) == purge.author;
                if is_theirs {
                    found.push(at);
                }
                is_full = found.len() >= most || read >= LINES_LOOKED_AT;
                if is_full {
                    looked = line_id(at);
                    break;
                }
            }
            if is_full {
                break false;
            }
        }
    };
    {
        let mut hide =
            change.prepare_cached("UPDATE line SET flags = flags | ?2 WHERE place = ?1")?;
        for at in found {
            hide.execute(params![at, HIDDEN])?;
        }
    }
    let is_whole = purge.since.is_none() && purge.until.is_none();
    if is_whole {
        // Nothing of the author is left to be hidden.
        let end = if is_done { purge.upto } else { looked };
        change
            .prepare_cached(
                "DELETE FROM author_block WHERE number = ?1 AND author = ?2 AND block < ?3",
            )?
            .execute(params![purge.number, purge.author, block_of(end + 1)])?;
    }
    if is_done {
        change.prepare_cached("DELETE FROM pending_purge WHERE at = ?1")?.execute([purge.at])?;
    } else {
        change
            .prepare_cached("UPDATE pending_purge SET looked = ?2 WHERE at = ?1")?
            .execute(params![purge.at, looked])?;
    }
    change.commit()
}
