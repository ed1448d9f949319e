//! `chat-server backup FILE`: a copy of everything, while the server runs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::print;
use crate::store::{Store, maintenance};

pub(super) fn run(directory: &Path, file: &Path) -> anyhow::Result<()> {
    if file == Path::new("-") {
        bail!(
            "a backup is a file, and can't go to standard output; name one, or ./- for one of that name"
        );
    }
    if file.exists() {
        bail!("{} is there already and is left as it is; name another file", file.display());
    }
    let part = PartialBackup::new(file)?;
    Store::open_to_copy(directory)?.copy_to(&part.0)?;
    // Text deleted just before isn't in a copy, however far the server has come with its redaction.
    maintenance::redact_copy(&part.0)?;
    // The mark distinguishes it if it is put in place of a store by hand.
    maintenance::mark_backup(&part.0)?;
    let faults = maintenance::faults_of(&part.0)?;
    if !faults.is_empty() {
        bail!("the copy is not whole, and is not kept: {}", faults.join("; "));
    }
    let copied = || -> io::Result<u64> {
        let copy = File::open(&part.0)?;
        copy.sync_all()?;
        // A link, unlike a rename, never replaces a file created meanwhile.
        fs::hard_link(&part.0, file)?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(copy.metadata()?.len())
    };
    let bytes = copied().with_context(|| format!("{} can't be written", file.display()))?;
    print(format_args!("{}: {bytes} bytes, opened and found whole", file.display()))?;
    Ok(())
}

/// The unfinished copy, removed on drop.
struct PartialBackup(PathBuf);

impl PartialBackup {
    fn new(file: &Path) -> anyhow::Result<Self> {
        let mut name = OsString::from(file);
        name.push(".part");
        let path = PathBuf::from(name);
        // Readable by its owner alone: it holds private chats.
        let made = File::options().write(true).create_new(true).mode(0o600).open(&path);
        made.with_context(|| {
            format!("{} can't be made; if an earlier backup left it, remove it", path.display())
        })?;
        Ok(Self(path))
    }
}

impl Drop for PartialBackup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "can't remove the incomplete copy");
        }
    }
}
