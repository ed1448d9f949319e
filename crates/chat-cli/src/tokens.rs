//! Tokens on disk, which sign the user in at the next start.
//!
//! One file per server and account, in a folder that only its owner can access. Files are replaced
//! atomically, so a file is never incomplete. A file that others may read is not used, since it may
//! be theirs.

mod label;

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde_json::{Value, json};

use crate::mention::same_name;
use crate::proto::Secret;
use label::{label, may_be_of};

/// Mode bits that grant access to others.
const OTHERS: u32 = 0o077;
/// Accounts of one server that are read; more than any user has.
const MAX_KEPT: usize = 100;
/// More than any file written here has.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// The token store of one server.
#[derive(Clone, Debug)]
pub(crate) struct TokenStore {
    /// `None` if there is no folder to store tokens in.
    folder: Option<PathBuf>,
    server: ServerIdentity,
}

/// The server of a token. A token sent to another server is disclosed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerIdentity {
    pub(crate) address: String,
    /// The name that the server's certificate has to be for.
    pub(crate) tls_name: Option<String>,
}

impl TokenStore {
    /// A store in this folder.
    pub(crate) fn new(folder: Option<PathBuf>, server: ServerIdentity) -> Self {
        Self { folder, server }
    }

    fn path(&self, account: &str) -> Option<PathBuf> {
        let name = label(&self.server, &account.to_lowercase());
        Some(self.folder.as_ref()?.join(name))
    }

    /// The stored token of the account, if there is one. The error is for the user to read.
    pub(crate) fn load(&self, account: &str) -> Result<Option<Secret>, String> {
        let Some(path) = self.path(account) else { return Ok(None) };
        match read_private(&path) {
            Ok(None) => Ok(None),
            Ok(Some(text)) => {
                let own = self.read(&text).filter(|(own, _)| same_name(own, account));
                Ok(own.map(|(_, token)| token))
            }
            Err(why) => Err(not_used(&why)),
        }
    }

    /// The account and the token in a file; `None` if the file is not a token of this server, for
    /// example because another user put it there.
    fn read(&self, text: &Secret) -> Option<(String, Secret)> {
        let value: Value = serde_json::from_str(text.expose()).ok()?;
        let field = |name: &str| value.get(name).and_then(Value::as_str);
        let same = field("server") == Some(&self.server.address)
            && field("tls") == self.server.tls_name.as_deref();
        Some((field("account").filter(|_| same)?.to_owned(), Secret::new(field("token")?)))
    }

    /// Stores the token in place of any earlier one. The error is for the user to read.
    pub(crate) fn keep(&self, account: &str, token: &Secret) -> Result<(), String> {
        let (Some(folder), Some(path)) = (&self.folder, self.path(account)) else { return Ok(()) };
        let text = json!({
            "server": self.server.address,
            "tls": self.server.tls_name,
            "account": account,
            "token": token.expose(),
        });
        let text = Secret::new(&text.to_string());
        write_private(folder, &path, &text).map_err(|error| {
            let folder = folder.display();
            format!(
                "the sign-in can't be kept for the next time: {folder}: {error}. The password will be asked for again"
            )
        })
    }

    /// Removes the stored token of the account. With `only`, removes it only if it is that token,
    /// since another client may have stored a newer one. The error is for the user to read.
    pub(crate) fn forget(&self, account: &str, only: Option<&Secret>) -> Result<(), String> {
        let Some(path) = self.path(account) else { return Ok(()) };
        if let Some(token) = only
            && self.load(account)?.is_none_or(|kept| kept != *token)
        {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(error) if !is_absent(&error) => {
                Err(format!("the kept sign-in can't be removed: {}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The stored accounts of this server with their tokens, and why a file can't be used. The
    /// latter is for the user to read.
    pub(crate) fn all(&self) -> Vec<Result<(String, Secret), String>> {
        let Some(folder) = &self.folder else { return Vec::new() };
        // An absent folder holds no tokens. A folder that can't be read is reported when a token is
        // stored.
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| may_be_of(name, &self.server)).collect();
        names.sort_unstable();
        names.truncate(MAX_KEPT);
        let read = |name: String| match read_private(&folder.join(name)) {
            Ok(text) => self.read(&text?).map(Ok),
            Err(why) => Some(Err(not_used(&why))),
        };
        names.into_iter().filter_map(read).collect()
    }
}

fn not_used(why: &str) -> String {
    format!("the kept sign-in is not used: {why}")
}

/// The folder of the tokens: `$XDG_STATE_HOME/chat-cli`, else `~/.local/state/chat-cli`.
pub(crate) fn folder() -> Option<PathBuf> {
    folder_in(env::var_os("XDG_STATE_HOME").map(PathBuf::from), env::home_dir())
}

fn folder_in(state: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The XDG specification requires that relative paths are ignored.
    let state = state.filter(|state| state.is_absolute());
    let home = home.filter(|home| home.is_absolute());
    Some(state.or_else(|| Some(home?.join(".local/state")))?.join("chat-cli"))
}

/// The text of a file that only its owner may read; `None` if it doesn't exist. The error is for
/// the user to read.
pub(crate) fn read_private(path: &Path) -> Result<Option<Secret>, String> {
    let described = |error: io::Error| format!("{}: {error}", path.display());
    // Another user may have chosen the target of a link. Opening a pipe must not block.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // A file of the user's own can't be in a folder that the user may not access.
        Err(error) if is_absent(&error) || error.kind() == ErrorKind::PermissionDenied => {
            return Ok(None);
        }
        Err(error) => return Err(described(error)),
    };
    must_be_private(path, &file)?;
    text_of(file).map(Some).map_err(described)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Reads the rest of the file, up to a limit, as text.
pub(crate) fn text_of(file: impl io::Read) -> io::Result<Secret> {
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(Secret::new(&text))
}

/// Fails if others may read the file or could have written it. The error is for the user to read.
pub(crate) fn must_be_private(path: &Path, file: &File) -> Result<(), String> {
    let shown = path.display();
    let meta = file.metadata().map_err(|error| format!("{shown}: {error}"))?;
    let mode = meta.permissions().mode();
    if meta.is_dir() {
        return Err(format!("{shown} is a folder"));
    }
    if meta.is_file() && mode & OTHERS != 0 {
        return Err(format!(
            "{shown} may be read by others (its mode is {:04o}). Make it yours alone: chmod 600 {shown}",
            mode & 0o7777
        ));
    }
    if ![0, rustix::process::geteuid().as_raw()].contains(&meta.uid()) {
        return Err(format!("{shown} belongs to somebody else"));
    }
    Ok(())
}

fn write_private(folder: &Path, path: &Path, text: &Secret) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let meta = fs::metadata(folder)?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it belongs to somebody else"));
    }
    if meta.permissions().mode() & OTHERS != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(text.expose().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
