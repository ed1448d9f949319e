//! Storage: one SQLite database, its journal, and the only code that touches them.
//!
//! This module knows nothing of tasks, sockets or sessions. Ids, conversation numbers and times
//! come in as arguments. One [`Writer`] writes. Any number of [`Reader`]s read at the same time,
//! since the database is in WAL mode, and see only what is committed.
//!
//! * [`schema`]: tables and migrations.
//! * [`row`]: row ids, flags and stored lines.
//! * [`write_op`]: write operations, the parts of a commit.
//! * [`apply`]: applies them to the tables.
//! * [`writer`][]: commits.
//! * [`accounts`]: accounts, tokens, ignore lists, memberships.
//! * [`server_moderation`]: invitations, server bans, the audit log.
//! * [`channel_moderation`]: settings, bans, mutes and the moderation log of channels.
//! * [`redact`]: removes the lines of a deleted account.
//! * [`purge`]: hides the lines of one author in a channel.
//! * [`pending_redactions`]: lines that redactions and purges have not reached yet.
//! * [`author_blocks`]: the index of the blocks of ids in which each author wrote.
//! * [`reader`]: pages of lines.
//! * [`viewer`]: the viewer of lines.
//! * [`search`]: full-text search.
//! * [`unread`]: unread counts.
//! * [`mention`]: lines that mention a name.
//! * [`cutoff`]: the deadline of a query.
//! * [`full_text`]: tokenization for full-text search.
//! * [`author_index`]: the lines of one account.
//! * [`memtable`]: lines in the journal that are not in the tables yet.
//! * [`checkpoint`]: WAL checkpoints.
//! * [`error`]: errors and their cures.
//! * [`wal_repair`]: damage in the WAL of a server that was killed.
//! * [`damage`]: damage found before the files are opened.
//! * [`files`]: detects files that were moved or replaced while open.
//! * [`paths`]: file names and free space.
//! * [`mod@lock`]: the lock of the directory.
//! * [`permissions`]: permissions of the directory and its files.
//! * [`identity`]: detects files of different stores or generations.
//! * [`line_sum`]: checksums of stored lines.
//! * [`maintenance`]: checks and copies for the operator.

mod accounts;
mod apply;
mod author_blocks;
mod author_index;
mod channel_moderation;
mod checkpoint;
mod cutoff;
mod damage;
mod error;
mod files;
mod full_text;
mod identity;
mod line_sum;
mod lock;
pub mod maintenance;
mod memtable;
mod mention;
mod paths;
mod pending_redactions;
mod permissions;
mod purge;
mod reader;
mod redact;
mod row;
mod schema;
mod search;
mod server_moderation;
mod unread;
mod viewer;
mod wal_repair;
mod write_op;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub use self::accounts::{AccountRow, IgnoredRow, MemberRow, OperatorRow, TokenRow};
pub use self::apply::MAX_AUDIT_LOG;
pub use self::author_blocks::author_key;
pub use self::author_index::AuthoredLine;
pub use self::channel_moderation::{ListEntryRow, ModActionRow, SettingRow};
use self::checkpoint::{Wal, WalLimits};
pub use self::cutoff::Cutoff;
pub use self::error::{Mismatch, OpenError, StoreError, StoreErrorKind};
use self::files::OpenFiles;
use self::lock::{TRIES, lock, pause};
pub use self::memtable::{Chore, ChoreReport, Progress};
use self::memtable::{Journal, Memtable, is_flushed};
pub use self::mention::MentionQuery;
pub use self::paths::free_bytes;
use self::paths::{FILE, JOURNAL_FILE};
use self::permissions::keep_private;
pub use self::purge::LineCount;
pub use self::reader::{LastLines, LinePage, Reader};
pub use self::row::{
    ConversationInfo, FORGOTTEN, MAX_NUMBER, OnceRow, StoreKey, StoredLine, channel_key,
};
pub use self::search::{FullTextQuery, SearchHit, SearchHits, SearchScope};
pub use self::server_moderation::{AuditLogRow, InvitationRow, ServerBanRow};
pub use self::unread::{UnreadChat, UnreadLines};
pub use self::viewer::Viewer;
pub use self::write_op::{
    AccountOp, AuthorPeriod, ChannelModerationOp, NewLine, NewListEntry, NewModAction, PurgeOp,
    ServerModerationOp, WriteOp,
};
pub use self::writer::{ConversationRow, Flusher, NameHolderRow, Writer};

/// Timeout for another connection's lock, which is held for moments only.
const BUSY: Duration = Duration::from_secs(5);

/// Location of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// A directory, created if missing.
    Directory(PathBuf),
    /// Memory, for the lifetime of the process.
    Memory,
}

/// The failures that a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: every commit is synced to disk.
    #[default]
    Machine,
    /// A crash of the process, but not of the machine: a power cut may lose the last moments.
    Process,
}

type Shared = Arc<Mutex<Connection>>;

/// An open store.
pub struct Store {
    place: StoreLocation,
    writer: Shared,
    /// Held for as long as anything writes.
    lock: Option<File>,
    memtable: Arc<Memtable>,
}

impl Store {
    /// Opens a store and migrates it to this version.
    ///
    /// # Errors
    ///
    /// The obstacle, with its cure.
    pub fn open(place: &StoreLocation, durability: Durability) -> Result<Self, OpenError> {
        let mut found = damage::DamageReport::default();
        let (mut connection, lock) = match place {
            StoreLocation::Memory => {
                (Connection::open_in_memory().map_err(OpenError::from_sqlite)?, None)
            }
            StoreLocation::Directory(directory) => {
                let lock = lock(directory, pause, TRIES)?;
                permissions::check_links(directory)?;
                found = damage::look(directory, true);
                identity::check(directory, &found)?;
                let path = directory.join(FILE);
                keep_private(&path)
                    .map_err(|source| OpenError::Directory { path: directory.clone(), source })?;
                (Connection::open(path).map_err(OpenError::from_sqlite)?, Some(lock))
            }
        };
        schema::prepare(&mut connection, place, durability)?;
        let (mut journal, mut wals) = (None, Vec::new());
        let changed = Arc::new(Condvar::new());
        if let StoreLocation::Directory(directory) = place {
            keep_private(&directory.join(JOURNAL_FILE))
                .map_err(|source| OpenError::Directory { path: directory.clone(), source })?;
            let is_long = || {
                let changed = Arc::clone(&changed);
                move || changed.notify_one()
            };
            let mut opened =
                Journal::open(directory, durability).map_err(OpenError::from_sqlite)?;
            sync_directory(directory);
            identity::raise(&connection, opened.connection(), durability);
            wals.push(opened.wal(directory, is_long()).map_err(OpenError::from_sqlite)?);
            journal = Some(opened);
            let path = directory.join(FILE);
            let wal = Wal::of(&mut connection, &path, WalLimits::OF_TABLES, is_long());
            wals.push(wal.map_err(OpenError::from_sqlite)?);
        }
        let writer = Arc::new(Mutex::new(connection));
        let files = match place {
            StoreLocation::Directory(directory) => OpenFiles::opened(directory),
            StoreLocation::Memory => OpenFiles::default(),
        };
        let memtable = Memtable::new(Arc::clone(&writer), journal, wals, changed, files);
        let memtable = memtable.map_err(OpenError::from_sqlite)?;
        memtable.recover()?;
        memtable::note(&crate::util::sync::lock(&writer), &found.losses);
        Ok(Self { place: place.clone(), writer, lock, memtable })
    }

    /// Splits the store into its writer and a factory of readers.
    pub fn into_parts(self) -> (Writer, ReaderFactory) {
        let Self { place, writer, lock, memtable } = self;
        let readers =
            ReaderFactory { place, writer: Arc::clone(&writer), memtable: Arc::clone(&memtable) };
        (Writer::new(writer, lock, memtable), readers)
    }

    /// Locks a directory, created if missing, against servers and other writers until the returned
    /// file is dropped.
    pub fn lock(directory: &Path) -> Result<File, OpenError> {
        lock(directory, pause, TRIES)
    }

    /// Opens a store for reading beside the server that writes it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Older`] also if no server of this version has opened the store yet.
    pub fn open_to_read(directory: &Path) -> Result<Reader, OpenError> {
        let reader = Self::open_to_copy(directory)?;
        schema::check_is_current(&crate::util::sync::lock(reader.connection()))?;
        Ok(reader)
    }

    /// Opens a store of this or an earlier version to look for faults, beside the server that
    /// writes it. Without a running server it changes no file, and no server opens the store for as
    /// long as the reader lives.
    pub fn open_to_check(directory: &Path) -> Result<Reader, OpenError> {
        let path = directory.join(FILE);
        if !identity::has_some(directory) {
            return Err(OpenError::Missing { path });
        }
        let lock = match lock(directory, || {}, 1) {
            Err(OpenError::InUse { .. }) => return Self::open_to_copy(directory),
            // A directory that can't be written can't be opened by a server either.
            lock => lock.ok(),
        };
        permissions::check_links(directory)?;
        let found = damage::look(directory, false);
        identity::check(directory, &found)?;
        let tables = check_tables(identity::open_untouched(&path), &path)?;
        let mut losses = found.losses;
        losses.extend(memtable::missing(directory, &tables)?);
        Ok(Reader::new(tables, None).with_losses(losses).with_lock(lock))
    }

    /// Opens a store of this or an earlier version for checks and copies, beside the server that
    /// writes it.
    pub fn open_to_copy(directory: &Path) -> Result<Reader, OpenError> {
        let path = directory.join(FILE);
        if !identity::has_some(directory) {
            return Err(OpenError::Missing { path });
        }
        permissions::check_links(directory)?;
        let losses = check_free(directory)?;
        let tables = check_tables(read_connection(&path), &path)?;
        wait_until_flushed(directory, pause)?;
        Ok(Reader::new(tables, None).with_losses(losses))
    }
}

/// Checks the version of opened tables, which must not be empty.
fn check_tables(opened: rusqlite::Result<Connection>, path: &Path) -> Result<Shared, OpenError> {
    let connection = opened.map_err(OpenError::from_sqlite)?;
    schema::check_version(&connection)?;
    // A server killed during its first start leaves a database without tables.
    if schema::is_new(&connection)? {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    Ok(Arc::new(Mutex::new(connection)))
}

/// Opens [`Reader`]s.
#[derive(Clone)]
pub struct ReaderFactory {
    place: StoreLocation,
    writer: Shared,
    memtable: Arc<Memtable>,
}

impl ReaderFactory {
    /// Opens a reader for one thread. In memory, all readers share the writer's connection.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Ok(match &self.place {
            StoreLocation::Memory => {
                Reader::new(Arc::clone(&self.writer), Some(Arc::clone(&self.memtable)))
            }
            StoreLocation::Directory(directory) => {
                let path = directory.join(FILE);
                let connection = read_connection(&path).map_err(OpenError::from_sqlite)?;
                know_log(&connection).map_err(OpenError::from_sqlite)?;
                let memtable = Some(Arc::clone(&self.memtable));
                Reader::new(Arc::new(Mutex::new(connection)), memtable)
            }
        })
    }
}

/// Number of polls for a flush by the running server: half a minute in all. A server flushes within
/// seconds.
const LOOKS: u32 = 1500;

/// Waits until the tables have every line committed so far. Without a running server, flushes the
/// journal itself.
fn wait_until_flushed(directory: &Path, mut pause: impl FnMut()) -> Result<(), OpenError> {
    let Some(last) = memtable::last_row(directory).map_err(OpenError::from_sqlite)? else {
        return Ok(());
    };
    for _ in 0..LOOKS {
        if is_flushed(directory, last).map_err(OpenError::from_sqlite)? {
            return Ok(());
        }
        match lock(directory, || {}, 1) {
            Ok(free) => {
                drop(free);
                let place = StoreLocation::Directory(directory.to_owned());
                match Store::open(&place, Durability::Machine) {
                    Ok(store) => store.memtable.flush_all()?,
                    // A server took the lock first.
                    Err(OpenError::InUse { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error @ (OpenError::Shared { .. } | OpenError::Link { .. })) => return Err(error),
            Err(_) => pause(),
        }
    }
    Err(OpenError::Unflushed)
}

/// Makes a connection open its WAL, which happens at the first read. Later another file may have
/// taken its place.
fn know_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))
}

fn read_connection(path: &Path) -> rusqlite::Result<Connection> {
    // Not read-only: after a crash the first connection has to recover the WAL.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // The WAL of a killed server stays as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Checks that the files of a store belong together, unless a running server has them open and
/// checked them at its start. Returns the damage in their WALs.
fn check_free(directory: &Path) -> Result<Vec<String>, OpenError> {
    match lock(directory, || {}, 1) {
        Err(OpenError::InUse { .. }) => {
            identity::check_presence(directory)?;
            Ok(Vec::new())
        }
        // With read access only, no server starts meanwhile either.
        free => {
            let found = damage::look(directory, free.is_ok());
            identity::check(directory, &found)?;
            Ok(found.losses)
        }
    }
}

/// Syncs the directory, so that new files survive a power cut. Continues without where that fails.
fn sync_directory(directory: &Path) {
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::debug!(%error, "can't sync the directory");
    }
}
