//! WAL checkpoints.
//!
//! A commit goes into the WAL. A checkpoint copies a long WAL to the database, which takes
//! milliseconds, and longer after much traffic. If the committing thread did it, everyone would
//! wait. So a background thread checkpoints on its own connection, and SQLite goes on committing
//! meanwhile. The committing thread checkpoints only when the WAL has become much longer, because
//! the background thread fell behind.

use std::ffi::c_int;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME, ErrorCode};

use super::paths::free_bytes;
use super::{BUSY, know_log, wal_repair};
use crate::util::sync::lock;

/// Bounds on the length of a WAL, in pages of 4 KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalLimits {
    /// Past this, the background thread checkpoints.
    long: usize,
    /// Past this, the committing thread checkpoints.
    most: usize,
}

impl WalLimits {
    /// For the tables: 16 MB. The last pages of busy conversations are in the WAL many times and
    /// are copied once.
    pub(super) const OF_TABLES: Self = Self { long: 4000, most: 8000 };

    /// For the journal. Few pages are in its WAL more than once, so short checkpoints cost the
    /// least.
    pub(super) const OF_JOURNAL: Self = Self { long: 200, most: 1000 };
}

/// The WAL of one database, beside the connection that commits.
pub(super) struct Wal {
    progress: Arc<WalProgress>,
    aside: Mutex<Connection>,
}

/// Progress of checkpoints. The WAL restarts with the first commit after a complete checkpoint.
struct WalProgress {
    length: WalLimits,
    /// Pages in the WAL.
    pages: AtomicUsize,
    /// Pages of them that are checkpointed.
    written: AtomicUsize,
    /// How many times the WAL has restarted.
    restarts: AtomicUsize,
    /// Pages in the WAL at the last try.
    tried: AtomicUsize,
    /// A write failed, and the caller hasn't been informed yet.
    failed: AtomicBool,
    /// The last journal row that the tables had, and the length of the WAL at that time.
    put: Mutex<(i64, usize)>,
    /// The last journal row that is in the database file itself.
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
            restarts: none(),
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
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the WAL is long and has grown since the last try: while a reader is active, only
    /// pages older than its snapshot are copied.
    fn is_long(&self) -> bool {
        let pages = self.pages.load(Ordering::Relaxed);
        let left = pages.saturating_sub(self.written.load(Ordering::Relaxed));
        let new = pages.saturating_sub(self.tried.load(Ordering::Relaxed));
        left >= self.length.long && new >= self.length.long / 4
    }

    /// Runs a checkpoint and records its result.
    fn write(&self, write: impl FnOnce() -> rusqlite::Result<(c_int, c_int)>) {
        let pages = self.pages.load(Ordering::Relaxed);
        let (row, length) = *lock(&self.put);
        let done = write();
        if let Ok((all, written)) = done
            && (all == written || usize::try_from(written).is_ok_and(|written| written >= length))
        {
            // If the WAL has restarted since, all of it was copied.
            self.safe.fetch_max(row, Ordering::Relaxed);
        }
        self.tried(pages, done);
    }

    /// Records a checkpoint that began with this many pages. SQLite returns the pages in the WAL
    /// and the pages copied.
    fn tried(&self, pages: usize, done: rusqlite::Result<(c_int, c_int)>) {
        self.tried.store(pages, Ordering::Relaxed);
        match done {
            // The WAL may have restarted meanwhile.
            Ok((_, written)) => {
                let written = usize::try_from(written).unwrap_or_default();
                let still = written.min(self.pages.load(Ordering::Relaxed));
                self.written.store(still, Ordering::Relaxed);
            }
            Err(error) if comes_to_an_end(&error) => {
                tracing::debug!(%error, "a checkpoint is deferred");
            }
            Err(error) => {
                self.failed.store(true, Ordering::Relaxed);
                tracing::warn!(%error, "a checkpoint failed; it is tried again");
            }
        }
    }
}

/// Whether the error is a busy database or a full disk, where nothing is lost.
fn comes_to_an_end(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    let codes = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::DiskFull];
    code.is_some_and(|code| codes.contains(&code))
}

impl Wal {
    /// Watches the WAL of a writing connection. `is_long` is called with every commit while a
    /// [`checkpoint`](Wal::checkpoint) is due.
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
                // The commit is complete, whatever the result.
                told.write(|| wal.checkpoint_v2(CheckpointMode::PASSIVE));
            } else if told.is_long() {
                is_long();
            }
            Ok(())
        }))?;
        Ok(Self { progress, aside: Mutex::new(aside) })
    }

    /// Whether a checkpoint is due.
    pub(super) fn is_long(&self) -> bool {
        self.progress.is_long()
    }

    /// Checkpoints what is in the WAL now. Neither waits nor blocks.
    pub(super) fn checkpoint(&self) {
        let aside = lock(&self.aside);
        self.progress.write(|| aside.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE));
    }

    /// Records that with everything committed so far, the tables have all journal rows up to this
    /// one.
    pub(super) fn has_put(&self, row: i64) {
        *lock(&self.progress.put) = (row, self.progress.pages.load(Ordering::Relaxed));
    }

    /// Records the journal rows that the database file had when it was opened.
    pub(super) fn is_safe(&self, row: i64) {
        self.progress.safe.fetch_max(row, Ordering::Relaxed);
    }

    /// Returns the last journal row that is in the database file itself, whatever happens to the
    /// WAL.
    pub(super) fn safe_row(&self) -> i64 {
        self.progress.safe.load(Ordering::Relaxed)
    }

    /// Returns the pages in the WAL.
    pub(super) fn pages(&self) -> usize {
        self.progress.pages.load(Ordering::Relaxed)
    }

    /// Returns how many times the WAL was seen to restart: not if it has as many pages again.
    pub(super) fn restarts(&self) -> usize {
        self.progress.restarts.load(Ordering::Relaxed)
    }

    /// Blocks background checkpoints while held: a full checkpoint would fail as busy.
    pub(super) fn hold(&self) -> MutexGuard<'_, Connection> {
        lock(&self.aside)
    }

    /// Returns and clears the write failure. Data that the system failed to write may be lost even
    /// if a later sync succeeds.
    pub(super) fn take_failure(&self) -> bool {
        self.progress.failed.swap(false, Ordering::Relaxed)
    }
}

/// Checkpoints what no reader needs, without waiting. Returns the pages in the WAL and the pages
/// copied.
pub(super) fn write_some(connection: &Connection) -> rusqlite::Result<(c_int, c_int)> {
    connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE)
}

/// Checkpoints all of a WAL.
///
/// # Errors
///
/// Busy, if readers are always active.
pub(super) fn write_all(connection: &Connection) -> rusqlite::Result<()> {
    connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::FULL).map(drop)
}

/// Checkpoints all of a WAL and truncates its file.
pub(super) fn truncate(connection: &Connection) -> rusqlite::Result<()> {
    connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::TRUNCATE).map(drop)
}

/// With less free space than this, in bytes, the WAL isn't preallocated.
const ROOM_TO_SPARE: u64 = 256 * 1024 * 1024;

pub(super) fn has_room_to_spare(directory: &Path) -> bool {
    free_bytes(directory).is_some_and(|free| free >= ROOM_TO_SPARE)
}

/// Extends the WAL file to its full length. While a file grows, each sync also waits for the
/// journal of the file system, which doubles its time (measured on ext4). The data is rolled back:
/// its pages went into the WAL only because the cache was too small, and count for nothing there.
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

/// Overwrites a commit that failed only at its sync. It lies complete in the WAL, and a start after
/// a crash would accept it. An empty commit takes its place, synced or not.
pub(super) fn overwrite_failed(connection: &Connection, error: &rusqlite::Error) {
    // The disk failure is already known. The next commit retries what fails here.
    let _ = commit_nothing(connection);
    // A commit on a full disk has no end.
    let may_be_whole = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
    if may_be_whole && let Some(path) = connection.path().filter(|path| !path.is_empty()) {
        let _ = wal_repair::wipe_behind(Path::new(path));
    }
}

/// Commits without a change. Earlier writes are synced with it.
pub(super) fn commit_nothing(connection: &Connection) -> rusqlite::Result<()> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
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

        /// Each row is a page of its own, and changes its parent.
        fn commit(&self, rows: usize) {
            for _ in 0..rows {
                self.writer.execute("INSERT INTO some VALUES (zeroblob(4000))", ()).unwrap();
            }
        }

        /// Pages in the database file.
        fn written(&self) -> u64 {
            fs::metadata(self.directory.path().join("some.db")).unwrap().len() / 4096
        }

        /// Pages in the WAL file, used or not.
        fn log(&self) -> u64 {
            fs::metadata(self.directory.path().join("some.db-wal")).unwrap().len() / 4096
        }
    }

    #[test]
    fn a_long_wal_is_checkpointed_in_the_background_and_restarted() {
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
    fn without_a_background_checkpoint_the_committing_thread_checkpoints() {
        let tried = WalFixture::new();
        tried.commit(200);
        assert!(tried.written() > 150, "{}", tried.written());
        assert!(tried.log() < 100, "{}", tried.log());
    }

    #[test]
    fn a_checkpoint_blocked_by_a_reader_is_retried_when_the_wal_has_grown() {
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
    fn an_incomplete_full_checkpoint_is_an_error() {
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
    fn only_a_failing_disk_makes_a_wal_distrusted() {
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
