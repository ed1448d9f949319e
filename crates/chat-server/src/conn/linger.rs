//! The end of a connection, so that its last lines arrive.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// How much of what a peer still sends is read and thrown away.
const LINGER_BYTES: u64 = 1024 * 1024;

/// Writes what is left, within `write_deadline` in all, and closes. What the peer still sends is read and thrown away for as long as `linger`:
/// closing a socket with unread input resets it, and a reset overtakes the last lines (RFC 9293,
/// section 3.6.1).
pub(crate) async fn linger_close<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut left: BytesMut,
    write_deadline: Duration,
    linger: Duration,
) {
    let written = async {
        while !left.is_empty() {
            match stream.write_buf(&mut left).await {
                Ok(written) if written > 0 => {}
                _ => return false,
            }
        }
        true
    };
    if !timeout(write_deadline, written).await.unwrap_or_default() {
        return;
    }
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = stream.take(LINGER_BYTES);
    let _ = timeout(linger, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
