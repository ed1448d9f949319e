//! The journal: a database with one row per commit of lines.
//!
//! It is a separate file, so that commits proceed while a flush locks the tables.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::chores::Progress;
use crate::store::checkpoint::{
    Wal, WalLimits, commit_nothing, has_room_to_spare, lengthen, truncate,
};
use crate::store::error::StoreErrorKind;
use crate::store::files::MAX_LOG;
use crate::store::paths::JOURNAL_FILE;
use crate::store::wal_repair::{self, Checksum};
use crate::store::{BUSY, Durability, StoreError, identity};

/// Identifies the file (`PRAGMA application_id`): "chaj".
const APPLICATION: i32 = 0x6368_616A;

/// An empty journal longer than this, in bytes, is shortened.
const LONG: i64 = 16 * 1024 * 1024;

pub(in crate::store) struct Journal {
    connection: Connection,
    has_room: bool,
    /// Rows have a checksum. Those of earlier versions have none.
    has_sums: bool,
    wiping: WipePhase,
    /// What is overwritten has nothing of later rows.
    wiped: i64,
}

/// What is overwritten next.
#[derive(Clone, Copy, Default)]
enum WipePhase {
    /// The free pages: they become part of a table of zeros.
    #[default]
    Fill,
    /// That table is deleted.
    Drain,
    /// The log restarts, and the rest of its file follows. `restarts` were counted before.
    Log { restarts: usize, at: u64 },
}

/// A stored row.
pub(super) struct JournalRow {
    pub(super) number: i64,
    pub(super) records: Vec<u8>,
    /// The checksum matches.
    pub(super) is_whole: bool,
}

/// Rows deleted at once, so that a delete delays a commit no longer than another commit.
const FORGOTTEN_AT_ONCE: i64 = 128;

impl Journal {
    /// Opens or creates the journal in a store's directory.
    pub(in crate::store) fn open(
        directory: &Path,
        durability: Durability,
    ) -> rusqlite::Result<Self> {
        let connection = Connection::open(directory.join(JOURNAL_FILE))?;
        connection.busy_timeout(BUSY)?;
        let synchronous = match durability {
            Durability::Machine => "full",
            Durability::Process => "normal",
        };
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "cache_size", -1_000)?;
        // Deleted rows are overwritten where the page is written anyway.
        connection.pragma_update(None, "secure_delete", "fast")?;
        connection.pragma_update(None, "journal_size_limit", MAX_LOG)?;
        if !connection.table_exists(None, "batch")? {
            // Nothing is written to an existing journal: the disk may be full.
            connection.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION};
                CREATE TABLE batch (row INTEGER PRIMARY KEY, records BLOB NOT NULL)"
            ))?;
        }
        identity::prepare_journal(&connection)?;
        let has_sums = give_sums(&connection)?;
        let has_room = has_room_to_spare(directory);
        Ok(Self::over(connection, has_room, has_sums))
    }

    fn over(connection: Connection, has_room: bool, has_sums: bool) -> Self {
        Self { connection, has_room, has_sums, wiping: WipePhase::default(), wiped: 0 }
    }

    /// Opens the journal of a store that no server has open, if it exists, and changes no file.
    pub(super) fn open_to_read(directory: &Path) -> rusqlite::Result<Option<Self>> {
        let path = directory.join(JOURNAL_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let connection = identity::open_untouched(&path)?;
        if !connection.table_exists(None, "batch")? || !connection.table_exists(None, "store")? {
            return Ok(None);
        }
        let has_sums = has_sums(&connection)?;
        Ok(Some(Self::over(connection, false, has_sums)))
    }

    /// Watches its WAL; see [`Wal::of`] for `is_long`.
    pub(in crate::store) fn wal(
        &mut self,
        directory: &Path,
        is_long: impl Fn() + Send + 'static,
    ) -> rusqlite::Result<Wal> {
        self.lengthen();
        Wal::of(&mut self.connection, &directory.join(JOURNAL_FILE), WalLimits::OF_JOURNAL, is_long)
    }

    fn lengthen(&mut self) {
        if self.has_room
            && let Err(error) = lengthen(&mut self.connection, WalLimits::OF_JOURNAL)
        {
            // It grows as needed then.
            tracing::debug!(%error, "can't preallocate the WAL");
        }
    }

    /// Returns the last deleted row. Later rows have higher numbers, also in an empty journal.
    pub(in crate::store) fn forgotten(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT forgotten FROM store", (), |row| row.get(0))
    }

    fn is_empty(&self) -> rusqlite::Result<bool> {
        self.connection.query_row("SELECT NOT EXISTS (SELECT * FROM batch)", (), |row| row.get(0))
    }

    /// Returns the first row after this one.
    pub(super) fn after(&self, row: i64) -> Result<Option<JournalRow>, StoreError> {
        let sum = if self.has_sums { "sum" } else { "NULL" };
        let mut next = self.connection.prepare_cached(&format!(
            "SELECT row, records, {sum} FROM batch WHERE row > ?1 ORDER BY row LIMIT 1"
        ))?;
        let next = next.query_row([row], |row| {
            let records: Vec<u8> = row.get(1)?;
            let sum: Option<i64> = row.get(2)?;
            let is_whole = sum.is_none_or(|sum| sum == Checksum::of(&records));
            Ok(JournalRow { number: row.get(0)?, records, is_whole })
        });
        Ok(next.optional()?)
    }

    /// Returns the first row, if any, and the last, or 0.
    pub(super) fn ends(&self) -> Result<(Option<i64>, i64), StoreError> {
        let sql = "SELECT (SELECT min(row) FROM batch), coalesce((SELECT max(row) FROM batch), 0)";
        Ok(self.connection.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Appends a row, or fails without effect.
    pub(super) fn append(&mut self, row: i64, records: &[u8]) -> Result<(), StoreError> {
        let appended = if self.has_sums {
            self.connection
                .prepare_cached("INSERT INTO batch (row, records, sum) VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute(params![row, records, Checksum::of(records)]))
        } else {
            self.connection
                .prepare_cached("INSERT INTO batch (row, records) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute(params![row, records]))
        };
        if let Err(error) = &appended {
            crate::store::checkpoint::overwrite_failed(&self.connection, error);
        }
        appended?;
        Ok(())
    }

    /// Deletes some rows up to this one, which are durable in the tables. Returns whether there are
    /// more.
    pub(super) fn forget_some(&mut self, row: i64) -> Result<bool, StoreError> {
        let first: Option<i64> =
            self.connection.query_row("SELECT min(row) FROM batch", (), |row| row.get(0))?;
        let upto = first.map_or(row, |first| row.min(first + FORGOTTEN_AT_ONCE - 1));
        // Rows that a power cut brings back are deleted again.
        self.unsynced(|connection| delete(connection, upto))?;
        if upto == row {
            self.shrink()?;
        }
        Ok(upto < row)
    }

    /// Records that rows up to this one are in the tables. They stay until the database file itself
    /// has them.
    pub(super) fn note_put(&mut self, row: i64) -> Result<(), StoreError> {
        self.unsynced(|connection| Ok(identity::note_put(connection, row)?))
    }

    fn unsynced(
        &mut self,
        change: impl FnOnce(&mut Connection) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let usual: i64 =
            self.connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        self.connection.pragma_update(None, "synchronous", "normal")?;
        let done = change(&mut self.connection);
        self.connection.pragma_update(None, "synchronous", usual)?;
        done
    }

    /// Deletes rows up to this one, which are in the tables.
    pub(super) fn forget(&mut self, row: i64) -> Result<(), StoreError> {
        delete(&mut self.connection, row)?;
        self.shrink()
    }

    fn shrink(&mut self) -> Result<(), StoreError> {
        if self.is_empty()? && self.bytes()? > LONG {
            self.connection.execute("VACUUM", ())?;
        }
        Ok(())
    }

    fn bytes(&self) -> rusqlite::Result<i64> {
        let number = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get(0));
        let pages: i64 = number("page_count")?;
        Ok(pages * number("page_size")?)
    }

    /// Whether the log is overwritten next: it should be checkpointed before.
    pub(super) fn is_log_next(&self, row: i64) -> bool {
        row <= self.wiped && matches!(self.wiping, WipePhase::Log { .. })
    }

    /// Overwrites some of what the files still have of rows up to this one, which are deleted: free
    /// pages and old parts of the log. Takes a millisecond or two.
    pub(super) fn wipe_some(&mut self, row: i64, log: &Wal) -> Result<Progress, StoreError> {
        if row > self.wiped {
            (self.wiping, self.wiped) = (WipePhase::default(), row);
        }
        match self.wiping {
            WipePhase::Fill => {
                let mut is_full = false;
                self.unsynced(|connection| {
                    is_full = fill_some(connection)?;
                    Ok(())
                })?;
                if is_full {
                    self.wiping = WipePhase::Drain;
                }
                Ok(Progress::More)
            }
            WipePhase::Drain => {
                let mut is_empty = false;
                self.unsynced(|connection| {
                    is_empty = drain_some(connection)?;
                    Ok(())
                })?;
                if is_empty {
                    self.wiping = WipePhase::Log { restarts: log.restarts(), at: 0 };
                }
                Ok(Progress::More)
            }
            WipePhase::Log { restarts, at } => {
                if log.restarts() == restarts {
                    // It restarts with the first commit after a complete checkpoint.
                    self.unsynced(|connection| Ok(commit_nothing(connection)?))?;
                }
                if log.restarts() == restarts {
                    return Ok(Progress::Later);
                }
                let path = Path::new(self.connection.path().unwrap_or_default());
                let next = wal_repair::wipe_unused(path, log.pages(), at)
                    .map_err(|_| StoreError::told(StoreErrorKind::Other, UNWIPED))?;
                if let Some(at) = next {
                    self.wiping = WipePhase::Log { restarts, at };
                } else {
                    (self.wiping, self.wiped) = (WipePhase::default(), 0);
                }
                Ok(Progress::more(next.is_some()))
            }
        }
    }

    /// Checkpoints and truncates the WAL.
    pub(in crate::store) fn shorten(&mut self) -> Result<(), StoreError> {
        Ok(truncate(&self.connection)?)
    }

    /// Marks the store as stopped cleanly, and shortens the WAL.
    pub(super) fn end(&mut self) -> Result<(), StoreError> {
        identity::note_stopped(&self.connection)?;
        self.shorten()
    }

    pub(in crate::store) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// For the log.
const UNWIPED: &str = "the log of recent.db can't be overwritten";

/// Pages filled, or deleted, by one step.
const WIPED_AT_ONCE: u32 = 64;

/// Moves some free pages to a table of zeros. Returns whether no page is free.
fn fill_some(connection: &mut Connection) -> rusqlite::Result<bool> {
    let change = connection.transaction()?;
    change.execute_batch("CREATE TABLE IF NOT EXISTS wipe (page BLOB)")?;
    let free = || change.pragma_query_value(None, "freelist_count", |row| row.get::<_, u32>(0));
    for _ in 0..WIPED_AT_ONCE {
        if free()? == 0 {
            break;
        }
        change.prepare_cached("INSERT INTO wipe VALUES (zeroblob(4000))")?.execute(())?;
    }
    let is_full = free()? == 0;
    change.commit()?;
    Ok(is_full)
}

/// Deletes some of the table of zeros. Returns whether it is gone.
fn drain_some(connection: &mut Connection) -> rusqlite::Result<bool> {
    let change = connection.transaction()?;
    let deleted = change
        .prepare_cached(
            "DELETE FROM wipe WHERE rowid IN (SELECT rowid FROM wipe ORDER BY rowid LIMIT ?1)",
        )?
        .execute([WIPED_AT_ONCE])?;
    let is_empty = deleted < WIPED_AT_ONCE as usize;
    if is_empty {
        change.execute_batch("DROP TABLE wipe")?;
    }
    change.commit()?;
    Ok(is_empty)
}

fn delete(connection: &mut Connection, row: i64) -> Result<(), StoreError> {
    let change = connection.transaction()?;
    change.prepare_cached("DELETE FROM batch WHERE row <= ?1")?.execute([row])?;
    change.prepare_cached("UPDATE store SET forgotten = max(forgotten, ?1)")?.execute([row])?;
    Ok(change.commit()?)
}

/// Adds the checksum column. On a full disk, rows go without.
fn give_sums(connection: &Connection) -> rusqlite::Result<bool> {
    if has_sums(connection)? {
        return Ok(true);
    }
    let given = connection.execute("ALTER TABLE batch ADD COLUMN sum INTEGER", ());
    if let Err(error) = &given {
        tracing::debug!(%error, "can't add checksums to the journal");
    }
    Ok(given.is_ok())
}

fn has_sums(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info('batch') WHERE name = 'sum'";
    connection.query_row(sql, (), |row| row.get::<_, i64>(0)).map(|columns| columns > 0)
}

/// Returns the last row of a journal that a server may have open.
pub(in crate::store) fn last_row(directory: &Path) -> rusqlite::Result<Option<i64>> {
    ask(directory, "SELECT max(row) FROM batch")
}

/// Whether rows up to this one are in the tables.
pub(in crate::store) fn is_flushed(directory: &Path, row: i64) -> rusqlite::Result<bool> {
    if let Some(put) = identity::put_in(directory)? {
        return Ok(put >= row);
    }
    // An earlier version deletes a row as soon as the tables have it.
    Ok(ask(directory, "SELECT min(row) FROM batch")?.is_none_or(|first| first > row))
}

fn ask(directory: &Path, sql: &str) -> rusqlite::Result<Option<i64>> {
    let path = directory.join(JOURNAL_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let connection = identity::open_untouched(&path)?;
    if !connection.table_exists(None, "batch")? {
        return Ok(None);
    }
    connection.query_row(sql, (), |row| row.get(0))
}
