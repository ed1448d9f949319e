//! Permissions of a store's directory and files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{FILE, LOCK, OpenError, identity, memtable};

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
    let databases = [FILE, memtable::FILE].map(|name| directory.join(name));
    let of_databases = databases
        .iter()
        .flat_map(|file| ["", "-wal", "-shm"].map(|part| identity::beside(file, part)));
    for path in of_databases.chain([directory.join(LOCK)]) {
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Err(OpenError::Link { path });
        }
    }
    Ok(())
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
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
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
        fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
        let held = Store::lock(folder.path()).unwrap();
        assert_eq!(held.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
