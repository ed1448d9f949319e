//! Files of a store, and the disk that holds them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The database in the directory.
pub(super) const FILE: &str = "chat.db";

/// The file beside the database.
pub(super) const JOURNAL_FILE: &str = "recent.db";

/// Locked by the process that writes.
pub(super) const LOCK: &str = "lock";

/// Returns the path with a suffix, as SQLite names the files of a database.
pub(super) fn beside(file: &Path, part: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(part);
    name.into()
}

/// Returns the free space on the disk of a directory, if known.
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
