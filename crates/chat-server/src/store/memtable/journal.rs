//! The journal: a database with one row per commit of lines.
//!
//! It is a separate file, so that commits proceed while a flush locks the tables.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::checkpoint::{Wal, WalLimits, has_room_to_spare, lengthen, truncate};
use crate::store::files::MAX_LOG;
use crate::store::paths::JOURNAL_FILE;
use crate::store::wal_repair::Checksum;
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
        Ok(Self { connection, has_room: has_room_to_spare(directory), has_sums })
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
        Ok(Some(Self { connection, has_room: false, has_sums }))
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

    /// Wipes deleted rows from the files.
    pub(super) fn leave_nothing(&mut self) -> Result<(), StoreError> {
        self.connection.execute("VACUUM", ())?;
        self.shorten()?;
        self.lengthen();
        Ok(())
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
