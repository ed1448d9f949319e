//! Maintenance for the operator: integrity checks and copies.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::files::OpenFiles;
use super::line_sum::{Columns, conversation_number};
use super::memtable::{Memtable, name_of};
use super::paths::{FILE, JOURNAL_FILE, beside};
use super::reader::Reader;
use super::row::{line_id, rowid};
use super::write_op::AccountOp;
use super::writer::{ConversationRow, Writer, conversations, without_names};
use super::{OpenError, Store, StoreError, identity};
use crate::util::sync::lock;

impl Reader {
    /// Returns every fault of the database, one sentence each. Reads all of it.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        self.flush_all()?;
        let connection = lock(self.connection());
        let mut all = noted(&connection)?;
        let is_new = |loss: &&String| !all.iter().any(|noted| noted.starts_with(loss.as_str()));
        let new: Vec<String> = self.losses().iter().filter(is_new).cloned().collect();
        all.extend(new);
        all.extend(faults(&connection)?);
        all.extend(changed_lines(&connection)?);
        Ok(all)
    }

    /// Returns every conversation.
    pub fn conversations(&self) -> Result<Vec<ConversationRow>, StoreError> {
        self.flush_all()?;
        let connection = lock(self.connection());
        without_names(&connection, conversations(&connection)?)
    }

    /// Copies a snapshot of the database to a file that is empty or missing, while the server goes
    /// on. The copy is written anew, so it holds nothing that was deleted.
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        self.flush_all()?;
        let source = lock(self.connection());
        let name = ToSqlOutput::Borrowed(ValueRef::Text(file.as_os_str().as_bytes()));
        // `VACUUM INTO` writes to the copy alone, but `query_only` refuses it.
        source.pragma_update(None, "query_only", false)?;
        let copied = source.execute("VACUUM INTO ?1", [name]);
        source.pragma_update(None, "query_only", true)?;
        copied?;
        Ok(())
    }
}

/// Lines redacted per step in a copy, where no one waits.
const REDACTED_PER_STEP: usize = 1000;

/// Completes the pending redactions of a database that no other process has open, such as a copy,
/// then rewrites it: redacted text would stay in free pages.
pub fn redact_copy(file: &Path) -> Result<(), OpenError> {
    let connection = Connection::open(file).map_err(OpenError::from_sqlite)?;
    let has_accounts = connection.table_exists(None, "erasing").map_err(OpenError::from_sqlite)?;
    if !has_accounts {
        return Ok(());
    }
    // An incomplete copy is thrown away.
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
    for user_id in &erasing {
        while writer.redact(*user_id, REDACTED_PER_STEP)? {}
        writer.commit(&[AccountOp::Redacted { user_id: *user_id }.into()])?;
    }
    if erasing.is_empty() {
        return Ok(());
    }
    // The first word of an index page stays listed after every word of the page was deleted.
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

/// Changed lines reported one by one; of more, only the number is reported.
const MAX_CHANGED: usize = 20;

/// Marks a database that no other process has open as a backup.
pub fn mark_backup(file: &Path) -> Result<(), OpenError> {
    let connection = Connection::open(file).map_err(OpenError::from_sqlite)?;
    identity::mark_backup(&connection).map_err(OpenError::from_sqlite)
}

/// Copies a backup, or the database of a stopped server, to an empty file, and marks it as a
/// backup. Returns the faults of the source, one sentence each, and copies nothing if there are
/// any.
pub fn copy_backup(file: &Path, to: &Path) -> Result<Vec<String>, OpenError> {
    let sqlite = OpenError::from_sqlite;
    // A WAL beside a backup isn't its own.
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

/// Returns every file that a store may have in its directory, the database first.
pub fn files_in(directory: &Path) -> Vec<PathBuf> {
    let beside =
        |name| ["", "-wal", "-shm", "-journal"].map(|part| beside(&directory.join(name), part));
    [FILE, JOURNAL_FILE].into_iter().flat_map(beside).collect()
}

/// Returns the faults of a database that no process writes, such as a backup.
pub fn faults_of(file: &Path) -> Result<Vec<String>, OpenError> {
    let connection = Connection::open(file).map_err(OpenError::from_sqlite)?;
    super::schema::check_version(&connection)?;
    Ok(faults(&connection)?)
}

/// Returns the losses that servers have recorded. A backup has none.
fn noted(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    if !connection.table_exists(None, "damage")? {
        return Ok(Vec::new());
    }
    let mut noted = connection
        .prepare("SELECT what || ' (found ' || datetime(at, 'unixepoch') || ' UTC)' FROM damage")?;
    noted.query_map((), |row| row.get(0))?.collect()
}

/// Returns the lines that don't match their checksum, one sentence each.
fn changed_lines(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    // Versions without this column stored no checksums either.
    if !connection.column_exists(None, "line", "account")? {
        return Ok(faults);
    }
    let mut lines =
        connection.prepare("SELECT place, time, author, flags, text, account FROM line")?;
    let mut rows = lines.query(())?;
    let (mut changed, mut more) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let line = Columns::of(row)?;
        if line.is_whole() {
            continue;
        }
        if changed.len() < MAX_CHANGED {
            changed.push(line.place);
        } else {
            more += 1;
        }
    }
    for at in changed {
        let name = name_of(connection, conversation_number(at))?;
        faults.push(format!("the line {} of {name} isn't as it was written", line_id(at)));
    }
    if more > 0 {
        faults.push(format!("and {more} more lines aren't as they were written"));
    }
    Ok(faults)
}

fn faults(connection: &Connection) -> Result<Vec<String>, StoreError> {
    // One snapshot for all checks.
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
    /// Returns the path of the database in a store's directory.
    pub fn file_in(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }
}
