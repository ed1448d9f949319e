//! A proxy before the server that can drop the server's output: a message is stored, and its answer
//! never comes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A proxy; connections to its address are forwarded to the server.
pub(crate) struct Gate {
    address: String,
    is_shut: Arc<AtomicBool>,
}

impl Gate {
    pub(crate) fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let is_shut = Arc::new(AtomicBool::new(false));
        let (server, shut) = (server.to_owned(), Arc::clone(&is_shut));
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // Without a server the connection is closed.
                let Ok(server) = TcpStream::connect(&server) else { continue };
                join(client, server, &shut);
            }
        });
        Self { address, is_shut }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Drops the server's output from now on; its input still passes.
    pub(crate) fn shut(&self) {
        self.is_shut.store(true, Ordering::SeqCst);
    }

    /// For new connections: earlier ones have lost output, and have to be closed first.
    pub(crate) fn open(&self) {
        self.is_shut.store(false, Ordering::SeqCst);
    }
}

fn join(client: TcpStream, server: TcpStream, is_shut: &Arc<AtomicBool>) {
    let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let is_shut = Arc::clone(is_shut);
    thread::spawn(move || pass(client, to_server, || true));
    thread::spawn(move || pass(server, to_client, || !is_shut.load(Ordering::SeqCst)));
}

fn pass(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn() -> bool) {
    let mut chunk = [0; 4096];
    // End of file and an error are handled alike: the other side gets an end of file.
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        if may_pass() && to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
