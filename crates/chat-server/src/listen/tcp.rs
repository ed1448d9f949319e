//! TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Incoming, Listener};
use crate::config::listen::TcpAddress;
use crate::conn::PeerInfo;

/// Connections that may wait to be accepted. The system has its own bound (net.core.somaxconn).
const BACKLOG: u32 = 4096;

/// The usual value of `net.ipv4.ip_unprivileged_port_start`.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// Keepalive: the first probe of a silent peer, the interval of further ones, and their number
/// (tcp(7)).
const KEEPALIVE_AFTER: Duration = Duration::from_mins(1);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMES: u32 = 4;

/// The send buffer of a socket in bytes; the kernel allocates twice as much (socket(7)). Its own
/// default grows to megabytes for a peer that doesn't read, outside of the server's memory.
const SEND_BUFFER: usize = 64 * 1024;

/// Binds an address without listening.
pub(crate) fn open(at: TcpAddress) -> io::Result<TcpSocket> {
    let TcpAddress { address, is_only_v6 } = at;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        SockRef::from(&socket).set_only_v6(is_only_v6)?;
    }
    socket.bind(address)?;
    Ok(socket)
}

/// Listens on an address. Accepted connections inherit the options that are set here (Linux,
/// tcp(7)), without a system call for each: no delay of small writes, keepalive, the time after
/// which unacknowledged output breaks the connection, and the send buffer.
pub fn bind(at: TcpAddress, unacknowledged: Duration) -> io::Result<TcpListener> {
    let socket = open(at)?;
    socket.set_nodelay(true)?;
    let options = SockRef::from(&socket);
    options.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_EVERY)
            .with_retries(KEEPALIVE_TIMES),
    )?;
    options.set_tcp_user_timeout(Some(unacknowledged))?;
    options.set_send_buffer_size(SEND_BUFFER)?;
    // Telnet's Synch is urgent data (RFC 854); out of line, it would be missing between its
    // neighbours.
    options.set_out_of_band_inline(true)?;
    socket.listen(BACKLOG)
}

/// Whether this machine doesn't have such an address. If a host name has several, the others are
/// enough.
pub fn is_missing(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}

/// Advice for an address that can't be bound.
pub fn hint(error: &io::Error, address: SocketAddr) -> &'static str {
    let is_link_local = match address.ip() {
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
        IpAddr::V4(_) => false,
    };
    match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => "end what listens there, or give another address with --listen",
        Some(Errno::ACCESS | Errno::PERM) if address.port() < FIRST_UNPRIVILEGED => {
            "ports below 1024 are for root alone; give one from 1024 up with --listen"
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            "a security policy of this machine (SELinux, AppArmor, the unit) forbids it"
        }
        Some(Errno::ADDRNOTAVAIL) => {
            "this machine has no such address; ip address shows those it has, and 0.0.0.0 and [::] stand for all"
        }
        Some(Errno::AFNOSUPPORT) if address.is_ipv6() => {
            "this machine has no IPv6; give an IPv4 address with --listen, such as 0.0.0.0 for all"
        }
        Some(Errno::INVAL) if is_link_local => {
            "a link-local address needs its interface; write it as [fe80::1%eth0]:5002"
        }
        _ => "give another address with --listen",
    }
}

/// A plain connection.
#[derive(Debug)]
pub struct Plain(TcpStream);

/// The byte with which every telnet command begins.
const IAC: u8 = 255;

impl AsyncRead for Plain {
    /// The kernel ends a read where urgent data begins, and Tokio takes a short read to mean that
    /// nothing more is there. So a read that may have ended there is followed by another at once.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
        let mut piece = before;
        while buf.remaining() > 0 && buf.filled()[piece..].contains(&IAC) {
            piece = buf.filled().len();
            match rustix::net::recv(&self.0, buf.initialize_unfilled(), RecvFlags::DONTWAIT) {
                Ok((more, _)) => buf.advance(more),
                // The next read finds the error again.
                Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Listener for TcpListener {
    type Stream = Plain;

    async fn accept(&self) -> io::Result<(Plain, Incoming)> {
        let (stream, peer) = Self::accept(self).await?;
        let ip = peer.ip().to_canonical();
        let counted = (!ip.is_loopback()).then_some(ip);
        let shown = SocketAddr::new(ip, peer.port()).to_string();
        let peer = PeerInfo { shown, address: Some(ip) };
        Ok((Plain(stream), Incoming { peer, counted }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    fn loopback() -> TcpAddress {
        TcpAddress { address: "127.0.0.1:0".parse().unwrap(), is_only_v6: false }
    }

    #[test]
    fn each_error_has_a_hint_of_its_own() {
        for (errno, address, words) in [
            (Errno::ADDRINUSE, "127.0.0.1:5002", "end what listens there"),
            (Errno::ACCESS, "0.0.0.0:23", "from 1024 up"),
            (Errno::ACCESS, "0.0.0.0:5002", "security policy"),
            (Errno::ADDRNOTAVAIL, "192.0.2.1:5002", "has no such address"),
            (Errno::AFNOSUPPORT, "[::]:5002", "no IPv6"),
            (Errno::INVAL, "[fe80::1]:5002", "needs its interface"),
            (Errno::MFILE, "[::]:5002", "another address"),
        ] {
            let hint = hint(&errno.into(), address.parse().unwrap());
            assert!(hint.contains(words), "{errno:?}: {hint}");
        }
    }

    #[tokio::test]
    async fn an_accepted_connection_inherits_the_options_of_the_listener() {
        let unacknowledged = Duration::from_secs(37);
        let listener = bind(loopback(), unacknowledged).unwrap();
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (Plain(stream), incoming) = Listener::accept(&listener).await.unwrap();
        let options = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap());
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
        assert_eq!(options.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
        assert_eq!(options.tcp_keepalive_retries().unwrap(), KEEPALIVE_TIMES);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(unacknowledged));
        assert!(options.out_of_band_inline().unwrap());
        assert_eq!(options.send_buffer_size().unwrap(), 2 * SEND_BUFFER);
        assert_eq!(incoming.counted, None, "loopback is exempt from the limit for each address");
    }

    #[tokio::test]
    async fn urgent_data_is_in_line_and_blocks_nothing() {
        let listener = bind(loopback(), Duration::from_mins(1)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = Listener::accept(&listener).await.unwrap();
        client.try_write(b"\xff\xf4\xff").unwrap();
        SockRef::from(&client).send_out_of_band(b"\xf2").unwrap();
        client.try_write(b"/msg bob secret\r\n").unwrap();
        let expected = b"\xff\xf4\xff\xf2/msg bob secret\r\n";
        let mut seen = vec![0; expected.len()];
        stream.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, expected);
    }
}
