//! A database file of its own for what waits: a row for each commit.
//!
//! That it is a file of its own lets lines be kept while others are put into the tables, which locks theirs.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::files::MAX_LOG;
use crate::store::wal::{Length, Wal, has_room_to_spare, lengthen, truncate};
use crate::store::{BUSY, Durability, Failure, identity};

/// The file, beside that of the tables.
pub(in crate::store) const FILE: &str = "recent.db";

/// Tells this file from others (`PRAGMA application_id`): "chaj".
const APPLICATION: i32 = 0x6368_616A;

/// An empty file that is longer than this is made short again, in bytes.
const LONG: i64 = 16 * 1024 * 1024;

pub(in crate::store) struct Journal {
    connection: Connection,
    has_room: bool,
}

impl Journal {
    /// Opens the journal in a store's directory, or makes one.
    pub(in crate::store) fn open(
        directory: &Path,
        durability: Durability,
    ) -> rusqlite::Result<Self> {
        let connection = Connection::open(directory.join(FILE))?;
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
            // Where there is one already, nothing is written: perhaps there is no room.
            connection.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION};
                CREATE TABLE batch (row INTEGER PRIMARY KEY, records BLOB NOT NULL)"
            ))?;
        }
        identity::prepare_journal(&connection)?;
        Ok(Self { connection, has_room: has_room_to_spare(directory) })
    }

    /// Its log, from now on; `is_long` is called as [`Wal::of`] tells.
    pub(in crate::store) fn wal(
        &mut self,
        directory: &Path,
        is_long: impl Fn() + Send + 'static,
    ) -> rusqlite::Result<Wal> {
        self.lengthen();
        Wal::of(&mut self.connection, &directory.join(FILE), Length::OF_JOURNAL, is_long)
    }

    fn lengthen(&mut self) {
        if self.has_room
            && let Err(error) = lengthen(&mut self.connection, Length::OF_JOURNAL)
        {
            // It grows by and by then.
            tracing::debug!(%error, "the log could not be made long");
        }
    }

    /// The last row of which all is in the tables. Rows after it have higher numbers, also when it is gone.
    pub(in crate::store) fn forgotten(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT forgotten FROM store", (), |row| row.get(0))
    }

    fn is_empty(&self) -> rusqlite::Result<bool> {
        self.connection.query_row("SELECT NOT EXISTS (SELECT * FROM batch)", (), |row| row.get(0))
    }

    /// The first row after this one.
    pub(super) fn after(&self, row: i64) -> Result<Option<(i64, Vec<u8>)>, Failure> {
        let mut next = self
            .connection
            .prepare_cached("SELECT row, records FROM batch WHERE row > ?1 ORDER BY row LIMIT 1")?;
        Ok(next.query_row([row], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// Keeps records, or nothing of them.
    pub(super) fn append(&mut self, row: i64, records: &[u8]) -> Result<(), Failure> {
        let appended = self
            .connection
            .prepare_cached("INSERT INTO batch (row, records) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![row, records]));
        if appended.is_err() {
            crate::store::book::overwrite_failed(&self.connection);
        }
        appended?;
        Ok(())
    }

    /// Rows up to this one are in the tables.
    pub(super) fn forget(&mut self, row: i64) -> Result<(), Failure> {
        let change = self.connection.transaction()?;
        change.prepare_cached("DELETE FROM batch WHERE row <= ?1")?.execute([row])?;
        change.prepare_cached("UPDATE store SET forgotten = max(forgotten, ?1)")?.execute([row])?;
        change.commit()?;
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

    /// Nothing of what it held is left in its files.
    pub(super) fn leave_nothing(&mut self) -> Result<(), Failure> {
        self.connection.execute("VACUUM", ())?;
        self.shorten()?;
        self.lengthen();
        Ok(())
    }

    /// Puts everything into the one file.
    pub(in crate::store) fn shorten(&mut self) -> Result<(), Failure> {
        Ok(truncate(&self.connection)?)
    }

    pub(in crate::store) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The last row that the journal of a server, running or not, has at this moment, if it has any.
pub(in crate::store) fn last_row(directory: &Path) -> rusqlite::Result<Option<i64>> {
    ask(directory, "SELECT max(row) FROM batch")
}

/// Whether rows up to this one are in the tables.
pub(in crate::store) fn is_flushed(directory: &Path, row: i64) -> rusqlite::Result<bool> {
    Ok(ask(directory, "SELECT min(row) FROM batch")?.is_none_or(|first| first > row))
}

fn ask(directory: &Path, sql: &str) -> rusqlite::Result<Option<i64>> {
    let path = directory.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let connection = crate::store::read_connection(&path)?;
    if !connection.table_exists(None, "batch")? {
        return Ok(None);
    }
    connection.query_row(sql, (), |row| row.get(0))
}
