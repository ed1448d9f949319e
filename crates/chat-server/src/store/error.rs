//! Errors of a store, with their cures.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes the store.
    #[error(
        "{path} is in use by another server; stop that one, or give another directory with --data"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory can't be created or written.
    #[error(
        "the directory {path} can't be used; it must belong to the user that runs the server, or give \
         another one with --data"
    )]
    Directory {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Other users can write the directory.
    #[error(
        "other users can write the directory {path} (mode {mode:o}), and could replace what is stored; run: chmod go-w {path}"
    )]
    Shared {
        /// Its path.
        path: PathBuf,
        /// The mode of the directory.
        mode: u32,
    },
    /// A file of the store is a symbolic link.
    #[error(
        "{path} is a symbolic link, which is not followed; put the file itself there, or give the directory that has it with --data"
    )]
    Link {
        /// Its path.
        path: PathBuf,
    },
    /// No store exists.
    #[error("there is no store in {path}; name the server's directory with --data")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote the store.
    #[error(
        "the database is of version {found}, and this program knows versions up to {known}; run the newer \
         program that wrote it, or restore a backup from before"
    )]
    Newer {
        /// The version of the file.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// An earlier version of this program wrote the store. Only a server migrates it.
    #[error(
        "the database is of version {found}, and this program reads version {known}; start the server of this \
         version once, or use the program that wrote it"
    )]
    Older {
        /// The version of the file.
        found: u32,
        /// The version that this program reads.
        known: u32,
    },
    /// The running server has not flushed its journal in time.
    #[error(
        "the server doesn't come to put what was just said into the database; if its log tells of no fault of the disk, \
         try again when it has less to do"
    )]
    Unflushed,
    /// The files don't belong together.
    #[error("{}", mismatch.sentence(path))]
    Mismatch {
        /// The directory.
        path: PathBuf,
        /// The kind of mismatch.
        mismatch: Mismatch,
    },
    /// The database belongs to another program.
    #[error("chat.db there is another program's database; give another directory with --data")]
    Foreign,
    /// An error of SQLite.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl OpenError {
    pub(super) fn from_sqlite(error: rusqlite::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A mismatch between the files of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// `chat.db` is missing beside another file.
    NoTables,
    /// `chat.db` is empty beside a file that isn't.
    EmptyTables,
    /// `recent.db` is missing.
    NoJournal,
    /// `recent.db` is empty.
    EmptyJournal,
    /// `chat.db` is a backup beside files of the store that it replaced.
    Backup,
    /// The two are of different stores.
    Stores,
    /// The two are of different generations of one store.
    Times,
    /// `chat.db` lacks rows that `recent.db` has deleted.
    TablesBehind,
    /// `recent.db` lacks rows that are in `chat.db`.
    JournalBehind,
}

impl Mismatch {
    /// Returns a sentence with the fault and its cure.
    fn sentence(self, directory: &Path) -> String {
        let shown = directory.display();
        let restore = format!("chat-server --data {shown} restore");
        let what = match self {
            Self::NoTables => "chat.db is missing, and other files of the store are there",
            Self::EmptyTables => "chat.db is empty, and other files of the store are not",
            Self::NoJournal => "recent.db, which has the newest lines, is missing beside chat.db",
            Self::EmptyJournal => "recent.db, which has the newest lines, is empty beside chat.db",
            Self::Backup => {
                "chat.db is a backup, and files of the store whose place it took lie beside it"
            }
            Self::Stores => "chat.db and recent.db belong to two different stores",
            Self::Times => {
                "chat.db and recent.db, or a log beside them (-wal), are of different times of the store"
            }
            Self::TablesBehind => {
                "chat.db lacks lines that were in it: it is an older copy, or its log (chat.db-wal) is gone"
            }
            Self::JournalBehind => {
                "recent.db is older than chat.db: it is an older copy, or its log (recent.db-wal) is gone"
            }
        };
        let cure = match self {
            Self::NoTables | Self::EmptyTables => format!(
                "put chat.db back, or put a backup in place with {restore} FILE; to begin anew, move the other files away"
            ),
            Self::Backup => format!("put it in place with {restore} {shown}/chat.db"),
            _ => format!(
                "put the files back that belong together, or put a backup in place with {restore} FILE; to go on with \
                 what chat.db has alone, {restore} {shown}/chat.db"
            ),
        };
        format!("{shown}: {what}; {cure}. Nothing is changed until then")
    }
}

/// The kind of a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The disk is full.
    Full,
    /// The database is read-only.
    ReadOnly,
    /// An I/O error.
    Io,
    /// Another process holds a lock.
    Busy,
    /// A file is damaged.
    Damaged,
    /// The query exceeded its deadline.
    TooLong,
    /// An open file was removed, moved or replaced.
    Gone,
    /// Anything else.
    Other,
}

/// A failed operation of the store. It had no effect.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; {}", .kind.what(), .kind.cure())]
pub struct StoreError {
    kind: StoreErrorKind,
    source: rusqlite::Error,
}

impl StoreError {
    /// An error that SQLite doesn't detect.
    pub(super) fn told(kind: StoreErrorKind, words: &str) -> Self {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR);
        Self { kind, source: rusqlite::Error::SqliteFailure(code, Some(words.to_owned())) }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl StoreErrorKind {
    fn what(self) -> &'static str {
        match self {
            Self::Full => "there is no space to store messages",
            Self::ReadOnly => "the database can't be written",
            Self::Io => "the disk fails under the database",
            Self::Busy => "another program has locked the database",
            Self::Damaged => "the database is damaged",
            Self::TooLong => "it took too long",
            Self::Gone => "a file of the store is not where it was opened",
            Self::Other => "the database reports an error",
        }
    }

    fn cure(self) -> &'static str {
        match self {
            Self::Full => {
                "free space on the disk or raise the quota; the server recovers by itself"
            }
            Self::ReadOnly => {
                "give the server the right to write its directory; it recovers by itself"
            }
            Self::Io => {
                "look for the disk in the system's log; the server recovers when the disk works again"
            }
            Self::Busy => "end the other program",
            Self::Damaged => "stop the server, keep a copy of its directory, and restore a backup",
            Self::TooLong => "ask for less",
            Self::Gone => {
                "put it back, and the server recovers by itself; if a log (-wal, -shm) was deleted, restart the server; if another \
                 file is deleted or written over, stop the server and restore a backup (chat-server restore)"
            }
            Self::Other => "report it to the project with this line",
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        let kind = match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::TooBig) => StoreErrorKind::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                StoreErrorKind::ReadOnly
            }
            Some(ErrorCode::SystemIoFailure) => StoreErrorKind::Io,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Damaged,
            Some(ErrorCode::OperationInterrupted) => StoreErrorKind::TooLong,
            _ => StoreErrorKind::Other,
        };
        Self { kind, source }
    }
}
