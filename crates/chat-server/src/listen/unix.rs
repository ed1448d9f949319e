//! Unix sockets.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::{Caller, Door};
use crate::conn::Peer;

/// Everybody on this machine may connect, as with loopback; who shall not is kept out by the rights of
/// the directory.
const MODE: u32 = 0o666;

/// Only the server's own user and root may connect.
const PRIVATE: u32 = 0o600;

/// A bound Unix socket, which is removed when this is dropped.
#[derive(Debug)]
pub struct UnixDoor {
    listener: UnixListener,
    path: PathBuf,
}

/// Binds a path. A socket that a server which is gone has left there is replaced; anything else there is
/// an error.
pub fn bind(path: &Path) -> io::Result<UnixDoor> {
    bind_with(path, MODE)
}

/// The same for the server's own user and root alone.
pub fn bind_privately(path: &Path) -> io::Result<UnixDoor> {
    bind_with(path, PRIVATE)
}

fn bind_with(path: &Path, mode: u32) -> io::Result<UnixDoor> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(UnixDoor { listener, path: path.to_owned() })
}

fn is_abandoned(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused)
}

impl UnixDoor {
    /// Waits for the next one; tells as which user they run.
    pub(crate) async fn accept_user(&self) -> io::Result<(UnixStream, u32)> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred()?.uid();
        Ok((stream, user))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for UnixDoor {
    fn drop(&mut self) {
        // If it can't be removed the next server replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

impl Door for UnixDoor {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Caller)> {
        let (stream, _) = self.listener.accept().await?;
        let shown = match stream.peer_cred() {
            Ok(peer) => format!("unix, uid {}", peer.uid()),
            Err(_) => "unix".to_owned(),
        };
        let peer = Peer { shown, address: None };
        Ok((stream, Caller { peer, counted: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_abandoned_socket_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sock");
        let first = bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse, "in use");
        // What a server that was killed leaves behind.
        let UnixDoor { .. } = &first;
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let again = bind(&path).unwrap();
        assert_eq!(fs::metadata(again.path()).unwrap().permissions().mode() & 0o777, MODE);
        drop(again);
        fs::write(&path, "somebody's file").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"somebody's file");
    }
}
