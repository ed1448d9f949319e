//! The lock of a store's directory.

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::OpenError;
use super::paths::LOCK;
use super::permissions::{self, PRIVATE, give_to_owner};

/// Number of tries for a lock, and the pause between them: two seconds in all. A server that is
/// just ending holds it for moments, and so does a child of one that is being started.
pub(super) const TRIES: u32 = 100;
pub(super) const BETWEEN_TRIES: Duration = Duration::from_millis(20);

#[expect(
    clippy::disallowed_methods,
    reason = "there is no event when another process releases a file lock"
)]
pub(super) fn pause() {
    std::thread::sleep(BETWEEN_TRIES);
}

/// Locks a directory, created if missing. `pause` runs between two tries.
pub(super) fn lock(
    directory: &Path,
    mut pause: impl FnMut(),
    tries: u32,
) -> Result<File, OpenError> {
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
        tracing::debug!(%error, path = %path.display(), "can't set the mode of the lock file");
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
