//! Redaction: deletes an account at once, and its lines in small steps.
//!
//! A line is never removed from its conversation, since ids have no gaps. It is redacted: id and
//! time stay; text, author and index entries are deleted. Deleted data is overwritten in the file
//! as well, which is too expensive to do always: pages freed earlier may hold remains until they
//! are reused. A copy never does.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::StoreError;
use super::apply::{forget_rest_of, overwriting};
use super::author_blocks::leave_blocks;
use super::author_index::spots;
use super::full_text::indexed;
use super::line_sum;
use super::row::{ID_BITS, REDACTED, rowid};
use super::writer::Writer;
use crate::util::sync::lock;

/// Lines and conversations examined per step, if few of them match.
const LINES_LOOKED_AT: usize = 2000;
const SPOTS_LOOKED_AT: usize = 64;

/// Rows of other tables deleted per step.
const ROWS_A_STEP: usize = 200;

/// Conversations of which one step puts the last lines into the index.
const INDEXED_A_STEP: usize = 4;

impl Writer {
    /// Returns the deleted accounts with lines that aren't redacted, including those left by an
    /// earlier server.
    pub fn pending_redactions(&self) -> Result<Vec<u64>, StoreError> {
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached("SELECT party FROM erasing ORDER BY party")?;
        let rows = all.query_map((), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Redacts some lines of a deleted account. Returns whether there may be more. When there are
    /// none, commit [`super::AccountOp::Redacted`].
    pub fn redact(&self, user_id: u64, most: usize) -> Result<bool, StoreError> {
        if self.forget_rest_of(user_id)? {
            return Ok(true);
        }
        // Only indexed words can be deleted from the index.
        let numbers = next_numbers(&self.memtable().tables(), user_id)?;
        let unindexed = numbers.into_iter().filter(|number| !self.memtable().is_indexed(*number));
        for (nth, number) in unindexed.enumerate() {
            if nth == INDEXED_A_STEP || !self.memtable().index_some(number)? {
                return Ok(true);
            }
        }
        self.overwrite(|connection| step(connection, user_id, most))
    }

    /// Deletes some of what is left under the account but its lines. Returns whether there may be
    /// more.
    fn forget_rest_of(&self, user_id: u64) -> Result<bool, StoreError> {
        if looked(&self.memtable().tables(), user_id)? != Some(0) {
            return Ok(false);
        }
        self.overwrite(|connection| {
            let change = connection.transaction()?;
            let more = forget_rest_of(&change, user_id, ROWS_A_STEP)?;
            if !more {
                // No line is before it.
                change.execute("UPDATE erasing SET looked = 1 WHERE party = ?1", [user_id])?;
            }
            change.commit()?;
            Ok(more)
        })
    }

    /// A step that a power cut undoes is repeated: what it recorded is undone with it.
    fn overwrite<T>(
        &self,
        change: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.memtable().tables();
        self.memtable()
            .unsynced(&mut connection, |connection| Ok(overwriting(connection, true, change)?))
    }
}

fn step(connection: &mut Connection, user_id: u64, most: usize) -> rusqlite::Result<bool> {
    let step = connection.transaction()?;
    let (lines, mut more) = next(&step, user_id, most)?;
    blank(&step, &lines)?;
    if !more {
        let forgotten = step
            .prepare_cached(
                "DELETE FROM wrote WHERE party = ?1 AND number IN
                    (SELECT number FROM wrote WHERE party = ?1 LIMIT ?2)",
            )?
            .execute(params![user_id, ROWS_A_STEP])?;
        more = forgotten == ROWS_A_STEP;
    }
    step.commit()?;
    Ok(more)
}

/// The position up to which an account's lines are redacted; `None` if it isn't being deleted.
fn looked(connection: &Connection, user_id: u64) -> rusqlite::Result<Option<i64>> {
    let mut looked = connection.prepare_cached("SELECT looked FROM erasing WHERE party = ?1")?;
    looked.query_row([user_id], |row| row.get(0)).optional()
}

/// The conversations that the next step examines.
fn next_numbers(connection: &Connection, user_id: u64) -> rusqlite::Result<Vec<u32>> {
    let Some(looked) = looked(connection, user_id)? else { return Ok(Vec::new()) };
    let from = u32::try_from(looked >> ID_BITS).unwrap_or(u32::MAX);
    let spots = spots(connection, user_id, from, SPOTS_LOOKED_AT)?;
    Ok(spots.into_iter().map(|spot| spot.number).collect())
}

/// Returns some lines of an account, and whether there may be more.
fn next(change: &Transaction<'_>, user_id: u64, most: usize) -> rusqlite::Result<(Vec<i64>, bool)> {
    let Some(mut looked) = looked(change, user_id)? else { return Ok((Vec::new(), false)) };
    let from = u32::try_from(looked >> ID_BITS).unwrap_or(u32::MAX);
    let spots = spots(change, user_id, from, SPOTS_LOOKED_AT)?;
    let mut lines = change.prepare_cached(
        "SELECT place, flags, account FROM line WHERE place > ?1 AND place < ?2
            ORDER BY place LIMIT ?3",
    )?;
    let mut found = Vec::new();
    let mut seen = 0;
    let mut more = spots.len() == SPOTS_LOOKED_AT;
    for spot in spots {
        let after = looked.max(rowid(spot.number, 0));
        let left = LINES_LOOKED_AT - seen;
        let mut rows = lines.query(params![after, rowid(spot.number + 1, 0), left])?;
        while found.len() < most
            && let Some(row) = rows.next()?
        {
            looked = row.get(0)?;
            seen += 1;
            if spot.is_own(row.get(1)?, row.get(2)?) {
                found.push(looked);
            }
        }
        if found.len() >= most || seen >= LINES_LOOKED_AT {
            more = true;
            break;
        }
        looked = rowid(spot.number + 1, 0);
    }
    change
        .prepare_cached("UPDATE erasing SET looked = ?2 WHERE party = ?1")?
        .execute(params![user_id, looked])?;
    Ok((found, more))
}

/// Deletes text, author and index entries of lines.
fn blank(change: &Transaction<'_>, places: &[i64]) -> rusqlite::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    // Without it, deleted words are only marked and stay in the file.
    let secure = |on: bool| {
        change
            .prepare_cached("INSERT INTO word (word, rank) VALUES ('secure-delete', ?1)")?
            .execute([on])
    };
    secure(true)?;
    let mut line = change.prepare_cached("SELECT text, author FROM line WHERE place = ?1")?;
    let mut words = change.prepare_cached(
        "INSERT INTO word (word, rowid, text, author) VALUES ('delete', ?1, ?2, ?3)",
    )?;
    let mut blank = change.prepare_cached(
        "UPDATE line SET text = '', author = '', account = NULL, flags = flags & 65535 | ?2
            WHERE place = ?1",
    )?;
    let mut authors = Vec::new();
    for place in places {
        let (text, author): (String, String) = line.query_row([place], |row| {
            let (text, author) = (line_sum::text(row, 0)?, line_sum::text(row, 1)?);
            Ok((text.into_owned(), author.into_owned()))
        })?;
        words.execute(params![place, indexed(&text), indexed(&author)])?;
        blank.execute(params![place, REDACTED])?;
        authors.push((*place, author));
    }
    leave_blocks(change, authors.iter().map(|(place, author)| (*place, author.as_str())), |_| {
        false
    })?;
    secure(false)?;
    Ok(())
}
