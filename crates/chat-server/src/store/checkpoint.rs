//! The write-ahead logs of the store's files.
//!
//! What is committed goes into the log. Once that is long it is written to its place (a checkpoint), which takes
//! milliseconds, and many where much was said. Whoever commits would do it while everybody waits for their lines. So a
//! thread for which nobody waits does it, by a connection of its own, and SQLite goes on committing meanwhile. Who
//! commits does only the rest, once the log is much longer: what came while that thread wrote, or all of it if that
//! thread didn't come to it.

use std::ffi::c_int;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME, ErrorCode};

use super::maintenance::free_bytes;
use super::{BUSY, know_log};
use crate::util::sync::lock;

/// How long a log may get, in pages of 4 KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalLimits {
    /// Past this it is written to its place aside.
    long: usize,
    /// Past this who commits does it.
    most: usize,
}

impl WalLimits {
    /// That of the tables: 16 MB. The last pages of conversations in which much is said are in it many times, and are
    /// written to their place once.
    pub(super) const OF_TABLES: Self = Self { long: 4000, most: 8000 };

    /// That of the journal. Few of its pages are in it more than once, so the shorter it is, the less there is to do at
    /// a time.
    pub(super) const OF_JOURNAL: Self = Self { long: 200, most: 1000 };
}

/// A file's log, beside the connection that commits.
pub(super) struct Wal {
    progress: Arc<WalProgress>,
    aside: Mutex<Connection>,
}

/// How far a log is. It is begun again with the first commit after all of it was written to its place.
struct WalProgress {
    length: WalLimits,
    /// So many pages are in it.
    pages: AtomicUsize,
    /// Of them so many are written to their place.
    written: AtomicUsize,
    /// So many were in it when that was tried last.
    tried: AtomicUsize,
    /// The disk failed, and wasn't asked since whether all is on it.
    failed: AtomicBool,
    /// Up to which row of the journal the tables had all, and how long the log was then.
    put: Mutex<(i64, usize)>,
    /// The last of these rows that is in the file itself.
    safe: AtomicI64,
}

impl WalProgress {
    fn of(length: WalLimits) -> Self {
        let none = || AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        Self {
            length,
            pages: none(),
            written: none(),
            tried: none(),
            failed,
            put: Mutex::default(),
            safe: AtomicI64::new(0),
        }
    }

    fn committed(&self, pages: usize) {
        let before = self.pages.swap(pages, Ordering::Relaxed);
        if pages < before {
            self.written.store(0, Ordering::Relaxed);
            self.tried.store(0, Ordering::Relaxed);
        }
    }

    /// It is long, and there is enough that wasn't there when it was tried last: while somebody reads, only what is older
    /// than what they read is written.
    fn is_long(&self) -> bool {
        let pages = self.pages.load(Ordering::Relaxed);
        let left = pages.saturating_sub(self.written.load(Ordering::Relaxed));
        let new = pages.saturating_sub(self.tried.load(Ordering::Relaxed));
        left >= self.length.long && new >= self.length.long / 4
    }

    /// Tries to write it to its place, and notes how many pages it has and how many of them are written.
    fn write(&self, write: impl FnOnce() -> rusqlite::Result<(c_int, c_int)>) {
        let pages = self.pages.load(Ordering::Relaxed);
        let (row, length) = *lock(&self.put);
        let done = write();
        if let Ok((all, written)) = done
            && (all == written || usize::try_from(written).is_ok_and(|written| written >= length))
        {
            // Where it was begun again since, all of it was written.
            self.safe.fetch_max(row, Ordering::Relaxed);
        }
        self.tried(pages, done);
    }

    /// It was tried, when it had so many pages; SQLite tells how many it has and how many of them are written.
    fn tried(&self, pages: usize, done: rusqlite::Result<(c_int, c_int)>) {
        self.tried.store(pages, Ordering::Relaxed);
        match done {
            // Perhaps it was begun again meanwhile.
            Ok((_, written)) => {
                let written = usize::try_from(written).unwrap_or_default();
                let still = written.min(self.pages.load(Ordering::Relaxed));
                self.written.store(still, Ordering::Relaxed);
            }
            Err(error) if comes_to_an_end(&error) => {
                tracing::debug!(%error, "a log is written to its place later");
            }
            Err(error) => {
                self.failed.store(true, Ordering::Relaxed);
                tracing::warn!(%error, "a log could not be written to its place; it is tried again");
            }
        }
    }
}

/// Whether something else is at it, or there is no room: nothing is lost then.
fn comes_to_an_end(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    let codes = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::DiskFull];
    code.is_some_and(|code| codes.contains(&code))
}

impl Wal {
    /// Of a file that a connection writes: from now on it tells how long the log is. `is_long` is called with every
    /// commit while somebody should [`checkpoint`](Wal::checkpoint) it.
    pub(super) fn of(
        writer: &mut Connection,
        path: &Path,
        length: WalLimits,
        is_long: impl Fn() + Send + 'static,
    ) -> rusqlite::Result<Self> {
        let aside = Connection::open(path)?;
        aside.busy_timeout(BUSY)?;
        know_log(&aside)?;
        let progress = Arc::new(WalProgress::of(length));
        let told = Arc::clone(&progress);
        writer.wal_hook(Some(move |wal: &mut rusqlite::hooks::Wal, pages| {
            let pages = usize::try_from(pages).unwrap_or_default();
            told.committed(pages);
            if pages >= length.most {
                // The commit is done, whatever comes of this.
                told.write(|| wal.checkpoint_v2(CheckpointMode::PASSIVE));
            } else if told.is_long() {
                is_long();
            }
            Ok(())
        }))?;
        Ok(Self { progress, aside: Mutex::new(aside) })
    }

    /// Whether it is to be written to its place.
    pub(super) fn is_long(&self) -> bool {
        self.progress.is_long()
    }

    /// Writes to its place what is in it now. It waits for nobody, and nobody for it.
    pub(super) fn checkpoint(&self) {
        let aside = lock(&self.aside);
        self.progress.write(|| aside.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE));
    }

    /// All that was committed until now, with which the tables have all rows of the journal up to this one.
    pub(super) fn has_put(&self, row: i64) {
        *lock(&self.progress.put) = (row, self.progress.pages.load(Ordering::Relaxed));
    }

    /// Rows of the journal up to this one were in the file itself when it was opened.
    pub(super) fn is_safe(&self, row: i64) {
        self.progress.safe.fetch_max(row, Ordering::Relaxed);
    }

    /// The last row of the journal that is in the file itself, whatever becomes of the log.
    pub(super) fn safe_row(&self) -> i64 {
        self.progress.safe.load(Ordering::Relaxed)
    }

    /// Nobody writes it aside for as long as this is held: who wants all of it written would be told that it is busy.
    pub(super) fn hold(&self) -> MutexGuard<'_, Connection> {
        lock(&self.aside)
    }

    /// Whether the disk failed since this was asked last: what the system was to write may be lost, whatever a later sync
    /// tells.
    pub(super) fn take_failure(&self) -> bool {
        self.progress.failed.swap(false, Ordering::Relaxed)
    }
}

/// Writes to its place what nobody's reading keeps in a connection's log, and waits for nobody. Tells how many pages the log
/// has, and how many of them are written.
pub(super) fn write_some(connection: &Connection) -> rusqlite::Result<(c_int, c_int)> {
    connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE)
}

/// Writes all of a connection's log to its place.
///
/// # Errors
///
/// As busy, if others read from it all the time.
pub(super) fn write_all(connection: &Connection) -> rusqlite::Result<()> {
    connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::FULL).map(drop)
}

/// The same, and makes its file empty.
pub(super) fn truncate(connection: &Connection) -> rusqlite::Result<()> {
    connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::TRUNCATE).map(drop)
}

/// Where there is less room, in bytes, the log takes none that isn't needed.
const ROOM_TO_SPARE: u64 = 256 * 1024 * 1024;

pub(super) fn has_room_to_spare(directory: &Path) -> bool {
    free_bytes(directory).is_some_and(|free| free >= ROOM_TO_SPARE)
}

/// Makes the write-ahead log as long as it gets. Where a file grows, each sync also has to wait for the file system's
/// own log, which makes it twice as slow (measured on ext4). What is written for it is rolled back: the pages
/// went into the log because the cache was too small for them, and count for nothing there.
pub(super) fn lengthen(
    connection: &mut Connection,
    WalLimits { most, .. }: WalLimits,
) -> rusqlite::Result<()> {
    let usual: i64 = connection.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    connection.pragma_update(None, "cache_size", 10)?;
    let fill = || -> rusqlite::Result<()> {
        let room = connection.unchecked_transaction()?;
        room.execute_batch("CREATE TABLE room (page BLOB)")?;
        let mut insert = room.prepare("INSERT INTO room VALUES (zeroblob(4000))")?;
        for _ in 0..most + most / 8 {
            insert.execute(())?;
        }
        drop(insert);
        room.rollback()
    };
    let filled = fill();
    connection.pragma_update(None, "cache_size", usual)?;
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LENGTH: WalLimits = WalLimits { long: 40, most: 80 };

    struct WalFixture {
        directory: tempfile::TempDir,
        writer: Connection,
        wal: Wal,
    }

    impl WalFixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("some.db");
            let mut writer = Connection::open(&path).unwrap();
            writer.pragma_update(None, "journal_mode", "wal").unwrap();
            writer.execute_batch("CREATE TABLE some (page BLOB)").unwrap();
            let wal = Wal::of(&mut writer, &path, LENGTH, || {}).unwrap();
            Self { directory, writer, wal }
        }

        /// Each is a page of its own, and changes the one that leads to it.
        fn commit(&self, rows: usize) {
            for _ in 0..rows {
                self.writer.execute("INSERT INTO some VALUES (zeroblob(4000))", ()).unwrap();
            }
        }

        /// Pages of the file itself.
        fn written(&self) -> u64 {
            fs::metadata(self.directory.path().join("some.db")).unwrap().len() / 4096
        }

        /// Those of the log, whether it is used whole or not.
        fn log(&self) -> u64 {
            fs::metadata(self.directory.path().join("some.db-wal")).unwrap().len() / 4096
        }
    }

    #[test]
    fn a_long_log_is_written_to_its_place_aside_and_begun_again() {
        let tried = WalFixture::new();
        for _ in 0..5 {
            let before = tried.written();
            while !tried.wal.is_long() {
                assert!(tried.written() == before, "who commits writes nothing to its place");
                tried.commit(1);
            }
            tried.wal.checkpoint();
            assert!(!tried.wal.is_long() && tried.written() > before + 10);
        }
        assert!(tried.log() < 60, "{}", tried.log());
    }

    #[test]
    fn where_nobody_comes_to_it_who_commits_writes_the_log_to_its_place() {
        let tried = WalFixture::new();
        tried.commit(200);
        assert!(tried.written() > 150, "{}", tried.written());
        assert!(tried.log() < 100, "{}", tried.log());
    }

    #[test]
    fn a_log_that_somebody_reads_is_tried_again_when_there_is_more() {
        let tried = WalFixture::new();
        let viewer = Connection::open(tried.directory.path().join("some.db")).unwrap();
        viewer.execute_batch("BEGIN; SELECT count(*) FROM some").unwrap();
        while !tried.wal.is_long() {
            tried.commit(1);
        }
        tried.wal.checkpoint();
        assert!(!tried.wal.is_long(), "it isn't tried again and again");
        let before = tried.written();
        tried.commit(10);
        viewer.execute_batch("COMMIT").unwrap();
        assert!(tried.wal.is_long());
        tried.wal.checkpoint();
        assert!(!tried.wal.is_long() && tried.written() > before + 10);
    }

    #[test]
    fn who_wants_all_of_a_log_written_is_told_if_it_was_not() {
        let tried = WalFixture::new();
        tried.writer.busy_timeout(std::time::Duration::ZERO).unwrap();
        let viewer = Connection::open(tried.directory.path().join("some.db")).unwrap();
        tried.commit(1);
        viewer.execute_batch("BEGIN; SELECT count(*) FROM some").unwrap();
        tried.commit(1);
        assert!(truncate(&tried.writer).is_err());
        viewer.execute_batch("COMMIT").unwrap();
        truncate(&tried.writer).unwrap();
        assert_eq!(tried.log(), 0);
    }

    #[test]
    fn only_a_disk_that_fails_makes_a_log_distrusted() {
        let failure = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let tried = WalFixture::new();
        for code in [rusqlite::ffi::SQLITE_BUSY, rusqlite::ffi::SQLITE_FULL] {
            tried.wal.progress.tried(1, Err(failure(code)));
            assert!(!tried.wal.take_failure());
        }
        tried.wal.progress.tried(1, Err(failure(rusqlite::ffi::SQLITE_IOERR_FSYNC)));
        assert!(tried.wal.take_failure());
        assert!(!tried.wal.take_failure(), "it was told");
    }
}
