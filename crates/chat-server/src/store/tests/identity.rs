//! Mismatched files.

use super::*;
use crate::store::Mismatch;

const FILES: [&str; 4] = ["chat.db", "chat.db-wal", "recent.db", "recent.db-wal"];

struct Dir(TempDir);

impl Dir {
    /// A store with this many lines, as a killed process leaves it.
    fn killed(lines: u64) -> Self {
        let dir = Self(tempfile::tempdir().unwrap());
        let (writer, readers) = dir.open().unwrap().into_parts();
        let killed = dir.with_lines(writer, 1, lines);
        drop(readers);
        killed
    }

    fn with_lines(&self, mut writer: Writer, first: u64, last: u64) -> Self {
        if first == 1 {
            writer.commit(&[GENERAL]).unwrap();
        }
        for id in first..=last {
            writer.commit(&[said(1, id, "alice", "a line")]).unwrap();
            // Nothing of the last line is in the tables.
            if id < last {
                writer.flush().unwrap();
            }
        }
        self.copy()
    }

    fn copy(&self) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        for file in FILES {
            if self.path(file).exists() {
                copy.take(self, file);
            }
        }
        copy
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn take(&self, from: &Self, file: &str) {
        fs::copy(from.path(file), self.path(file)).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.path(file)).unwrap();
    }

    fn backup_to(&self, file: &Path) {
        Store::open_to_copy(self.0.path()).unwrap().copy_to(file).unwrap();
        maintenance::mark_backup(file).unwrap();
    }

    fn open(&self) -> Result<Store, OpenError> {
        Store::open(&StoreLocation::Directory(self.0.path().to_owned()), Durability::Machine)
    }

    fn lines(&self) -> u64 {
        let (writer, readers) = self.open().unwrap().into_parts();
        let reader = readers.reader().unwrap();
        assert_eq!(reader.faults().unwrap(), Vec::<String>::new());
        writer.conversations().unwrap()[0].last
    }

    /// Opening and checking are refused, however often, and change nothing.
    fn is_refused(&self, as_what: Mismatch) {
        let bytes = || FILES.map(|file| fs::read(self.path(file)).ok());
        let before = bytes();
        for _ in 0..2 {
            let found =
                [self.open().err().unwrap(), Store::open_to_copy(self.0.path()).err().unwrap()];
            for error in found {
                let OpenError::Mismatch { mismatch, .. } = &error else { panic!("{error}") };
                assert_eq!(*mismatch, as_what, "{error}");
            }
        }
        assert!(bytes() == before, "{as_what:?}: nothing is changed");
    }
}

#[test]
fn files_as_a_killed_process_leaves_them_are_taken_again_and_again() {
    let mut dir = Dir::killed(3);
    for last in [4, 5] {
        let (writer, readers) = dir.open().unwrap().into_parts();
        let killed = dir.with_lines(writer, last, last);
        drop(readers);
        dir = killed;
    }
    assert_eq!(dir.lines(), 5);
    assert_eq!(dir.lines(), 5);
    // Moved as a whole, after a clean end.
    assert_eq!(dir.copy().lines(), 5);
}

#[test]
fn a_half_that_is_missing_or_empty_is_refused() {
    for (file, missing, empty) in [
        ("chat.db", Mismatch::NoTables, Mismatch::EmptyTables),
        ("recent.db", Mismatch::NoJournal, Mismatch::EmptyJournal),
    ] {
        for clean in [true, false] {
            let dir = Dir::killed(3);
            if clean {
                assert_eq!(dir.lines(), 3);
            }
            dir.remove(file);
            dir.is_refused(missing);
            fs::write(dir.path(file), "").unwrap();
            dir.is_refused(empty);
        }
    }
    let dir = Dir::killed(1);
    dir.remove("chat.db");
    dir.remove("recent.db");
    dir.is_refused(Mismatch::NoTables);
}

#[test]
fn a_log_that_is_missing_is_refused() {
    let dir = Dir::killed(3);
    dir.remove("chat.db-wal");
    dir.is_refused(Mismatch::TablesBehind);
    let dir = Dir::killed(3);
    dir.remove("recent.db-wal");
    dir.is_refused(Mismatch::JournalBehind);
    // Also where nothing else shows it: both are gone, or no line was stored.
    let dir = Dir::killed(3);
    dir.remove("recent.db-wal");
    dir.remove("chat.db-wal");
    dir.is_refused(Mismatch::TablesBehind);
    for (file, mismatch) in
        [("chat.db-wal", Mismatch::TablesBehind), ("recent.db-wal", Mismatch::JournalBehind)]
    {
        let dir = Dir::killed(0);
        dir.remove(file);
        dir.is_refused(mismatch);
    }
    // What another program writes to the file itself stays.
    let dir = Dir::killed(3);
    for file in ["chat.db", "recent.db"] {
        assert!(Connection::open(dir.path(file)).unwrap().table_exists(None, "store").unwrap());
        assert!(!dir.path(&format!("{file}-wal")).exists());
    }
    assert_eq!(dir.lines(), 3);
}

/// Adds the index of a WAL with this many frames, so many of them written to the database.
fn add_index(dir: &Dir, file: &str, frames: u32, written: u32) {
    let mut index = vec![0; 32_768];
    index[16..20].copy_from_slice(&frames.to_ne_bytes());
    index[96..100].copy_from_slice(&written.to_ne_bytes());
    fs::write(dir.path(&format!("{file}-shm")), index).unwrap();
}

/// The files themselves have all of their WALs but later commits, and no mark shows those.
fn written(lines: u64) -> Dir {
    let dir = Dir::killed(lines);
    for file in ["chat.db", "recent.db"] {
        let connection = Connection::open(dir.path(file)).unwrap();
        assert!(connection.table_exists(None, "store").unwrap());
    }
    assert!(!dir.path("chat.db-wal").exists() && !dir.path("recent.db-wal").exists());
    dir
}

#[test]
fn a_log_that_is_missing_long_after_the_start_is_refused() {
    for (file, mismatch) in
        [("chat.db", Mismatch::TablesBehind), ("recent.db", Mismatch::JournalBehind)]
    {
        for is_emptied in [false, true] {
            let dir = written(3);
            add_index(&dir, file, 40, 39);
            if is_emptied {
                fs::write(dir.path(&format!("{file}-wal")), "").unwrap();
            }
            dir.is_refused(mismatch);
            // The database has all of it.
            add_index(&dir, file, 40, 40);
            assert_eq!(dir.lines(), 3, "{file}");
        }
    }
    // Lines that only the log had.
    let dir = Dir(tempfile::tempdir().unwrap());
    let (writer, readers) = dir.open().unwrap().into_parts();
    let killed = dir.with_lines(writer, 1, 3);
    killed.take(&dir, "recent.db-shm");
    killed.remove("recent.db-wal");
    killed.is_refused(Mismatch::JournalBehind);
    drop(readers);
}

#[test]
fn a_log_that_was_removed_under_a_server_that_stopped_cleanly_is_not_missed() {
    for file in ["chat.db", "recent.db"] {
        let dir = Dir(tempfile::tempdir().unwrap());
        let (mut writer, readers) = dir.open().unwrap().into_parts();
        writer.commit(&[GENERAL, said(1, 1, "alice", "a line")]).unwrap();
        dir.remove(&format!("{file}-wal"));
        writer.checkpoint().unwrap();
        let left = dir.copy();
        left.take(&dir, "chat.db-shm");
        left.take(&dir, "recent.db-shm");
        drop((writer, readers));
        let cut = left.copy();
        assert!(!left.path(&format!("{file}-wal")).exists());
        assert_eq!(left.lines(), 1, "{file}");
        // After a power cut an index may be older than the stop.
        add_index(&cut, file, 40, 10);
        assert_eq!(cut.lines(), 1, "{file}");
        // The mark is of that stop alone.
        let (writer, readers) = cut.open().unwrap().into_parts();
        let killed = cut.with_lines(writer, 2, 3);
        drop(readers);
        for file in ["chat.db", "recent.db"] {
            drop(Connection::open(killed.path(file)).map(|file| file.table_exists(None, "store")));
        }
        add_index(&killed, file, 40, 39);
        assert!(killed.open().is_err(), "{file}");
    }
}

#[test]
fn ids_of_a_lost_channel_are_not_given_again() {
    let dir = Dir::killed(3);
    let mut log = fs::read(dir.path("chat.db-wal")).unwrap();
    log[..8192].fill(0);
    fs::write(dir.path("chat.db-wal"), log).unwrap();
    for _ in 0..2 {
        let (writer, readers) = dir.open().unwrap().into_parts();
        let known = writer.conversations().unwrap();
        let [placeholder] = &known[..] else { panic!("{known:?}") };
        assert!(placeholder.is_of_forgotten() && placeholder.number > 1, "{placeholder:?}");
        assert_eq!(placeholder.last, 3);
        let faults = readers.reader().unwrap().faults().unwrap();
        assert!(faults.iter().any(|fault| fault.contains("the lines 1 to 3")), "{faults:?}");
    }
}

#[test]
fn a_log_without_a_commit_beside_rows_is_taken() {
    // The tables couldn't be written at a clean stop, and the next start was killed at once.
    let dir = Dir::killed(3);
    let open = || {
        let journal = Connection::open(dir.path("recent.db")).unwrap();
        assert!(journal.table_exists(None, "store").unwrap());
        journal
    };
    drop(open());
    let killed = {
        let _journal = open();
        assert_eq!(fs::metadata(dir.path("recent.db-wal")).unwrap().len(), 0);
        let killed = dir.copy();
        killed.take(&dir, "recent.db-shm");
        killed
    };
    assert_eq!(killed.lines(), 3);
    // The log was truncated by SQLite, which was killed before it removed the index.
    let dir = Dir::killed(3);
    let journal = Connection::open(dir.path("recent.db")).unwrap();
    journal.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
    assert_eq!(fs::metadata(dir.path("recent.db-wal")).unwrap().len(), 0);
    let killed = dir.copy();
    killed.take(&dir, "recent.db-shm");
    drop(journal);
    assert_eq!(killed.lines(), 3);
}

#[test]
fn a_backup_by_hand_beside_files_of_the_old_store_is_refused() {
    let backup = tempfile::tempdir().unwrap();
    let backup = backup.path().join("copy.db");
    Dir::killed(3).backup_to(&backup);
    // Beside the files of a crash, and of a clean end.
    for clean in [false, true] {
        let dir = Dir::killed(3);
        if clean {
            assert_eq!(dir.lines(), 3);
        }
        fs::copy(&backup, dir.path("chat.db")).unwrap();
        dir.is_refused(Mismatch::Backup);
    }
    let dir = Dir::killed(3);
    fs::copy(&backup, dir.path("chat.db")).unwrap();
    dir.remove("recent.db");
    dir.remove("recent.db-wal");
    // Its WAL has generations of its own, or none of them.
    assert!(matches!(dir.open(), Err(OpenError::Mismatch { .. })));
    dir.remove("chat.db-wal");
    assert_eq!(dir.lines(), 3);
    assert_eq!(dir.lines(), 3);
}

#[test]
fn files_of_another_time_or_of_another_store_are_refused() {
    let dir = Dir::killed(3);
    assert_eq!(dir.lines(), 3);
    let before = dir.copy();
    assert_eq!(dir.lines(), 3);
    for file in ["chat.db", "recent.db"] {
        let mixed = dir.copy();
        mixed.take(&before, file);
        mixed.is_refused(Mismatch::Times);
        let mixed = dir.copy();
        mixed.take(&Dir::killed(2), file);
        mixed.is_refused(Mismatch::Stores);
    }
    // Both are of one generation, and a WAL is of another.
    let killed = Dir::killed(3);
    let whole = killed.copy();
    assert_eq!(whole.lines(), 3);
    killed.take(&whole, "chat.db");
    killed.take(&whole, "recent.db");
    killed.is_refused(Mismatch::Times);
}

#[test]
fn a_store_of_an_earlier_version_is_given_an_identity() {
    let dir = Dir::killed(3);
    for (file, table) in [("chat.db", true), ("recent.db", false)] {
        let connection = Connection::open(dir.path(file)).unwrap();
        connection.execute("DROP TABLE store", ()).unwrap();
        if table {
            connection
                .execute_batch(
                    "DROP TABLE author_block; DROP TABLE pending_purge; DROP TABLE damage",
                )
                .unwrap();
            connection.pragma_update(None, "user_version", 7).unwrap();
        }
    }
    assert_eq!(dir.lines(), 3);
    dir.remove("recent.db");
    dir.is_refused(Mismatch::NoJournal);
}

#[test]
fn a_server_killed_before_its_first_table_leaves_no_store() {
    let dir = Dir(tempfile::tempdir().unwrap());
    let file = Connection::open(dir.path("chat.db")).unwrap();
    file.pragma_update(None, "journal_mode", "wal").unwrap();
    drop(file);
    assert!(fs::metadata(dir.path("chat.db")).unwrap().len() > 0);
    let found = Store::open_to_copy(dir.0.path()).map(drop);
    assert!(matches!(found, Err(OpenError::Missing { .. })), "{found:?}");
    dir.open().unwrap();
    assert_eq!(Store::open_to_copy(dir.0.path()).unwrap().faults().unwrap(), Vec::<String>::new());
}
