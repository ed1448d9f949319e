//! Unix sockets.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tokio::net::{UnixListener, UnixStream};

use super::{Incoming, Listener};
use crate::conn::PeerInfo;

/// Every user of this machine may connect, as with loopback; the rights of the directory keep
/// others out.
const MODE: u32 = 0o666;

/// Only the server's own user and root may connect.
const PRIVATE: u32 = 0o600;

/// A bound Unix socket, which is removed when this is dropped.
#[derive(Debug)]
pub struct UnixSocketListener {
    listener: UnixListener,
    path: PathBuf,
}

/// Binds a path. A socket that no server listens on any more is replaced; any other file there is
/// an error.
pub fn bind(path: &Path) -> io::Result<UnixSocketListener> {
    bind_with(path, MODE)
}

/// The same for the server's own user and root alone.
pub fn bind_privately(path: &Path) -> io::Result<UnixSocketListener> {
    bind_with(path, PRIVATE)
}

fn bind_with(path: &Path, mode: u32) -> io::Result<UnixSocketListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(UnixSocketListener { listener, path: path.to_owned() })
}

/// Advice for a path that can't be bound.
pub fn hint(error: &io::Error, path: &Path) -> &'static str {
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) if is_socket() => {
            "end the server that listens there, or give another path"
        }
        Some(Errno::ADDRINUSE) if path.is_dir() => {
            "it is a directory; give the path of a socket in it"
        }
        Some(Errno::ADDRINUSE) => "a file is there; remove it, or give another path",
        Some(Errno::NOENT | Errno::NOTDIR) => "make its directory first",
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
            "the user that the server runs as must be able to write its directory"
        }
        // The library refuses a path of more than 107 bytes before the system does.
        None => "give a path of at most 107 bytes",
        _ => "give another path",
    }
}

fn is_abandoned(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused)
}

impl UnixSocketListener {
    /// Waits for the next connection; returns it with the user id of the peer.
    pub(crate) async fn accept_user(&self) -> io::Result<(UnixStream, u32)> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred()?.uid();
        Ok((stream, user))
    }

    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for UnixSocketListener {
    fn drop(&mut self) {
        // If it can't be removed the next server replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

impl Listener for UnixSocketListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Incoming)> {
        let (stream, _) = self.listener.accept().await?;
        let shown = match stream.peer_cred() {
            Ok(peer) => format!("unix, uid {}", peer.uid()),
            Err(_) => "unix".to_owned(),
        };
        let peer = PeerInfo { shown, address: None };
        Ok((stream, Incoming { peer, counted: None }))
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
        let in_use = bind(&path).unwrap_err();
        assert!(hint(&in_use, &path).contains("end the server"), "{in_use}");
        // As a killed server leaves it.
        let UnixSocketListener { .. } = &first;
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let again = bind(&path).unwrap();
        assert_eq!(fs::metadata(again.path()).unwrap().permissions().mode() & 0o777, MODE);
        drop(again);
        fs::write(&path, "somebody's file").unwrap();
        let there = bind(&path).unwrap_err();
        assert!(hint(&there, &path).contains("remove it"), "{there}");
        for (path, words) in [
            (folder.path().join("nowhere/chat.sock"), "directory"),
            (path.join("chat.sock"), "directory"),
            (folder.path().join("x".repeat(200)), "107 bytes"),
        ] {
            let error = bind(&path).unwrap_err();
            assert!(hint(&error, &path).contains(words), "{error:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"somebody's file");
    }
}
