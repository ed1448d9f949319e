//! Permissions of a store's directory and files.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use super::OpenError;
use super::paths::{FILE, JOURNAL_FILE, LOCK, beside};

/// Mode of the database and of the files beside it.
pub(super) const PRIVATE: u32 = 0o600;

/// Mode bits for writing by group and others.
const OTHERS_WRITE: u32 = 0o022;

/// Refuses a directory that other users can write: they could replace the files.
pub(super) fn check_directory(directory: &Path) -> Result<(), OpenError> {
    let found = fs::metadata(directory)
        .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & OTHERS_WRITE == 0 {
        return Ok(());
    }
    Err(OpenError::Shared { path: directory.to_owned(), mode })
}

/// Refuses symbolic links: writes would go wherever they lead.
pub(super) fn check_links(directory: &Path) -> Result<(), OpenError> {
    let databases = [FILE, JOURNAL_FILE].map(|name| directory.join(name));
    let of_databases =
        databases.iter().flat_map(|file| ["", "-wal", "-shm"].map(|part| beside(file, part)));
    for path in of_databases.chain([directory.join(LOCK)]) {
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Err(OpenError::Link { path });
        }
    }
    Ok(())
}

/// Makes the database and the files beside it readable by the server's user alone, whatever the
/// mode of the directory. SQLite copies the database's mode to the files beside it only when it
/// creates them.
pub(super) fn keep_private(database: &Path) -> io::Result<()> {
    // If the file can't be created, SQLite reports that with its cure.
    if let Ok(made) = File::options().write(true).create_new(true).mode(PRIVATE).open(database) {
        give_to_owner(&made, database);
    }
    for part in ["", "-wal", "-shm"] {
        let path = beside(database, part);
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

/// Gives a file created by root to the owner of the directory: a tool may run before the server.
pub(super) fn give_to_owner(file: &File, path: &Path) {
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
        tracing::debug!(%error, path = %path.display(), "can't give a file to the owner of its directory");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::{Durability, Store, StoreLocation};

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            || Store::open(&StoreLocation::Directory(folder.path().into()), Durability::Process);
        for (mode, is_refused) in
            [(0o700, false), (0o755, false), (0o750, false), (0o775, true), (0o1777, true)]
        {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            let refused = matches!(open().err(), Some(OpenError::Shared { .. }));
            assert_eq!(refused, is_refused, "{mode:o}");
        }
        let told = open().err().unwrap().to_string();
        assert!(told.contains("mode 1777") && told.contains("chmod go-w"), "{told}");
    }

    #[test]
    fn no_link_is_followed() {
        let elsewhere = tempfile::tempdir().unwrap();
        for name in ["chat.db", "chat.db-wal", "chat.db-shm", "recent.db", "recent.db-wal", "lock"]
        {
            let folder = tempfile::tempdir().unwrap();
            let target = elsewhere.path().join(name);
            symlink(&target, folder.path().join(name)).unwrap();
            let place = StoreLocation::Directory(folder.path().into());
            let refused = Store::open(&place, Durability::Process).err();
            assert!(matches!(refused, Some(OpenError::Link { .. })), "{name}: {refused:?}");
            assert!(!target.exists(), "{name}");
        }
    }

    #[test]
    fn the_lock_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join(LOCK);
        // As an earlier version created it.
        fs::write(&lock, "").unwrap();
        fs::set_permissions(&lock, Permissions::from_mode(0o644)).unwrap();
        let held = Store::lock(folder.path()).unwrap();
        assert_eq!(held.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
