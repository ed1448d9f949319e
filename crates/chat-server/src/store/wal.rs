//! The write-ahead logs of the store's files.
//!
//! What is committed goes into the log. Once that is long it is written to its place (a checkpoint), which takes
//! milliseconds, and many where much was said. Whoever commits would do it while everybody waits for their lines. So a
//! thread for which nobody waits does it, by a connection of its own, and SQLite goes on committing meanwhile. Only if
//! that thread doesn't come to it in time, who commits does what is left.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use super::BUSY;
use super::tools::free_bytes;
use crate::hub::lock;

/// How long a log may get, in pages of 4 KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    /// Past this it is written to its place aside.
    long: usize,
    /// Past this who commits does it.
    most: usize,
}

impl Length {
    /// That of the tables: 16 MB. The last pages of conversations in which much is said are in it many times, and are
    /// written to their place once.
    pub(super) const OF_TABLES: Self = Self { long: 4000, most: 8000 };

    /// That of the journal. Its pages are written once each, so the shorter it is, the less there is to do at a time.
    pub(super) const OF_JOURNAL: Self = Self { long: 200, most: 1000 };
}

/// A file's log, beside the connection that commits.
pub(super) struct Wal {
    progress: Arc<Progress>,
    long: usize,
    aside: Mutex<Connection>,
}

/// How far a log is. It is begun again with the first commit after all of it was written to its place.
#[derive(Default)]
struct Progress {
    /// So many pages are in it.
    pages: AtomicUsize,
    /// Of them so many are written to their place.
    written: AtomicUsize,
}

impl Progress {
    fn committed(&self, pages: usize) {
        let before = self.pages.swap(pages, Ordering::Relaxed);
        if pages < before {
            self.written.store(0, Ordering::Relaxed);
        }
    }

    fn wrote(&self, pages: usize) {
        // Perhaps it was begun again meanwhile.
        let still = pages.min(self.pages.load(Ordering::Relaxed));
        self.written.store(still, Ordering::Relaxed);
    }

    fn left(&self) -> usize {
        let pages = self.pages.load(Ordering::Relaxed);
        pages.saturating_sub(self.written.load(Ordering::Relaxed))
    }
}

impl Wal {
    /// Of a file that a connection writes: from now on it tells how long the log is.
    pub(super) fn of(
        writer: &mut Connection,
        path: &Path,
        Length { long, most }: Length,
    ) -> rusqlite::Result<Self> {
        let aside = Connection::open(path)?;
        aside.busy_timeout(BUSY)?;
        let progress = Arc::new(Progress::default());
        let told = Arc::clone(&progress);
        writer.wal_hook(Some(move |wal: &mut rusqlite::hooks::Wal, pages| {
            let pages = usize::try_from(pages).unwrap_or_default();
            told.committed(pages);
            if pages >= most {
                // The commit is done, whatever comes of this; what fails is tried again after the next.
                let _ = wal.checkpoint();
            }
            Ok(())
        }))?;
        Ok(Self { progress, long, aside: Mutex::new(aside) })
    }

    /// Whether it is to be written to its place.
    pub(super) fn is_long(&self) -> bool {
        self.progress.left() >= self.long
    }

    /// Writes to its place what is in it now. It waits for nobody, and nobody for it.
    pub(super) fn checkpoint(&self) {
        let pages = self.progress.pages.load(Ordering::Relaxed);
        let done = lock(&self.aside).query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        if let Err(error) = done {
            tracing::debug!(%error, "a log could not be written to its place; who commits tries again");
        }
        // If it failed, or some is left because somebody reads, it is tried again when as much has come anew.
        self.progress.wrote(pages);
    }
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
    Length { most, .. }: Length,
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

    const LENGTH: Length = Length { long: 40, most: 80 };

    struct Tried {
        directory: tempfile::TempDir,
        writer: Connection,
        wal: Wal,
    }

    impl Tried {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("some.db");
            let mut writer = Connection::open(&path).unwrap();
            writer.pragma_update(None, "journal_mode", "wal").unwrap();
            writer.execute_batch("CREATE TABLE some (page BLOB)").unwrap();
            let wal = Wal::of(&mut writer, &path, LENGTH).unwrap();
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
        let tried = Tried::new();
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
        let tried = Tried::new();
        tried.commit(200);
        assert!(tried.written() > 150, "{}", tried.written());
        assert!(tried.log() < 100, "{}", tried.log());
    }

    #[test]
    fn a_log_that_somebody_reads_is_written_when_they_are_done() {
        let tried = Tried::new();
        let reader = Connection::open(tried.directory.path().join("some.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM some").unwrap();
        tried.commit(100);
        tried.wal.checkpoint();
        assert!(!tried.wal.is_long(), "it isn't tried again and again");
        reader.execute_batch("COMMIT").unwrap();
        tried.commit(50);
        assert!(tried.written() > 100, "{}", tried.written());
    }
}
