//! What is kept: one SQLite file, and the only code that touches it.
//!
//! This room knows nothing of the hub, of tasks or of sockets. Ids, conversation numbers and times come in as
//! arguments. One [`Writer`] writes; any number of [`Reader`]s read at the same time, since the file is in
//! WAL mode, and see only what is committed.
//!
//! * [`schema`]: the tables and their versions.
//! * [`writer`][]: writing.
//! * [`accounts`]: accounts and what is kept under them.
//! * [`server_moderation`]: what operators of the server decided.
//! * [`damage`]: which damage of the files is found.
//! * [`redact`]: how all of an account's is taken out.
//! * [`pending_redactions`]: what is to be taken out and is passed over until then.
//! * [`channel_moderation`]: how channels are run.
//! * [`purge`]: how all of an author's lines in a conversation are hidden.
//! * [`reader`]: reading pages of lines, and searching.
//! * [`unread`]: what an account hasn't read yet.
//! * [`mention`]: lines that name somebody.
//! * [`cutoff`]: when a query is given up.
//! * [`full_text`]: how words of any language are found.
//! * [`author_index`]: what an account wrote.
//! * [`memtable`]: lines that are kept and are not in the tables yet.
//! * [`checkpoint`]: how what is committed comes to its place in the files.
//! * [`error`]: what goes wrong, and what to do about it.
//! * [`wal_repair`]: damage in the logs of a server that was killed.
//! * [`files`]: whether the open files are where they were.
//! * [`permissions`]: whether directory and files are safe from other users.
//! * [`identity`]: whether the files of a store belong together.
//! * [`maintenance`]: what an operator does with a store: check it, copy it.

mod accounts;
mod author_index;
mod channel_moderation;
mod checkpoint;
mod cutoff;
mod damage;
mod error;
mod files;
mod full_text;
mod identity;
pub mod maintenance;
mod memtable;
mod mention;
mod pending_redactions;
mod permissions;
mod purge;
mod reader;
mod redact;
mod schema;
mod server_moderation;
mod unread;
mod wal_repair;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;

pub use self::accounts::{AccountOp, AccountRow, IgnoredRow, MemberRow, OperatorRow, TokenRow};
pub use self::author_index::AuthoredLine;
pub use self::channel_moderation::{
    ChannelModerationOp, ListEntryRow, ModActionRow, NewListEntry, NewModAction, SettingRow,
};
use self::checkpoint::{Wal, WalLimits};
pub use self::cutoff::Cutoff;
pub use self::error::{OpenError, StoreError, StoreErrorKind};
use self::files::OpenFiles;
pub use self::identity::Mismatch;
use self::memtable::{Journal, Memtable, is_flushed};
pub use self::mention::MentionQuery;
pub use self::purge::{AuthorPeriod, LineCount, PurgeOp, author_key};
pub use self::reader::{
    ConversationInfo, FullTextQuery, LastLines, LinePage, Reader, SearchHit, SearchHits,
    SearchScope, StoreKey, StoredLine,
};
pub use self::server_moderation::{
    AuditLogRow, InvitationRow, MAX_AUDIT_LOG, ServerBanRow, ServerModerationOp,
};
pub use self::unread::{UnreadChat, UnreadLines, Viewer};
pub use self::writer::{
    ConversationRow, FORGOTTEN, Flusher, MAX_NUMBER, NameHolderRow, OnceRow, WriteOp, Writer,
};

/// The file in the directory.
const FILE: &str = "chat.db";

/// Its mode, and that of the files beside it.
const PRIVATE: u32 = 0o600;

/// Held locked by whoever writes.
const LOCK: &str = "lock";

/// How long one connection waits for another's lock, which is held for moments only.
const BUSY: Duration = Duration::from_secs(5);

/// Where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// In this directory, which is made if it isn't there.
    Directory(PathBuf),
    /// In memory, for as long as the process lives.
    Memory,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: it is synced to the disk before it counts.
    #[default]
    Machine,
    /// The end of the process, but not of the machine: a power cut may take the last moments.
    Process,
}

type Shared = Arc<Mutex<Connection>>;

/// An open store.
pub struct Store {
    place: StoreLocation,
    writer: Shared,
    /// Kept for as long as anything writes.
    lock: Option<File>,
    memtable: Arc<Memtable>,
}

impl Store {
    /// Opens a store, and brings it up to this version.
    ///
    /// # Errors
    ///
    /// What is in the way, with its cure.
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
            keep_private(&directory.join(memtable::FILE))
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

    /// The one that writes, and what makes those that read.
    pub fn into_parts(self) -> (Writer, ReaderFactory) {
        let Self { place, writer, lock, memtable } = self;
        let readers =
            ReaderFactory { place, writer: Arc::clone(&writer), memtable: Arc::clone(&memtable) };
        (Writer::new(writer, lock, memtable), readers)
    }

    /// Keeps servers and other writers off a directory, which is made if it isn't there, until what this returns is dropped.
    pub fn lock(directory: &Path) -> Result<File, OpenError> {
        lock(directory, pause, TRIES)
    }

    /// Reads a store beside the server that writes it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Older`] if no server of this version has opened it yet, too.
    pub fn open_to_read(directory: &Path) -> Result<Reader, OpenError> {
        let reader = Self::open_to_copy(directory)?;
        schema::check_is_current(&crate::util::sync::lock(reader.connection()))?;
        Ok(reader)
    }

    /// Looks at a store as a whole, of this version or of an earlier one, beside the server that writes it.
    pub fn open_to_copy(directory: &Path) -> Result<Reader, OpenError> {
        let path = directory.join(FILE);
        if !identity::has_some(directory) {
            return Err(OpenError::Missing { path });
        }
        permissions::check_links(directory)?;
        let losses = check_free(directory)?;
        let connection = read_connection(&path).map_err(OpenError::from_sqlite)?;
        schema::check_version(&connection)?;
        // A server that was killed in its first start leaves a database without a table.
        if schema::is_new(&connection)? {
            return Err(OpenError::Missing { path });
        }
        wait_until_flushed(directory, pause)?;
        Ok(Reader::new(Arc::new(Mutex::new(connection)), None).with_losses(losses))
    }
}

/// Makes [`Reader`]s.
#[derive(Clone)]
pub struct ReaderFactory {
    place: StoreLocation,
    writer: Shared,
    memtable: Arc<Memtable>,
}

impl ReaderFactory {
    /// One more, for one thread. In memory all share the connection of the one that writes.
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

/// How often it is looked whether a server has put into the tables what waits: for half a minute in all. It does so within
/// seconds.
const LOOKS: u32 = 1500;

/// Waits until the tables have all that was said until now. If no server runs, they are given it.
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
                    // A server was quicker.
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

/// Opens a connection's log, which is done with the first reading: later another file may be in its place.
fn know_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))
}

fn read_connection(path: &Path) -> rusqlite::Result<Connection> {
    // Not read-only: after a crash the first to come has to put the WAL in order.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // The log of a server that was killed is left as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// How often a lock that is held is tried again, and how long it is waited for in between: for two seconds in all. A
/// server that is just ending holds it for moments, and so does a child of one that is being started.
const TRIES: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "no event tells that another process lets a lock go")]
fn pause() {
    std::thread::sleep(BETWEEN_TRIES);
}

/// Looks whether the files of a store belong together, unless a server has them open, which did so when it started. Returns
/// what is damaged in their logs.
fn check_free(directory: &Path) -> Result<Vec<String>, OpenError> {
    match lock(directory, || {}, 1) {
        Err(OpenError::InUse { .. }) => {
            identity::check_presence(directory)?;
            Ok(Vec::new())
        }
        // Where one may only read, no server starts meanwhile either.
        free => {
            let found = damage::look(directory, free.is_ok());
            identity::check(directory, &found)?;
            Ok(found.losses)
        }
    }
}

/// New files outlive a power cut, before something counts on them. Where that can't be asked for, the store goes without.
fn sync_directory(directory: &Path) {
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::debug!(%error, "the directory could not be synced");
    }
}

/// Only the user that the server runs as reads what is kept, whatever the rights of the directory are. SQLite gives
/// the files beside the database the database's mode, but only when it makes them.
fn keep_private(database: &Path) -> io::Result<()> {
    // Where it can't be made, SQLite finds that too, and tells the cure.
    if let Ok(made) = File::options().write(true).create_new(true).mode(PRIVATE).open(database) {
        give_to_owner(&made, database);
    }
    for beside in ["", "-wal", "-shm"] {
        let path = identity::beside(database, beside);
        let found = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        let is_ours = found.uid() == rustix::process::geteuid().as_raw();
        if is_ours && found.permissions().mode() & 0o777 != PRIVATE {
            fs::set_permissions(&path, Permissions::from_mode(PRIVATE))?;
        }
    }
    Ok(())
}

/// What root makes in the directory of the user that the server runs as belongs to that user: a tool may be called before
/// the server.
fn give_to_owner(file: &File, path: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let given = || -> io::Result<()> {
        let (Some(directory), found) = (path.parent(), file.metadata()?) else { return Ok(()) };
        let owner = fs::metadata(directory)?;
        if found.uid() == 0 && owner.uid() != 0 {
            fchown(file, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok(())
    };
    if let Err(error) = given() {
        tracing::debug!(%error, path = %path.display(), "a file can't be given to the owner of its directory");
    }
}

/// Locks a directory, which is made if it isn't there, in so many tries. `pause` waits until a lock that is held is tried
/// again.
fn lock(directory: &Path, mut pause: impl FnMut(), tries: u32) -> Result<File, OpenError> {
    let io = |source| OpenError::Directory { path: directory.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
    let path = directory.join(LOCK);
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(PRIVATE);
    let opened = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&path);
    let file = opened.map_err(|source| match Errno::from_io_error(&source) {
        Some(Errno::LOOP) => OpenError::Link { path: path.clone() },
        _ => io(source),
    })?;
    give_to_owner(&file, &path);
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode != PRIVATE
        && let Err(error) = file.set_permissions(Permissions::from_mode(PRIVATE))
    {
        tracing::debug!(%error, path = %path.display(), "the mode of the lock stays as it is");
    }
    for _ in 0..tries {
        match file.try_lock() {
            Ok(()) => return permissions::check_directory(directory).map(|()| file),
            Err(TryLockError::WouldBlock) => pause(),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
    }
    Err(OpenError::InUse { path: directory.to_owned() })
}
