//! Detects files of different stores or generations.
//!
//! `chat.db` and `recent.db` have the store's id and a generation, a random number drawn at each
//! start. A start writes it in three synced steps: it is announced in `recent.db` (`next`), it
//! replaces the one in `chat.db`, and it replaces the one in `recent.db`. So after a crash at any
//! moment the generation of `chat.db` is one of the two in `recent.db`, and a file of another store
//! or generation has neither.
//!
//! SQLite applies a WAL to whatever database it lies beside. Therefore `chat.db` is also read
//! without its WAL: a generation is written to the file itself before the store is used.
//!
//! Rows of `recent.db` are numbered without end. `chat.db` has the number of the last row in its
//! tables, which is synced before `recent.db` deletes the row. A file that lacks what the other one
//! counts on is an older copy, or its WAL is gone. The first write after a backup goes to the WAL
//! and reaches the file with it: until then the file says that a WAL exists.
//! Later the WAL index (`-shm`) does: a WAL is missing if its index has frames that the file lacks.
//! A clean stop leaves none, and leaves a mark in `recent.db`, since an index may be out of date
//! after a power cut.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::checkpoint::write_some;
use super::damage::DamageReport;
use super::error::{Mismatch, StoreErrorKind};
use super::paths::{FILE, JOURNAL_FILE, beside};
use super::{Durability, OpenError, StoreError};

/// The table of `recent.db`. `sure`: row numbers are reliable, since each commit is synced; 2 more:
/// a WAL exists; 4 more: the server was stopped cleanly.
const JOURNAL_TABLE: &str = "BEGIN;
CREATE TABLE IF NOT EXISTS store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id INTEGER,
    generation INTEGER,
    next INTEGER,
    sure INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0,
    put INTEGER NOT NULL DEFAULT 0
);
INSERT INTO store (one) VALUES (1);
COMMIT";

/// The marks in `chat.db`; none before the migration that adds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TablesMark {
    id: Option<i64>,
    generation: Option<i64>,
    is_backup: bool,
    put: i64,
    /// A WAL exists.
    has_log: bool,
}

/// The marks in `recent.db`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct JournalMark {
    id: Option<i64>,
    generation: Option<i64>,
    next: Option<i64>,
    sure: bool,
    /// Rows up to this one are deleted.
    forgotten: i64,
    /// Rows up to this one were in the tables.
    put: i64,
    /// The last row ever written.
    last: i64,
    /// A WAL exists.
    has_log: bool,
    /// A clean stop wrote all WALs to the files, and no start followed.
    is_stopped: bool,
}

/// State of a file before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileState<T> {
    Missing,
    /// The file is empty.
    Empty,
    /// SQLite can't read it, and reports that when the file is opened.
    Unreadable,
    Has(T),
}

impl<T> FileState<T> {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Missing | Self::Empty)
    }
}

/// State of all files of a store.
#[derive(Clone, Copy, Debug)]
struct StoreFiles {
    /// `chat.db` without its WAL.
    alone: FileState<TablesMark>,
    /// `chat.db` with its WAL.
    tables: FileState<TablesMark>,
    /// Whether its WAL has content.
    has_log: bool,
    journal: FileState<JournalMark>,
    /// Whether its WAL has content.
    journal_has_log: bool,
    /// WALs that are missing according to their index: of the tables, and of the journal.
    gone: (bool, bool),
    /// Known losses of commits, reported elsewhere: of the tables, and of the journal.
    lacks: (bool, bool),
}

impl StoreFiles {
    fn check(&self) -> Result<(), Mismatch> {
        let lies_beside = !self.journal.is_nothing() || self.has_log;
        let (alone, tables) = match (self.alone, self.tables) {
            (FileState::Missing, _) if lies_beside => return Err(Mismatch::NoTables),
            (FileState::Empty, _) if lies_beside => return Err(Mismatch::EmptyTables),
            (FileState::Has(alone), _) if alone.is_backup && !self.journal.is_nothing() => {
                return Err(Mismatch::Backup);
            }
            (FileState::Has(alone), FileState::Has(tables)) => (alone, tables),
            _ => return Ok(()),
        };
        // Its own WAL would begin with the row that clears the mark.
        if tables.is_backup && self.has_log {
            return Err(Mismatch::Backup);
        }
        let was_started = alone.generation.or(tables.generation).is_some();
        match self.journal {
            FileState::Missing if was_started => Err(Mismatch::NoJournal),
            FileState::Empty if was_started => Err(Mismatch::EmptyJournal),
            FileState::Has(journal) => journal
                .check(alone)
                .and_then(|()| journal.check(tables))
                .and(if !self.has_log && (tables.has_log || self.gone.0 && !journal.is_stopped) {
                    Err(Mismatch::TablesBehind)
                } else if self.lacks_log(journal) {
                    Err(Mismatch::JournalBehind)
                } else if journal.sure
                    && (tables.put < journal.forgotten || tables.put < journal.put && !self.lacks.0)
                {
                    Err(Mismatch::TablesBehind)
                } else if journal.sure && tables.put > journal.last && !self.lacks.1 {
                    Err(Mismatch::JournalBehind)
                } else {
                    Ok(())
                }),
            _ => Ok(()),
        }
    }

    fn lacks_log(&self, journal: JournalMark) -> bool {
        !self.journal_has_log && (journal.has_log || self.gone.1 && !journal.is_stopped)
    }
}

impl JournalMark {
    fn check(&self, tables: TablesMark) -> Result<(), Mismatch> {
        let is_announced = tables.generation.is_some() && tables.generation == self.next;
        if tables.generation == self.generation || is_announced {
            return Ok(());
        }
        let is_other = tables.id.zip(self.id).is_some_and(|(one, other)| one != other);
        Err(if is_other { Mismatch::Stores } else { Mismatch::Times })
    }
}

/// Refuses files that don't belong together. Changes none of them; no server may have them open.
pub(super) fn check(directory: &Path, damage: &DamageReport) -> Result<(), OpenError> {
    let lacks = (damage.lacks_of_tables, damage.lacks_of_journal);
    refuse(directory, StoreFiles { lacks, ..find(directory) }.check())
}

/// Refuses missing files beside a server that has the store open. Their content changes meanwhile.
pub(super) fn check_presence(directory: &Path) -> Result<(), OpenError> {
    let files = find(directory);
    let is_missing = files.alone.is_nothing() || files.journal.is_nothing();
    refuse(directory, if is_missing { files.check() } else { Ok(()) })
}

fn refuse(directory: &Path, found: Result<(), Mismatch>) -> Result<(), OpenError> {
    found.map_err(|mismatch| OpenError::Mismatch { path: directory.to_owned(), mismatch })
}

fn find(directory: &Path) -> StoreFiles {
    let file = directory.join(FILE);
    let journal_file = directory.join(JOURNAL_FILE);
    StoreFiles {
        // First, since SQLite begins the index anew when it opens a database.
        gone: (is_gone(&file), is_gone(&journal_file)),
        alone: found(&file, |file| tables(&open_alone(file)?)),
        tables: found(&file, |file| tables(&open_untouched(file)?)),
        has_log: has_log(&file),
        journal_has_log: has_log(&journal_file),
        lacks: (false, false),
        journal: found(&journal_file, |file| journal(&open_untouched(file)?)),
    }
}

/// Whether a directory has a file of a store that isn't empty.
pub(super) fn has_some(directory: &Path) -> bool {
    [FILE, JOURNAL_FILE].iter().any(|name| {
        let file = directory.join(name);
        has_bytes(&file) || has_log(&file)
    })
}

fn has_bytes(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.len() > 0)
}

fn has_log(file: &Path) -> bool {
    has_bytes(&beside(file, "-wal"))
}

/// Whether the WAL of a database is missing or empty while its index (`-shm`) has frames that the
/// database lacks. Before SQLite empties a WAL, it writes all of it to the database.
fn is_gone(file: &Path) -> bool {
    if has_log(file) {
        return false;
    }
    let number = |at| {
        let mut number = [0; 4];
        let index = File::open(beside(file, "-shm"));
        let read = index.and_then(|index| index.read_exact_at(&mut number, at));
        read.map_or(0, |()| u32::from_ne_bytes(number))
    };
    number(FRAMES) > number(WRITTEN)
}

/// Offsets in a WAL index: of the number of frames in the WAL, and of those that are written to the
/// database. See <https://sqlite.org/walformat.html>.
const FRAMES: u64 = 16;
const WRITTEN: u64 = 96;

fn found<T>(file: &Path, read: impl Fn(&Path) -> rusqlite::Result<T>) -> FileState<T> {
    match fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileState::Missing,
        Ok(found) if found.len() == 0 => FileState::Empty,
        _ => read(file).map_or(FileState::Unreadable, FileState::Has),
    }
}

/// Opens a database without its WAL and without a lock.
pub(super) fn open_alone(file: &Path) -> rusqlite::Result<Connection> {
    let mut address = "file:".to_owned();
    for byte in std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).as_os_str().as_bytes()
    {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            address.push(char::from(*byte));
        } else {
            // Writing to a string doesn't fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(address, flags)
}

/// Opens a database with its WAL, which stays as it is on close. Creates no WAL.
pub(super) fn open_untouched(file: &Path) -> rusqlite::Result<Connection> {
    if !has_log(file) {
        return open_alone(file);
    }
    super::read_connection(file)
}

/// Added to `sure` while a WAL exists.
const HAS_LOG: i64 = 2;

/// Added to `sure` by a clean stop. The next start clears it.
const STOPPED: i64 = 4;

/// Encodes and decodes `put` while a WAL exists.
fn with_log(put: i64) -> i64 {
    -1 - put
}

fn tables(connection: &Connection) -> rusqlite::Result<TablesMark> {
    if !connection.table_exists(None, "store")? {
        return Ok(TablesMark::default());
    }
    connection.query_row("SELECT id, generation, is_backup, put FROM store", (), |row| {
        let (id, generation, put): (_, _, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let has_log = put < 0;
        let put = if has_log { with_log(put) } else { put };
        Ok(TablesMark { id, generation, is_backup: row.get(2)?, put, has_log })
    })
}

/// Returns the last journal row in these tables.
pub(super) fn put_of(connection: &Connection) -> rusqlite::Result<i64> {
    tables(connection).map(|tables| tables.put)
}

/// Returns the same for a store that a server may have open; `None` for an earlier version without
/// this mark.
pub(super) fn put_in(directory: &Path) -> rusqlite::Result<Option<i64>> {
    let connection = open_untouched(&directory.join(FILE))?;
    let tells = connection.table_exists(None, "store")?;
    tells.then(|| put_of(&connection)).transpose()
}

fn journal(connection: &Connection) -> rusqlite::Result<JournalMark> {
    if !connection.table_exists(None, "store")? {
        return Ok(JournalMark::default());
    }
    // An earlier version has no `put`.
    let put = if has_put(connection)? { "put" } else { "forgotten" };
    let sql = format!(
        "SELECT id, generation, next, sure, forgotten,
            max(forgotten, coalesce((SELECT max(row) FROM batch), 0)), {put} FROM store"
    );
    let found = connection.query_row(&sql, (), |row| {
        let (id, generation, next) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (sure, forgotten, last): (i64, _, _) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let (has_log, is_stopped) = (sure & HAS_LOG != 0, sure & STOPPED != 0);
        let (sure, put) = (sure & 1 != 0, row.get(6)?);
        Ok(JournalMark { id, generation, next, sure, forgotten, put, last, has_log, is_stopped })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// A store's id and generation.
pub(super) type StoreGeneration = (Option<i64>, Option<i64>);

/// Returns the generations of the open `chat.db`, with its WAL and without it.
pub(super) fn times(directory: &Path) -> Vec<StoreGeneration> {
    let file = directory.join(FILE);
    let both = [open_untouched(&file), open_alone(&file)];
    both.into_iter().filter_map(|opened| time(&opened.ok()?).ok()).collect()
}

fn time(connection: &Connection) -> rusqlite::Result<StoreGeneration> {
    tables(connection).map(|tables| (tables.id, tables.generation))
}

/// Whether `chat.db` itself has another generation or is no database. Any other read error may be a
/// write in progress.
pub(super) fn is_overwritten(directory: &Path, times: &[StoreGeneration]) -> bool {
    match open_alone(&directory.join(FILE)).and_then(|file| time(&file)) {
        Ok(found) => !times.contains(&found),
        Err(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase),
    }
}

/// Whether `backup` or `restore` wrote the file and no server has opened it since.
pub(super) fn is_backup(file: &Path) -> rusqlite::Result<bool> {
    Ok(tables(&open_alone(file)?)?.is_backup)
}

/// Marks a database that no other process has open as a backup.
pub(super) fn mark_backup(connection: &Connection) -> rusqlite::Result<()> {
    if connection.table_exists(None, "store")? {
        let sql = "UPDATE store SET generation = NULL, is_backup = 1, put = 0";
        connection.execute(sql, ())?;
    }
    if connection.table_exists(None, "damage")? {
        connection.execute("DELETE FROM damage", ())?;
    }
    connection.pragma_update(None, "journal_mode", "delete")
}

/// Clears the mark of a backup before any other write.
pub(super) fn take_backup(connection: &Connection) -> rusqlite::Result<()> {
    if tables(connection)?.is_backup {
        connection.execute("UPDATE store SET is_backup = 0", ())?;
        write_some(connection)?;
    }
    Ok(())
}

/// Draws the next generation of a checked store. On a failed write the store keeps its generation.
pub(super) fn raise(tables: &Connection, journal: &Connection, durability: Durability) {
    if let Err(error) = begin_generation(tables, journal, durability) {
        let failure = StoreError::from(error);
        if failure.kind() == StoreErrorKind::Full {
            tracing::debug!("{failure}");
        } else {
            tracing::warn!("can't mark the store's files with a new generation: {failure}");
        }
    }
}

fn begin_generation(
    of_tables: &Connection,
    of_journal: &Connection,
    durability: Durability,
) -> rusqlite::Result<()> {
    let is_written = |connection: &Connection| -> rusqlite::Result<bool> {
        let (pages, written) = write_some(connection)?;
        Ok(pages == written)
    };
    // A reader needs pages that are only in the WAL.
    if !is_written(of_tables)? {
        return Ok(());
    }
    let (tables, journal) = (tables(of_tables)?, journal(of_journal)?);
    let generation = random(of_tables)?;
    let id = tables.id.map_or_else(|| random(of_tables), Ok)?;
    synced(of_journal, |journal| {
        let sql = "UPDATE store SET id = ?1, generation = ?2, next = ?3, sure = 0";
        journal.execute(sql, params![id, tables.generation, generation])
    })?;
    // So that a copy of the file alone has it too.
    is_written(of_journal)?;
    // Without syncs, a power cut may have taken from one file what the other counts on.
    let put = tables.put.max(journal.forgotten);
    synced(of_tables, |tables| {
        let sql = "UPDATE store SET id = ?1, generation = ?2, put = ?3";
        tables.execute(sql, params![id, generation, with_log(put)])
    })?;
    if is_written(of_tables)? {
        let sure = i64::from(durability == Durability::Machine);
        synced(of_journal, |journal| {
            if has_put(journal)? {
                journal.execute("UPDATE store SET put = ?1", [put])?;
            }
            let sql = "UPDATE store SET generation = ?1, next = NULL, sure = ?2, forgotten = ?3";
            journal.execute(sql, params![generation, sure | HAS_LOG, put])
        })?;
        is_written(of_journal)?;
        let sql = "UPDATE store SET sure = ?1";
        synced(of_journal, |journal| journal.execute(sql, [sure]))?;
    }
    // These stay in the WALs until much more is there.
    synced(of_tables, |tables| self::put(tables, put))
}

/// Adds the marks to a new journal. A server killed meanwhile may have left the table without its
/// row.
pub(super) fn prepare_journal(connection: &Connection) -> rusqlite::Result<()> {
    let is_there = connection.table_exists(None, "store")?
        && connection.query_row("SELECT count(*) FROM store", (), |row| row.get::<_, i64>(0))? > 0;
    if !is_there {
        return connection.execute_batch(JOURNAL_TABLE);
    }
    if !has_put(connection)?
        && let Err(error) =
            connection.execute("ALTER TABLE store ADD COLUMN put INTEGER NOT NULL DEFAULT 0", ())
    {
        tracing::debug!(%error, "can't add the column `put` to the journal");
    }
    Ok(())
}

fn has_put(journal: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info('store') WHERE name = 'put'";
    journal.query_row(sql, (), |row| row.get::<_, i64>(0)).map(|columns| columns > 0)
}

/// Records in the journal that rows up to this one are in the tables, for the comparison at a
/// start. Of two flushing threads, the one with fewer rows may come last.
pub(super) fn note_put(journal: &Connection, row: i64) -> rusqlite::Result<()> {
    if has_put(journal)? {
        let mut note = journal.prepare_cached("UPDATE store SET put = max(put, ?1)")?;
        note.execute([row])?;
    }
    Ok(())
}

/// Marks a journal at a clean stop, before its WAL is written to it for the last time.
pub(super) fn note_stopped(journal: &Connection) -> rusqlite::Result<()> {
    journal.execute("UPDATE store SET sure = sure | ?1", [STOPPED]).map(drop)
}

fn random(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT random()", (), |row| row.get(0))
}

/// Makes a change that survives a power cut, whatever the usual setting.
fn synced<T>(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let usual: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    let done = change(connection);
    connection.pragma_update(None, "synchronous", usual)?;
    done
}

/// Records in the tables that they have journal rows up to this one. Earlier writes are synced with
/// it. Of two flushing threads, the one with fewer rows may come last. Any row exceeds the value
/// that is written while a WAL exists.
pub(super) fn put(tables: &Connection, row: i64) -> rusqlite::Result<()> {
    tables.prepare_cached("UPDATE store SET put = max(put, ?1)")?.execute([row])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(generation: Option<i64>, put: i64) -> FileState<TablesMark> {
        FileState::Has(TablesMark {
            id: generation.map(|_| 7),
            generation,
            put,
            ..TablesMark::default()
        })
    }

    fn journal(generation: Option<i64>, next: Option<i64>) -> JournalMark {
        let (forgotten, put, last) = (5, 5, 9);
        JournalMark {
            id: Some(7),
            generation,
            next,
            sure: true,
            forgotten,
            put,
            last,
            has_log: false,
            is_stopped: false,
        }
    }

    fn check(
        alone: FileState<TablesMark>,
        tables: FileState<TablesMark>,
        journal: FileState<JournalMark>,
    ) -> Result<(), Mismatch> {
        let (has_log, journal_has_log, lacks) = (true, true, (false, false));
        StoreFiles { alone, tables, has_log, journal, journal_has_log, gone: (false, false), lacks }
            .check()
    }

    #[test]
    fn each_step_of_a_start_may_be_the_last_one() {
        for old in [Some(1), None] {
            let (old, new) = (tables(old, 5), tables(Some(2), 5));
            let before = match old {
                FileState::Has(TablesMark { generation, .. }) => generation,
                _ => None,
            };
            for (alone, tables, journal) in [
                (old, old, journal(before, None)),
                (old, old, journal(before, Some(2))),
                (old, new, journal(before, Some(2))),
                (new, new, journal(before, Some(2))),
                (new, new, journal(Some(2), None)),
            ] {
                assert_eq!(check(alone, tables, FileState::Has(journal)), Ok(()));
            }
        }
        let nothing = tables(None, 0);
        for (alone, tables, has_log) in [
            (FileState::Missing, FileState::Missing, false),
            (FileState::Empty, FileState::Empty, false),
            (nothing, nothing, false),
            (nothing, nothing, true),
        ] {
            for journal in [FileState::Missing, FileState::Empty] {
                let lacks = (false, false);
                let files = StoreFiles {
                    alone,
                    tables,
                    has_log,
                    journal,
                    journal_has_log: false,
                    gone: (false, false),
                    lacks,
                };
                assert_eq!(files.check(), Ok(()), "{files:?}");
            }
        }
    }

    #[test]
    fn an_incomplete_journal_is_completed() {
        let left = Connection::open_in_memory().unwrap();
        left.execute_batch("CREATE TABLE batch (row INTEGER PRIMARY KEY, records BLOB NOT NULL)")
            .unwrap();
        let table = JOURNAL_TABLE.strip_prefix("BEGIN;").unwrap();
        left.execute_batch(table.split("INSERT").next().unwrap()).unwrap();
        assert_eq!(super::journal(&left).unwrap(), JournalMark::default());
        for _ in 0..2 {
            prepare_journal(&left).unwrap();
            let rows: i64 =
                left.query_row("SELECT count(*) FROM store", (), |row| row.get(0)).unwrap();
            assert_eq!(rows, 1);
        }
    }

    /// A server that was stopped under load refused to start again: `chat.db` counted fewer rows
    /// than the journal had deleted.
    #[test]
    fn a_thread_with_fewer_rows_does_not_lower_the_flushed_row() {
        let one = Connection::open_in_memory().unwrap();
        one.execute_batch(
            "CREATE TABLE store (id INTEGER, generation INTEGER, is_backup INTEGER, put INTEGER)",
        )
        .unwrap();
        one.execute("INSERT INTO store VALUES (7, 1, 0, ?1)", [with_log(7)]).unwrap();
        for (row, is_put) in [(7, 7), (9, 9), (8, 9)] {
            put(&one, row).unwrap();
            assert_eq!(put_of(&one).unwrap(), is_put);
            note_put(&one, row).unwrap();
            assert_eq!(put_of(&one).unwrap(), is_put);
        }
    }

    #[test]
    fn mismatched_files_are_detected() {
        let (one, two, none) = (tables(Some(1), 5), tables(Some(2), 5), tables(None, 0));
        let of = |generation, next| FileState::Has(journal(generation, next));
        let is_backup = |is_backup| TablesMark { is_backup, ..TablesMark::default() };
        let backup = FileState::Has(is_backup(true));
        for (alone, tables, journal, mismatch) in [
            (FileState::Missing, FileState::Missing, of(Some(1), None), Mismatch::NoTables),
            (FileState::Empty, FileState::Empty, of(Some(1), None), Mismatch::EmptyTables),
            (FileState::Missing, FileState::Missing, FileState::Missing, Mismatch::NoTables),
            (one, one, FileState::Missing, Mismatch::NoJournal),
            (one, one, FileState::Empty, Mismatch::EmptyJournal),
            (none, two, FileState::Missing, Mismatch::NoJournal),
            (backup, one, of(Some(1), None), Mismatch::Backup),
            (backup, backup, FileState::Missing, Mismatch::Backup),
            (one, one, of(Some(2), None), Mismatch::Times),
            (one, two, of(Some(2), None), Mismatch::Times),
            (two, one, of(Some(2), None), Mismatch::Times),
            (none, none, of(Some(2), None), Mismatch::Times),
            (one, one, of(None, None), Mismatch::Times),
            (one, tables(Some(1), 4), of(Some(1), None), Mismatch::TablesBehind),
            (one, tables(Some(1), 10), of(Some(1), None), Mismatch::JournalBehind),
        ] {
            let found = check(alone, tables, journal);
            assert_eq!(found, Err(mismatch), "{alone:?} {tables:?} {journal:?}");
        }
        let other = FileState::Has(JournalMark { id: Some(8), ..journal(Some(2), None) });
        assert_eq!(check(one, one, other), Err(Mismatch::Stores));
        // Without syncs, a power cut may take from either file.
        let unsure = FileState::Has(JournalMark { sure: false, ..journal(Some(1), None) });
        assert_eq!(check(one, tables(Some(1), 4), unsure), Ok(()));
        // The first content of its own WAL.
        assert_eq!(check(backup, FileState::Has(is_backup(false)), FileState::Missing), Ok(()));
    }
}
