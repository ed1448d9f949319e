//! Closing a connection so that its last output arrives.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// Upper bound on the input that is read and discarded.
const LINGER_BYTES: u64 = 1024 * 1024;

/// Writes the remaining output within `write_deadline`, and closes. Input is read and discarded for
/// as long as `linger`: closing a socket with unread input resets it, and a reset overtakes the
/// last output (RFC 9293, section 3.6.1).
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
