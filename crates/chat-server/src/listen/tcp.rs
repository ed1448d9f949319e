//! TCP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Caller, Door};

/// Connections that may wait to be accepted; the system has its own bound (net.core.somaxconn).
const BACKLOG: u32 = 4096;

/// A quiet peer is asked for a sign of life after this time, then this often, so many times.
const KEEPALIVE_AFTER: Duration = Duration::from_mins(1);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMES: u32 = 4;

/// Binds an address. What is set here is inherited by every connection that is accepted (Linux,
/// tcp(7)), which costs nothing for each: no delay of small lines, keepalive, and the time after which
/// unacknowledged output breaks the connection.
pub fn bind(address: SocketAddr, unacknowledged: Duration) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    let options = SockRef::from(&socket);
    options.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_EVERY)
            .with_retries(KEEPALIVE_TIMES),
    )?;
    options.set_tcp_user_timeout(Some(unacknowledged))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Door for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Caller)> {
        let (stream, peer) = Self::accept(self).await?;
        let ip = peer.ip().to_canonical();
        let counted = (!ip.is_loopback()).then_some(ip);
        let address = SocketAddr::new(ip, peer.port()).to_string();
        Ok((stream, Caller { address, counted }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_accepted_connection_inherits_what_the_listener_was_given() {
        let unacknowledged = Duration::from_secs(37);
        let listener = bind("127.0.0.1:0".parse().unwrap(), unacknowledged).unwrap();
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (stream, caller) = Door::accept(&listener).await.unwrap();
        let options = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap());
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
        assert_eq!(options.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
        assert_eq!(options.tcp_keepalive_retries().unwrap(), KEEPALIVE_TIMES);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(unacknowledged));
        assert_eq!(caller.counted, None, "loopback is exempt from the limit for each address");
    }
}
