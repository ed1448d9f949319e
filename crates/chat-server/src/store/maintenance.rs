//! What an operator does with a store: look whether it is whole, and copy it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::accounts::AccountOp;
use super::files::OpenFiles;
use super::memtable::Memtable;
use super::reader::Reader;
use super::writer::{ConversationRow, Writer, conversations, line_id, rowid};
use super::{FILE, OpenError, Store, StoreError, identity, memtable};
use crate::util::sync::lock;

impl Reader {
    /// Everything that is wrong with the database, each in a sentence; empty if it is whole. It reads all of
    /// it.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        self.flush_all()?;
        let connection = lock(self.connection());
        let mut all = noted(&connection)?;
        let is_new = |loss: &&String| !all.iter().any(|noted| noted.starts_with(loss.as_str()));
        let new: Vec<String> = self.losses().iter().filter(is_new).cloned().collect();
        all.extend(new);
        all.extend(faults(&connection)?);
        Ok(all)
    }

    /// Every conversation.
    pub fn conversations(&self) -> Result<Vec<ConversationRow>, StoreError> {
        self.flush_all()?;
        conversations(&lock(self.connection()))
    }

    /// Copies the database, as it is at this moment, to a file that is empty or isn't there yet; the server goes
    /// on meanwhile. It writes all that is kept anew, so nothing that was deleted is in the copy.
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        self.flush_all()?;
        let source = lock(self.connection());
        let name = ToSqlOutput::Borrowed(ValueRef::Text(file.as_os_str().as_bytes()));
        // It writes into the copy alone, which a connection that only asks is refused as well.
        source.pragma_update(None, "query_only", false)?;
        let copied = source.execute("VACUUM INTO ?1", [name]);
        source.pragma_update(None, "query_only", true)?;
        copied?;
        Ok(())
    }
}

/// Lines that one step blanks in a copy: nobody waits for it.
const REDACTED_PER_STEP: usize = 1000;

/// Blanks in a database file that nobody else has open, such as a copy, what its server had still to blank when it was
/// made, and writes it anew then: what was blanked stays in pages that are in use no more.
pub fn redact_copy(file: &Path) -> Result<(), OpenError> {
    let connection = Connection::open(file).map_err(OpenError::from_sqlite)?;
    let has_accounts = connection.table_exists(None, "erasing").map_err(OpenError::from_sqlite)?;
    if !has_accounts {
        return Ok(());
    }
    // A copy that isn't whole is thrown away.
    connection.pragma_update(None, "journal_mode", "memory").map_err(OpenError::from_sqlite)?;
    connection.pragma_update(None, "synchronous", "off").map_err(OpenError::from_sqlite)?;
    let connection = Arc::new(Mutex::new(connection));
    let memtable = Memtable::new(
        Arc::clone(&connection),
        None,
        Vec::new(),
        Arc::default(),
        OpenFiles::default(),
    );
    let memtable = memtable.map_err(OpenError::from_sqlite)?;
    memtable.recover()?;
    let mut writer = Writer::new(Arc::clone(&connection), None, Arc::clone(&memtable));
    let erasing = writer.pending_redactions()?;
    for party in &erasing {
        while writer.redact(*party, REDACTED_PER_STEP)? {}
        writer.commit(&[AccountOp::Redacted { party: *party }.into()])?;
    }
    if erasing.is_empty() {
        return Ok(());
    }
    // A page of the index of which every word was taken out is still listed by its first one.
    lock(&connection)
        .execute_batch(
            "INSERT INTO word (word) VALUES ('delete-all'); UPDATE conversation SET indexed = 0",
        )
        .map_err(OpenError::from_sqlite)?;
    memtable.recover()?;
    writer.flush()?;
    drop(writer);
    lock(&connection).execute("VACUUM", ()).map_err(OpenError::from_sqlite)?;
    Ok(())
}

/// Marks a database file that nobody else has open as a backup.
pub fn mark_backup(file: &Path) -> Result<(), OpenError> {
    let connection = Connection::open(file).map_err(OpenError::from_sqlite)?;
    identity::mark_backup(&connection).map_err(OpenError::from_sqlite)
}

/// Copies a backup, or the database of a store that no server has open, to a file that is empty, and marks that as a backup.
/// Tells instead, each in a sentence, what is wrong with it.
pub fn copy_backup(file: &Path, to: &Path) -> Result<Vec<String>, OpenError> {
    let sqlite = OpenError::from_sqlite;
    // A log beside a backup isn't its own.
    let source = if identity::is_backup(file).map_err(sqlite)? {
        identity::open_alone(file).map_err(sqlite)?
    } else {
        identity::open_untouched(file).map_err(sqlite)?
    };
    super::schema::check_version(&source)?;
    if super::schema::is_new(&source)? {
        return Err(OpenError::Foreign);
    }
    let faults = faults(&source)?;
    if !faults.is_empty() {
        return Ok(faults);
    }
    let name = ToSqlOutput::Borrowed(ValueRef::Text(to.as_os_str().as_bytes()));
    source.pragma_update(None, "query_only", false).map_err(sqlite)?;
    source.execute("VACUUM INTO ?1", [name]).map_err(sqlite)?;
    mark_backup(to)?;
    Ok(faults)
}

/// Every file that a store may have in its directory, the database first.
pub fn files_in(directory: &Path) -> Vec<PathBuf> {
    let beside = |name| {
        ["", "-wal", "-shm", "-journal"].map(|part| identity::beside(&directory.join(name), part))
    };
    [FILE, memtable::FILE].into_iter().flat_map(beside).collect()
}

/// What is wrong with a database file that nobody writes, such as a backup.
pub fn faults_of(file: &Path) -> Result<Vec<String>, OpenError> {
    let connection = Connection::open(file).map_err(OpenError::from_sqlite)?;
    super::schema::check_version(&connection)?;
    Ok(faults(&connection)?)
}

/// The room that is left on the disk of a directory; `None` if that isn't told.
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What servers found to be missing. A backup has none of it.
fn noted(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    if !connection.table_exists(None, "damage")? {
        return Ok(Vec::new());
    }
    let mut noted = connection
        .prepare("SELECT what || ' (found ' || datetime(at, 'unixepoch') || ' UTC)' FROM damage")?;
    noted.query_map((), |row| row.get(0))?.collect()
}

fn faults(connection: &Connection) -> Result<Vec<String>, StoreError> {
    // All of it at one moment, whatever is written meanwhile.
    let moment = connection.unchecked_transaction()?;
    let connection = &moment;
    let mut faults = Vec::new();
    let mut check = connection.prepare("PRAGMA integrity_check(20)")?;
    for told in check.query_map((), |row| row.get::<_, String>(0))? {
        let told = told?;
        if told != "ok" {
            faults.push(told);
        }
    }
    if !faults.is_empty() {
        return Ok(faults);
    }
    let mut count = connection.prepare(
        "SELECT count(*), min(place), max(place) FROM line WHERE place > ?1 AND place < ?2",
    )?;
    for row in conversations(connection)? {
        let ConversationRow { number, shown, last, floor, .. } = row;
        let ends = [rowid(number, floor), rowid(number + 1, 0)];
        let (lines, first, end): (u64, Option<i64>, Option<i64>) =
            count.query_row(ends, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let name = if shown.is_empty() { "a private chat".to_owned() } else { format!("#{shown}") };
        let (first, end) = (first.map_or(last + 1, line_id), end.map_or(floor, line_id));
        if lines > 0 && (first != floor + 1 || end != last || lines != last - floor) {
            faults.push(format!(
                "{name} has {lines} lines from {first} to {end} where {} to {last} should be",
                floor + 1
            ));
        }
        if lines == 0 && last > floor {
            faults.push(format!("{name} has no lines where {} to {last} should be", floor + 1));
        }
    }
    Ok(faults)
}

impl Store {
    /// The file that holds everything, in a store's directory.
    pub fn file_in(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }
}
