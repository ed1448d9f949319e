//! `chat-server restore FILE`: puts a backup in place of a store.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::print;
use crate::store::{OpenError, Store, maintenance};
use crate::util::clock::steady_clock;

/// The staged copy of the backup. One left by an earlier call is replaced.
const PART: &str = "chat.db.restoring";

pub(super) fn run(directory: &Path, file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    let found = fs::metadata(file).with_context(|| format!("{shown} can't be read"))?;
    if !found.is_file() || found.len() == 0 {
        bail!("{shown} is no backup; name a file that chat-server backup wrote");
    }
    if file.file_name() == Some(OsStr::new("recent.db")) {
        bail!(
            "{shown} is the journal of a store, and no backup; name a file that chat-server backup wrote, or the chat.db beside it"
        );
    }
    // No server and no other tool uses the directory until this is dropped.
    let _lock = Store::lock(directory)?;
    let part = StagedCopy::new(directory)?;
    let faults = maintenance::copy_backup(file, &part.0).map_err(|error| unusable(file, error))?;
    if !faults.is_empty() {
        bail!("{shown} is not whole, and nothing is changed: {}", faults.join("; "));
    }
    let bytes = part.finish(directory)?;
    let aside = exchange(directory, &part.0).with_context(|| {
        format!(
            "the files in {} can't be exchanged; what was moved is in a folder there whose name begins with replaced-",
            directory.display()
        )
    })?;
    let database = Store::file_in(directory);
    print(format_args!("{}: {bytes} bytes from {shown}, found whole", database.display()))?;
    if let Some(aside) = aside {
        print(format_args!(
            "{}: the files that were there; delete them when you need them no more",
            aside.display()
        ))?;
    }
    print("the server can be started now")?;
    Ok(())
}

fn unusable(file: &Path, error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Foreign => anyhow::anyhow!(
            "{} is no backup of this program; name a file that chat-server backup wrote (import takes what export wrote)",
            file.display()
        ),
        error => anyhow::Error::from(error)
            .context(format!("{} can't be restored, and nothing is changed", file.display())),
    }
}

/// The staged copy, removed on drop.
struct StagedCopy(PathBuf);

impl StagedCopy {
    fn new(directory: &Path) -> anyhow::Result<Self> {
        let part = Self(directory.join(PART));
        drop(fs::remove_file(&part.0));
        let made = File::options().write(true).create_new(true).mode(0o600).open(&part.0);
        made.with_context(|| format!("{} can't be made", part.0.display()))?;
        Ok(part)
    }

    /// Gives the copy to the server's user and syncs it.
    fn finish(&self, directory: &Path) -> anyhow::Result<u64> {
        give(directory, &self.0)?;
        let copy = File::open(&self.0)?;
        copy.sync_all().with_context(|| format!("{} can't be written", self.0.display()))?;
        Ok(copy.metadata()?.len())
    }
}

impl Drop for StagedCopy {
    fn drop(&mut self) {
        // Usually it has been moved into place.
        drop(fs::remove_file(&self.0));
    }
}

/// Gives a file to the owner of the directory, the server's user: with systemd's `DynamicUser=` no
/// one runs a tool as that user.
fn give(directory: &Path, file: &Path) -> anyhow::Result<()> {
    let (owner, now) = (fs::metadata(directory)?, fs::metadata(file)?);
    if (owner.uid(), owner.gid()) == (now.uid(), now.gid()) {
        return Ok(());
    }
    let given = std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid()));
    match given {
        // Same user, with a group that only root may set.
        Err(_) if owner.uid() == now.uid() => Ok(()),
        given => given.with_context(|| {
            format!(
                "{} can't be given to the owner of {} (user {}); run this as root, or as that user",
                file.display(),
                directory.display(),
                owner.uid()
            )
        }),
    }
}

/// Moves the files of the store into a folder beside them, and the copy into place. A start at any
/// moment in between either finds all the old files or is refused: the copy is marked as a backup,
/// and accepts no WAL and no journal.
fn exchange(directory: &Path, part: &Path) -> anyhow::Result<Option<PathBuf>> {
    let database = Store::file_in(directory);
    let old: Vec<PathBuf> = maintenance::files_in(directory)
        .into_iter()
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .collect();
    let mut aside = None;
    if !old.is_empty() {
        let stamp = steady_clock().rfc3339().to_string().replace(['-', ':', '.'], "");
        let folder = directory.join(format!("replaced-{stamp}"));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        give(directory, &folder)?;
        aside = Some(folder);
    }
    let kept = |path: &Path| Some(aside.as_ref()?.join(path.file_name()?));
    // It keeps its name until the copy takes it.
    if let Some(to) = kept(&database).filter(|_| old.contains(&database))
        && fs::hard_link(&database, &to).is_err()
    {
        fs::rename(&database, &to)?;
    }
    fs::rename(part, &database)?;
    sync(directory)?;
    for path in old.iter().filter(|path| **path != database) {
        if let Some(to) = kept(path) {
            fs::rename(path, to)?;
        }
    }
    aside.as_deref().map_or(Ok(()), sync)?;
    sync(directory)?;
    Ok(aside)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
